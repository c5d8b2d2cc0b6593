"""The documents that the words of a search find, with their features: by Spark, or from documents kept in a file."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from operator import add, itemgetter
from typing import TYPE_CHECKING, Protocol

import numpy as np

from rankhammer.casts import quoted
from rankhammer.errors import DataError
from rankhammer.feature_sets import Match, Phrase
from rankhammer.feature_sources.base import read_documents, single_documents, sound_documents

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray
    from pyspark.sql import Column, DataFrame

    from rankhammer.feature_sets import FeatureSet
    from rankhammer.feature_sources.base import FeatureSource, KeptDocuments

_PLACE, _SHOWN = "_place", "_shown_"
_SCORED_TOGETHER = 1 << 16
"""Documents whose features are in memory at once."""


@dataclass(frozen=True)
class FoundDocument:
    """A document that a search has found.

    Args:
        doc_id: The document.
        features: Values in the feature set's order; NaN where one is absent.
        fields: Those that were asked for, as text; None where it has none.
    """

    doc_id: str
    features: Sequence[float]
    fields: tuple[str | None, ...] = ()


class DocumentFinder(Protocol):
    """What finds documents."""

    def find(self, queries: Sequence[str], n: int, fields: Sequence[str]) -> Mapping[str, Sequence[FoundDocument]]:
        """Return the first documents of each query by the sum of its text features, equal ones in order of doc_id.

        Documents without a word of it, by the text features, are left out: an engine would not find them, and no result
        page has ever shown them to the ranker. Where the feature set has no text feature, all documents are candidates.

        Args:
            queries: As typed, each once.
            n: Documents of a query at most.
            fields: Columns of the documents to show.

        Raises:
            DataError: The corpus has no document.
        """
        ...


def no_documents(corpus: str) -> DataError:
    """Return the error of a corpus without documents."""
    return DataError(f"Corpus {corpus!r} has no document.", hint="See documents.path in globals.yml.")


def documents_of(corpus: str, documents: DataFrame, feature_set: FeatureSet) -> DataFrame:
    """Return the documents of a corpus that can be searched, each once.

    Args:
        corpus: Which one.
        documents: All corpora's: doc_id, corpus, and every field that the feature set names.
        feature_set: Names the fields.
    """
    from pyspark.sql import functions as F

    read = read_documents(documents.where(F.col("corpus") == corpus), feature_set)
    return sound_documents(single_documents(read, feature_set))


class SparkCandidates:
    """Computes the features of all documents in Spark, or asks an engine for them.

    Args:
        corpus: Whose documents.
        documents: From `documents_of`.
        source: Computes the features.
        feature_set: Which ones.
    """

    def __init__(self, corpus: str, documents: DataFrame, source: FeatureSource, feature_set: FeatureSet) -> None:
        self._corpus, self._documents = corpus, documents
        self._source, self._feature_set = source, feature_set

    def find(self, queries: Sequence[str], n: int, fields: Sequence[str]) -> Mapping[str, Sequence[FoundDocument]]:
        """See `DocumentFinder`."""
        from pyspark.sql import Window
        from pyspark.sql import functions as F

        mine = self._documents
        values = [F.make_valid_utf8(F.col(quoted(name)).cast("string")) for name in fields]
        shown = [value.alias(f"{_SHOWN}{place}") for place, value in enumerate(values)]
        asked = mine.sparkSession.createDataFrame([(query,) for query in queries], "query string")
        pairs = mine.select("corpus", "doc_id", *shown).crossJoin(F.broadcast(asked))
        found = self._source.collect(pairs, documents=mine, feature_set=self._feature_set)
        found = found.where("features IS NOT NULL")
        texts = _text_features(self._feature_set)
        by_words = Window.partitionBy("query").orderBy(_sum_of(texts).desc(), "doc_id")
        matching = found.where(_sum_of(texts) > 0) if texts else found
        first = matching.withColumn(_PLACE, F.row_number().over(by_words)).where(F.col(_PLACE) <= n)
        # An action: the candidates, as many as are asked for, are what the command shows.
        rows = sorted(first.collect(), key=itemgetter(_PLACE))
        # Asked only where nothing was found.
        if not rows and mine.isEmpty():
            raise no_documents(self._corpus)
        answers: dict[str, list[FoundDocument]] = {query: [] for query in queries}
        for row in rows:
            texts_shown = tuple(row[f"{_SHOWN}{number}"] for number in range(len(fields)))
            answers[row["query"]].append(FoundDocument(row["doc_id"], list(row["features"]), texts_shown))
        return answers


class KeptCandidates:
    """Computes the features of kept documents in this process.

    Args:
        documents: The kept ones.
        feature_set: That which they were kept for.
    """

    def __init__(self, documents: KeptDocuments, feature_set: FeatureSet) -> None:
        self._documents = documents
        self._words = [feature_set.names.index(name) for name in _text_features(feature_set)]

    def find(self, queries: Sequence[str], n: int, fields: Sequence[str]) -> Mapping[str, Sequence[FoundDocument]]:
        """See `DocumentFinder`."""
        return {query: self._find(query, n, fields) for query in queries}

    def _find(self, query: str, n: int, fields: Sequence[str]) -> list[FoundDocument]:
        parts = list(self._first(query, n))
        docs, sums, values = (np.concatenate(part) for part in zip(*parts, strict=True))
        names = self._documents.doc_ids(docs)
        order = np.lexsort((np.array(names), -sums))[:n]
        texts = [self._documents.field(name, docs[order]) for name in fields]
        return [
            FoundDocument(names[place], values[place], tuple(text[number] for text in texts))
            for number, place in enumerate(order.tolist())
        ]

    def _first(
        self, query: str, n: int
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float32]]]:
        """Yield of each part of the documents those that may be among the first n: number, sum, features."""
        for start in range(0, self._documents.n_documents, _SCORED_TOGETHER):
            docs = np.arange(start, min(start + _SCORED_TOGETHER, self._documents.n_documents))
            values = self._documents.features(query, docs)
            sums = np.zeros(len(docs))
            for place in self._words:
                sums = sums + np.where(np.isnan(values[:, place]), 0.0, values[:, place].astype(np.float64))
            matching = np.flatnonzero(sums > 0) if self._words else np.arange(len(docs))
            if len(matching) > n:
                # The n-th sum, and all that are as large: doc_id decides among these.
                matching = matching[sums[matching] >= np.partition(sums[matching], -n)[-n]]
            yield docs[matching], sums[matching], values[matching]


def _text_features(feature_set: FeatureSet) -> list[str]:
    return [feature.name for feature in feature_set.features if isinstance(feature, Match | Phrase)]


def _sum_of(names: Sequence[str]) -> Column:
    """A feature that is absent (NaN) counts as no match."""
    from pyspark.sql import functions as F

    return reduce(add, [F.nanvl(F.col(f"features.{name}"), F.lit(0.0)) for name in names], F.lit(0.0))
