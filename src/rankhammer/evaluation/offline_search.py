"""One search offline: documents found by words, ordered by an exported ranker, and explained."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from rankhammer.corpora import folder_of
from rankhammer.errors import ConfigError, did_you_mean
from rankhammer.evaluation.contributions import contributions
from rankhammer.exporters.publish import by_corpus, read_ranker
from rankhammer.exporters.targets.plain_json import PlainJson, PlainJsonOptions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from rankhammer.evaluation.search_candidates import DocumentFinder, FoundDocument
    from rankhammer.exporters.base import TrainedRanker

_MODEL = "json/model.json"


@dataclass(frozen=True)
class RankedDocument:
    """One result.

    Args:
        rank: Place in the ranker's order, from 1.
        doc_id: The document.
        score: The exported ranker's.
        rank_by_words: Place before it was reranked: by the sum of the text features.
        fields: Those of the document that were asked for, as text; None where it has none.
        contributions: What each feature adds to the score (Shapley values of trees or a network, or weight x value),
            the largest first; with the constant that all documents share they sum up to it.
        values: Feature to its value, None where it is absent.
    """

    rank: int
    doc_id: str
    score: float
    rank_by_words: int
    contributions: dict[str, float]
    fields: dict[str, str | None] = field(default_factory=dict)
    values: dict[str, float | None] = field(default_factory=dict)


@dataclass(frozen=True)
class OfflineRanker:
    """A corpus' ranker as it was trained, and as it was exported.

    Args:
        trained: Has the features, and explains.
        exported: Files of the neutral JSON export, which gives the scores.
    """

    trained: TrainedRanker
    exported: Mapping[str, bytes]

    def rank(
        self, queries: Sequence[str], *, candidates: DocumentFinder, n_candidates: int, fields: Sequence[str] = ()
    ) -> dict[str, list[RankedDocument]]:
        """Order the documents that the words of queries find by the ranker.

        Args:
            queries: As typed; one that stands twice is answered once.
            candidates: Finds documents and computes their features.
            n_candidates: Documents of a query that are reranked: the first by the sum of the text features.
            fields: Fields of the documents to show.

        Returns:
            Query to all its candidates, best first; equal scores in the order of doc_id. None where no document has a
            word of the query, by the text features.

        Raises:
            DataError: The corpus has no document.
        """
        found = candidates.find(list(dict.fromkeys(queries)), n_candidates, fields)
        return {query: self._order(found[query], fields) for query in queries}

    def _order(self, found: Sequence[FoundDocument], fields: Sequence[str]) -> list[RankedDocument]:
        """Order one query's candidates, which stand as their words put them."""
        if not found:
            return []
        names = self.trained.feature_set.names
        features = np.array([one.features for one in found], np.float32).reshape(len(found), len(names))
        scores = PlainJson(PlainJsonOptions()).score(self.exported, features, names)
        added = contributions(self.trained.opened, features, names)
        order = np.lexsort((np.array([one.doc_id for one in found]), -scores))
        return [
            RankedDocument(
                rank,
                found[place].doc_id,
                float(scores[place]),
                int(place) + 1,
                added[place],
                dict(zip(fields, found[place].fields, strict=True)),
                _known(names, features[place]),
            )
            for rank, place in enumerate(order, 1)
        ]


def _known(names: Sequence[str], vector: NDArray[np.float32]) -> dict[str, float | None]:
    return {name: None if np.isnan(value) else float(value) for name, value in zip(names, vector, strict=True)}


def open_ranker(corpus: str, *, ranker: Mapping[str, bytes], exported: Mapping[str, bytes]) -> OfflineRanker:
    """Put a corpus' trained and exported ranker together.

    Args:
        corpus: Whose.
        ranker: What the training stage published: corpus/model.ubj and more.
        exported: What the export stage published: corpus/target/file.

    Raises:
        ConfigError: The corpus has no ranker, or it was not exported as `json`.
        DataError: A file of the ranker is missing.
    """
    trained = by_corpus(ranker)
    if corpus not in trained:
        raise ConfigError(f"There is no ranker of corpus {corpus!r}.", hint=did_you_mean(corpus, sorted(trained)))
    exported_name = f"{folder_of(corpus)}/{_MODEL}"
    if exported_name not in exported:
        raise ConfigError(
            f"The ranker of corpus {corpus!r} was not exported as json.",
            hint="Add {name: json} to export.targets, and run `kedro run --pipelines=export`.",
        )
    files = {"model.json": exported[exported_name]}
    return OfflineRanker(read_ranker(corpus, trained[corpus]), files)
