"""One search offline: documents found by words, ordered by an exported ranker, and explained."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import TYPE_CHECKING, Any

import numpy as np

from rankhammer.errors import ConfigError, DataError, did_you_mean
from rankhammer.exporters.neutral_json import NeutralJson, NeutralJsonOptions
from rankhammer.exporters.publish import by_corpus, read_ranker
from rankhammer.feature_sets import Match, Phrase

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray
    from pyspark.sql import Column, DataFrame

    from rankhammer.engines.base import FeatureSource
    from rankhammer.exporters.base import RankerFiles

_MODEL = "json/model.json"


@dataclass(frozen=True)
class RankedDocument:
    """One result.

    Args:
        rank: Place in the ranker's order, from 1.
        doc_id: The document.
        score: The exported ranker's.
        rank_by_words: Place before it was reranked: by the sum of the text features.
        contributions: What each feature adds to the score (Shapley values of the trees, or weight x value), the
            largest first; with the constant that all documents share they sum up to it.
    """

    rank: int
    doc_id: str
    score: float
    rank_by_words: int
    contributions: dict[str, float]


@dataclass(frozen=True)
class OfflineRanker:
    """A corpus' ranker as it was trained, and as it was exported.

    Args:
        trained: Has the features, and explains.
        exported: Files of the neutral JSON export, which gives the scores.
    """

    trained: RankerFiles
    exported: Mapping[str, bytes]

    def rank(
        self, query: str, *, documents: DataFrame, source: FeatureSource, n_candidates: int
    ) -> list[RankedDocument]:
        """Find documents by the query's words, and order them by the ranker.

        Args:
            query: As typed.
            documents: The corpora: doc_id, corpus, and every field that the feature set names.
            source: Computes the features.
            n_candidates: Documents that are reranked: the first by the sum of the text features.

        Returns:
            All candidates, best first; equal scores in the order of doc_id.

        Raises:
            DataError: The corpus has no document.
        """
        from pyspark.sql import functions as F

        corpus, feature_set = self.trained.corpus, self.trained.feature_set
        mine = documents.where(F.col("corpus") == corpus)
        pairs = mine.select("corpus", F.lit(query).alias("query"), "doc_id")
        found = source.collect(pairs, documents=mine, feature_set=feature_set).where("features IS NOT NULL")
        # An action: the candidates, as many as are asked for, are what the command shows.
        rows = found.orderBy(self._by_words().desc(), "doc_id").limit(n_candidates).collect()
        if not rows:
            raise DataError(f"Corpus {corpus!r} has no document.", hint="See documents.path in globals.yml.")
        features = np.array([list(row["features"]) for row in rows], np.float32)
        return self._order([row["doc_id"] for row in rows], features)

    def _by_words(self) -> Column:
        """A feature that is absent (NaN) counts as no match."""
        from pyspark.sql import functions as F

        texts = [feature.name for feature in self.trained.feature_set.features if isinstance(feature, Match | Phrase)]
        return reduce(add, [F.nanvl(F.col(f"features.{name}"), F.lit(0.0)) for name in texts], F.lit(0.0))

    def _order(self, doc_ids: Sequence[str], features: NDArray[np.float32]) -> list[RankedDocument]:
        names = self.trained.feature_set.names
        scores = NeutralJson(NeutralJsonOptions()).score(self.exported, features, names)
        contributions = _contributions(self.trained.booster, features, names)
        order = np.lexsort((np.array(doc_ids), -scores))
        return [
            RankedDocument(rank, doc_ids[place], float(scores[place]), int(place) + 1, contributions[place])
            for rank, place in enumerate(order, 1)
        ]


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
    if f"{corpus}/{_MODEL}" not in exported:
        raise ConfigError(
            f"The ranker of corpus {corpus!r} was not exported as json.",
            hint="Add {name: json} to export.targets, and run `kedro run --pipelines=export`.",
        )
    files = {"model.json": exported[f"{corpus}/{_MODEL}"]}
    return OfflineRanker(read_ranker(corpus, trained[corpus]), files)


def _contributions(booster: Any, features: NDArray[np.float32], names: Sequence[str]) -> list[dict[str, float]]:
    """Return what each feature adds to each score, the largest first."""
    import xgboost as xgb

    matrix = xgb.DMatrix(features, feature_names=list(names))
    # The last column is the constant: it is the same for every document and explains no order.
    added = booster.predict(matrix, pred_contribs=True)[:, :-1]
    orders = np.argsort(-np.abs(added), axis=1, kind="stable")
    return [{names[n]: float(row[n]) for n in order} for row, order in zip(added, orders, strict=True)]
