"""One search offline: documents found by words, ordered by an exported ranker, and explained."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import reduce
from operator import add, itemgetter
from typing import TYPE_CHECKING

import numpy as np

from rankhammer.casts import quoted
from rankhammer.corpora import folder_of
from rankhammer.errors import ConfigError, DataError, did_you_mean
from rankhammer.evaluation.contributions import contributions
from rankhammer.exporters.publish import by_corpus, read_ranker
from rankhammer.exporters.targets.plain_json import PlainJson, PlainJsonOptions
from rankhammer.feature_sets import Match, Phrase
from rankhammer.feature_sources.base import read_documents, single_documents, sound_documents

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray
    from pyspark.sql import Column, DataFrame, Row

    from rankhammer.exporters.base import TrainedRanker
    from rankhammer.feature_sources.base import FeatureSource

_MODEL = "json/model.json"
_PLACE, _SHOWN = "_place", "_shown_"


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
        self,
        queries: Sequence[str],
        *,
        documents: DataFrame,
        source: FeatureSource,
        n_candidates: int,
        fields: Sequence[str] = (),
    ) -> dict[str, list[RankedDocument]]:
        """Find documents by the words of queries, and order them by the ranker.

        Args:
            queries: As typed; one that stands twice is answered once.
            documents: The corpora: doc_id, corpus, and every field that the feature set names.
            source: Computes the features.
            n_candidates: Documents of a query that are reranked: the first by the sum of the text features.
            fields: Fields of the documents to show.

        Returns:
            Query to all its candidates, best first; equal scores in the order of doc_id. None where no document has a
            word of the query, by the text features.

        Raises:
            DataError: The corpus has no document.
        """
        from pyspark.sql import Window
        from pyspark.sql import functions as F

        corpus, feature_set = self.trained.corpus, self.trained.feature_set
        read = read_documents(documents.where(F.col("corpus") == corpus), feature_set)
        mine = sound_documents(single_documents(read, feature_set))
        shown = [F.col(quoted(name)).cast("string").alias(f"{_SHOWN}{place}") for place, name in enumerate(fields)]
        asked = mine.sparkSession.createDataFrame([(query,) for query in dict.fromkeys(queries)], "query string")
        pairs = mine.select("corpus", "doc_id", *shown).crossJoin(F.broadcast(asked))
        found = source.collect(pairs, documents=mine, feature_set=feature_set).where("features IS NOT NULL")
        by_words = Window.partitionBy("query").orderBy(self._by_words().desc(), "doc_id")
        # An engine would not find the others, and no result page has ever shown them to the ranker.
        matching = found.where(self._by_words() > 0) if self._texts() else found
        first = matching.withColumn(_PLACE, F.row_number().over(by_words)).where(F.col(_PLACE) <= n_candidates)
        # An action: the candidates, as many as are asked for, are what the command shows.
        rows = sorted(first.collect(), key=itemgetter(_PLACE))
        # Asked only where nothing was found.
        if not rows and mine.isEmpty():
            raise DataError(f"Corpus {corpus!r} has no document.", hint="See documents.path in globals.yml.")
        return {query: self._order([row for row in rows if row["query"] == query], fields) for query in queries}

    def _by_words(self) -> Column:
        """A feature that is absent (NaN) counts as no match."""
        from pyspark.sql import functions as F

        return reduce(add, [F.nanvl(F.col(f"features.{name}"), F.lit(0.0)) for name in self._texts()], F.lit(0.0))

    def _texts(self) -> list[str]:
        return [feature.name for feature in self.trained.feature_set.features if isinstance(feature, Match | Phrase)]

    def _order(self, rows: Sequence[Row], fields: Sequence[str]) -> list[RankedDocument]:
        """Order one query's candidates, which stand as their words put them."""
        if not rows:
            return []
        names = self.trained.feature_set.names
        features = np.array([list(row["features"]) for row in rows], np.float32).reshape(len(rows), len(names))
        scores = PlainJson(PlainJsonOptions()).score(self.exported, features, names)
        added = contributions(self.trained.opened, features, names)
        order = np.lexsort((np.array([row["doc_id"] for row in rows]), -scores))
        return [
            RankedDocument(
                rank,
                rows[place]["doc_id"],
                float(scores[place]),
                int(place) + 1,
                added[place],
                {name: rows[place][f"{_SHOWN}{number}"] for number, name in enumerate(fields)},
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
