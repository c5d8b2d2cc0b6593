"""Mini-batches of whole queries for a neural ranker: padded to few shapes, so that nothing is compiled twice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from rankhammer.neural_model import NeuralModel
    from rankhammer.rankers.base import Batches, RankingData

_SHORTEST = 8
"""Documents that the shortest lists are padded to; longer ones go in steps of four times as many."""
_STEP = 4


@dataclass(frozen=True, eq=False)
class MiniBatch:
    """Queries of similar length, side by side.

    Args:
        features: Standardised, float32, shape (n_queries, n_documents, n_inputs); 0 where there is no document.
        label: Grades, float32, shape (n_queries, n_documents).
        there: Whether there is a document, shape (n_queries, n_documents).
        weight: Of each query, float32, shape (n_queries,); 0 for one that only fills the shape up.
    """

    features: NDArray[np.float32]
    label: NDArray[np.float32]
    there: NDArray[np.bool_]
    weight: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class QueryStream:
    """Mini-batches of all queries that have something to learn from, in an order of chance.

    There is one batch of rows in memory at a time, and no query stands in two mini-batches of a round. Which queries
    stand together depends on seed and round alone: each of several processes takes its share of every mini-batch, so
    all of them see equally many.

    Args:
        batches: Whole queries each.
        scaling: What standardises vectors.
        max_rows: Documents of a mini-batch with those that fill it up; a longer query is one by itself.
        share: (number, of how many) processes: which queries of each mini-batch are read here.
    """

    batches: Batches
    scaling: NeuralModel
    max_rows: int
    share: tuple[int, int] = (0, 1)

    def round(self, seed: int, number: int) -> Iterator[MiniBatch]:
        """Yield the mini-batches of one round.

        Args:
            seed: Of the fit.
            number: Of the round.
        """
        rng = np.random.default_rng([seed, number])
        for place in rng.permutation(len(self.batches)).tolist():
            data = self.batches[place]
            queries = _Queries.of(data)
            planned = [*queries.plan(rng, self.max_rows, self.share[1])]
            for shape, chosen in (planned[number] for number in rng.permutation(len(planned)).tolist()):
                yield self._filled(data, queries, shape, chosen)

    def _filled(
        self, data: RankingData, queries: _Queries, shape: tuple[int, int], chosen: NDArray[np.int64]
    ) -> MiniBatch:
        first, of = self.share
        mine = chosen[first::of]
        n_queries, n_documents = shape[0] // of, shape[1]
        starts, sizes = queries.starts[mine], queries.sizes[mine]
        there = np.zeros((n_queries, n_documents), np.bool_)
        there[: len(mine)] = np.arange(n_documents) < sizes[:, None]
        rows = np.repeat(starts - np.cumsum(sizes) + sizes, sizes) + np.arange(sizes.sum())
        features = np.zeros((*there.shape, len(self.scaling.inputs)), np.float32)
        features[there] = self.scaling.standardise(np.asarray(data.features)[rows])
        label, weight = np.zeros(there.shape, np.float32), np.zeros(n_queries, np.float32)
        label[there] = data.label[rows]
        weight[: len(mine)] = queries.weight[mine]
        return MiniBatch(features, label, there, weight)


@dataclass(frozen=True, eq=False)
class _Queries:
    """First row, rows and weight of each query of a batch, and whether it teaches anything; shape (n_queries,) each."""

    starts: NDArray[np.int64]
    sizes: NDArray[np.int64]
    weight: NDArray[np.float64]
    teaches: NDArray[np.bool_]

    @classmethod
    def of(cls, data: RankingData) -> _Queries:
        """Find the queries of rows that stand together."""
        from rankhammer.rankers.xgboost import query_weights

        starts = np.flatnonzero(np.diff(data.qid, prepend=data.qid[:1] - 1))
        sizes = np.diff(starts, append=len(data.qid))
        weight = query_weights(data)
        lowest, highest = np.minimum.reduceat(data.label, starts), np.maximum.reduceat(data.label, starts)
        return cls(starts, sizes, weight, (weight > 0) & (highest > lowest))

    def plan(
        self, rng: np.random.Generator, max_rows: int, of: int
    ) -> Iterator[tuple[tuple[int, int], NDArray[np.int64]]]:
        """Deal queries out: (queries, documents) of each mini-batch, and which ones they are."""
        lengths = padded(self.sizes)
        for length in np.unique(lengths[self.teaches]).tolist():
            mine = rng.permutation(np.flatnonzero(self.teaches & (lengths == length)))
            # As many as every process gets alike.
            n_queries = -(-max(1, max_rows // length) // of) * of
            for first in range(0, len(mine), n_queries):
                yield (n_queries, length), mine[first : first + n_queries]


def padded(sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return how long lists of so many documents become."""
    lengths = _SHORTEST * _STEP ** np.arange(20, dtype=np.int64)
    longer: NDArray[np.int64] = lengths[np.searchsorted(lengths, sizes)]
    return longer
