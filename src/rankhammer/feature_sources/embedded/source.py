"""The embedded search engine: feature values without a server, equal to Lucene's."""

from __future__ import annotations

from collections.abc import Iterator  # noqa: TC003 - Spark reads the annotations of the function it runs
from typing import TYPE_CHECKING, Any, ClassVar, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rankhammer.errors import DataError, SchemaError, did_you_mean
from rankhammer.feature_sets import FieldValue, require_raw
from rankhammer.feature_sources.base import matches_of, number_fields, types_as_read
from rankhammer.feature_sources.embedded.bm25 import Bm25
from rankhammer.feature_sources.embedded.index import open_index
from rankhammer.feature_sources.embedded.index_build import build_indexes, ship
from rankhammer.feature_sources.embedded.kept_documents import EmbeddedDocuments, keep_documents
from rankhammer.feature_sources.embedded.retrieval import search
from rankhammer.feature_sources.embedded.scoring import channels_of, score_pairs
from rankhammer.schemas import DOCUMENTS, NUMBER_TYPES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from pydantic import BaseModel
    from pyspark.sql import Column, DataFrame

    from rankhammer.feature_sets import FeatureSet
    from rankhammer.feature_sources.embedded.segments import Channel

_Columns = tuple[pa.Array, pa.Array, pa.Array]
_FOUND = "corpus string, query string, doc_key bigint, place int"
_SEARCHED_TOGETHER = 500
"""Queries whose documents are looked up in one pass over the postings."""


class Embedded:
    """Computes features from the documents themselves with Lucene's BM25; needs no server.

    Args:
        options: BM25's constants and flavour.
    """

    Options: ClassVar[type[Bm25]] = Bm25

    def __init__(self, options: BaseModel) -> None:
        self._bm25 = Bm25.model_validate(options.model_dump())
        self._built: tuple[DataFrame, FeatureSet, dict[str, str]] | None = None

    def check(self, feature_set: FeatureSet) -> None:
        """See `base.ChecksFeatures`."""
        require_raw(feature_set, "embedded")

    def field_faults(self, types: Mapping[str, str], feature_set: FeatureSet) -> Iterator[SchemaError]:
        """See `base.ChecksFields`."""
        yield from _field_faults(types_as_read(types, feature_set), feature_set)

    def collect(self, rows: DataFrame, *, documents: DataFrame | None, feature_set: FeatureSet) -> DataFrame:
        """Add the column `features` to rows of (query, document) pairs.

        The indexes are built when this is called; the rows are scored where they stand, without a shuffle, when
        the result is used.

        Args:
            rows: Has at least corpus, query, doc_id; every other column is carried through.
            documents: corpus, doc_id, and every field that the feature set names. Each corpus gets an index.
            feature_set: What to compute, in order.

        Returns:
            The same rows plus `features`: struct<name: float>, null where the corpus does not have the document.

        Raises:
            ConfigError: A feature is another engine's own query.
            SchemaError: A field is not in `documents`, or is not a text or a number.
            DataError: No documents are given, a doc_id stands twice in a corpus, or a modifier meets a number that
                it cannot take.
        """
        return rows.withColumn("features", _features(self._indexes(documents, feature_set), feature_set, rows))

    def candidates(
        self, queries: DataFrame, *, documents: DataFrame | None, feature_set: FeatureSet, n: int
    ) -> DataFrame:
        """See `base.FindsCandidates`; the fields that are searched are those of the feature set's matches."""
        from pyspark.sql import functions as F

        names = self._indexes(documents, feature_set)
        matched = {(one.field, one.analyzer) for one in matches_of(feature_set)}
        channels = [channel for channel in channels_of(feature_set) if (channel.field, channel.analyzer) in matched]
        found = queries.select("corpus", "query").mapInArrow(_finder(names, channels, n), _FOUND)
        keys = cast("DataFrame", documents).select("corpus", "doc_id", F.xxhash64("doc_id").alias("doc_key"))
        return found.join(keys, ["corpus", "doc_key"]).select("corpus", "query", "doc_id", "place")

    def keep(self, documents: DataFrame, *, feature_set: FeatureSet, fields: Sequence[str]) -> pa.Buffer | None:
        """See `base.KeepsDocuments`."""
        files = self._build(documents, feature_set)
        return keep_documents(next(iter(files.values())), documents, fields) if files else None

    def open_kept(self, content: pa.Buffer | pa.MemoryMappedFile, feature_set: FeatureSet) -> EmbeddedDocuments:
        """See `base.KeepsDocuments`."""
        return EmbeddedDocuments(content, feature_set)

    def _indexes(self, documents: DataFrame | None, feature_set: FeatureSet) -> dict[str, str]:
        """Build the indexes and send them to the workers; those of the same documents are built once."""
        self.check(feature_set)
        if documents is None:
            raise DataError("The embedded engine has no documents.", hint="Set documents.path in globals.yml.")
        if self._built and self._built[0] is documents and self._built[1] == feature_set:
            return self._built[2]
        names = ship(documents, self._build(documents, feature_set))
        self._built = documents, feature_set, names
        return names

    def _build(self, documents: DataFrame, feature_set: FeatureSet) -> dict[str, Path]:
        """Return each corpus' index, a file on this machine."""
        _require_fields(documents, feature_set)
        files = build_indexes(
            documents, channels=channels_of(feature_set), numbers=number_fields(feature_set), bm25=self._bm25
        )
        for corpus, path in files.items():
            _require_sound(corpus, path, documents, feature_set)
        return files


def _finder(
    names: Mapping[str, str], channels: Sequence[Channel], n: int
) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    def find(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Find the documents of (corpus, query) batches; runs on the workers."""
        from pyspark import SparkFiles

        for batch in batches:
            for corpus in pc.unique(batch.column("corpus")).to_pylist():
                if corpus in names:
                    asked = batch.filter(pc.equal(batch.column("corpus"), corpus)).column("query")
                    yield from _found_in(corpus, SparkFiles.get(names[corpus]), asked, channels, n)

    return find


def _found_in(corpus: str, path: str, asked: pa.Array, channels: Sequence[Channel], n: int) -> Iterator[pa.RecordBatch]:
    """Search for some queries at a time, so that what is in memory does not grow with a batch."""
    index = open_index(path)
    for first in range(0, len(asked), _SEARCHED_TOGETHER):
        queries = asked.slice(first, _SEARCHED_TOGETHER)
        found = search(index, queries.fill_null("").to_pylist(), channels, n)
        yield pa.record_batch(
            [
                pa.repeat(corpus, len(found.doc)),
                queries.take(pa.array(found.query)),
                pa.array(index.keys_of(found.doc)),
                pa.array(found.place, pa.int32()),
            ],
            names=["corpus", "query", "doc_key", "place"],
        )


def _features(names: Mapping[str, str], feature_set: FeatureSet, rows: DataFrame) -> Column:
    """Return the column that scores each row, as one Arrow function over (corpus, query, document key)."""
    from pyspark.sql import functions as F
    from pyspark.sql.pandas.functions import arrow_udf
    from pyspark.sql.types import FloatType, StructField, StructType

    struct = StructType([StructField(name, FloatType()) for name in feature_set.names])
    as_column: Any = arrow_udf  # its stub demands the argument that it warns about when it runs
    # Called non-deterministic so that a filter on the result does not make Spark score every row twice.
    score = as_column(_scorer(names, feature_set), struct).asNondeterministic()
    scored: Column = score(rows["corpus"], rows["query"], F.xxhash64(rows["doc_id"]))
    return scored


def _scorer(names: Mapping[str, str], feature_set: FeatureSet) -> Callable[[Iterator[_Columns]], Iterator[pa.Array]]:
    def score(batches: Iterator[_Columns]) -> Iterator[pa.Array]:
        """Score (corpus, query, document key) batches; runs on the workers."""
        from pyspark import SparkFiles

        paths = {corpus: SparkFiles.get(name) for corpus, name in names.items()}
        for batch in batches:
            yield _score_batch(batch, paths, feature_set)

    return score


def _score_batch(batch: _Columns, paths: Mapping[str, str], feature_set: FeatureSet) -> pa.StructArray:
    """Score one Arrow batch, corpus by corpus; rows of unknown documents or corpora become null."""
    corpus, query, doc_key = batch
    keys = doc_key.to_numpy(zero_copy_only=False)
    values = np.zeros((len(keys), len(feature_set.names)), dtype=np.float32)
    known = np.zeros(len(keys), dtype=bool)
    for name in pc.unique(corpus).to_pylist():
        if name in paths:
            mine = np.flatnonzero(pc.equal(corpus, name).to_numpy(zero_copy_only=False))
            found, scored = _score_corpus(paths[name], query.take(pa.array(mine)), keys[mine], feature_set)
            known[mine[found]] = True
            values[mine[found]] = scored
    columns = [pa.array(np.ascontiguousarray(column)) for column in values.T]
    return pa.StructArray.from_arrays(columns, names=list(feature_set.names), mask=pa.array(~known))


def _score_corpus(
    path: str, query: pa.Array, keys: NDArray[np.int64], feature_set: FeatureSet
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return which rows' documents the corpus has, and the values of those rows."""
    index = open_index(path)
    docs = index.find_docs(keys)
    found = np.flatnonzero(docs >= 0)
    distinct = query.take(pa.array(found)).fill_null("").dictionary_encode()
    places = distinct.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    return found, score_pairs(index, distinct.dictionary.to_pylist(), places, docs[found], feature_set)


def _field_values(feature_set: FeatureSet) -> list[FieldValue]:
    return [feature for feature in feature_set.features if isinstance(feature, FieldValue)]


def _require_fields(documents: DataFrame, feature_set: FeatureSet) -> None:
    """Check that every field is there, texts as strings and numbers as numbers."""
    DOCUMENTS.require(documents.dtypes)
    for fault in _field_faults(dict(documents.dtypes), feature_set):
        raise fault


def _field_faults(found: Mapping[str, str], feature_set: FeatureSet) -> Iterator[SchemaError]:
    fields = dict.fromkeys(channel.field for channel in channels_of(feature_set))
    numbers = dict.fromkeys(feature.field for feature in _field_values(feature_set))
    faults = (
        *(_field_fault(found, field, ("string",), "a text") for field in fields),
        *(_field_fault(found, field, NUMBER_TYPES, "a number") for field in numbers),
    )
    yield from filter(None, faults)


def _field_fault(found: Mapping[str, str], field: str, types: tuple[str, ...], kind: str) -> SchemaError | None:
    if field not in found:
        return SchemaError(
            f"The feature set names the field {field!r}; documents have {sorted(found)}.",
            hint=f"{did_you_mean(field, found)} Or map it under documents.columns in globals.yml.",
            table="documents",
            column=field,
        )
    if not found[field].startswith(types):
        return SchemaError(
            f"Field {field!r} of documents has type {found[field]}; the feature set needs {kind} ({', '.join(types)}).",
            hint="Cast the column where documents are made, or name another field in feature_set.yml.",
            table="documents",
            column=field,
        )
    return None


def _require_sound(corpus: str, path: Path, documents: DataFrame, feature_set: FeatureSet) -> None:
    """Refuse what only the finished index shows: a document twice, a number that a modifier cannot take."""
    index = open_index(str(path))
    twice = np.flatnonzero(np.diff(index.doc_keys) == 0)
    if len(twice):
        _refuse_duplicate(corpus, int(index.doc_keys[twice[0]]), documents)
    for feature in _field_values(feature_set):
        lowest = float(np.nanmin(index.number(feature.field), initial=np.inf))
        if feature.modifier != "none" and min(lowest, feature.missing) < 0:
            raise DataError(
                f"Feature {feature.name!r}: {feature.modifier} of {feature.field!r} needs numbers from 0 up; corpus "
                f"{corpus!r} has {min(lowest, feature.missing):g}.",
                hint="Use `modifier: none`, or shift the field where documents are made.",
                corpus=corpus,
                field=feature.field,
            )


def _refuse_duplicate(corpus: str, key: int, documents: DataFrame) -> None:
    from pyspark.sql import functions as F

    # One row comes back, only on the way to an error: the name behind the key.
    twice = documents.where((F.col("corpus") == corpus) & (F.xxhash64("doc_id") == key)).select("doc_id").first()
    doc_id = twice["doc_id"] if twice else None
    raise DataError(
        f"Corpus {corpus!r} has the document {doc_id!r} more than once; a doc_id names one document.",
        hint="Keep one row per document where documents are made.",
        corpus=corpus,
        doc_id=doc_id,
    )
