"""A corpus in one file: its index, with the names of its documents and the fields to show; searched without Spark."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from rankhammer.feature_sources.embedded.index import CorpusIndex
from rankhammer.feature_sources.embedded.scoring import score_pairs
from rankhammer.feature_sources.embedded.segments import pack, unpack

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from pyspark.sql import DataFrame

    from rankhammer.feature_sets import FeatureSet

_DOC_ID = "kept/doc_id"
_FIELD = "kept/field/"


class EmbeddedDocuments:
    """See `base.KeptDocuments`; a document's number is that in the index.

    Args:
        content: What `keep_documents` returned.
        feature_set: That which the index was built for.
    """

    def __init__(self, content: pa.Buffer | pa.MemoryMappedFile, feature_set: FeatureSet) -> None:
        self._arrays = unpack(content)
        self._index = CorpusIndex(self._arrays)
        self._feature_set = feature_set

    @property
    def fields(self) -> tuple[str, ...]:
        """See `base.KeptDocuments`."""
        return tuple(name.removeprefix(_FIELD) for name in self._arrays if name.startswith(_FIELD))

    @property
    def n_documents(self) -> int:
        """How many there are."""
        return len(self._index.doc_keys)

    def features(self, query: str, docs: NDArray[np.int64]) -> NDArray[np.float32]:
        """See `base.KeptDocuments`."""
        return score_pairs(self._index, [query], np.zeros(len(docs), np.int64), docs, self._feature_set)

    def doc_ids(self, docs: NDArray[np.int64]) -> list[str]:
        """See `base.KeptDocuments`."""
        found: list[str] = self._texts(_DOC_ID, docs)
        return found

    def field(self, name: str, docs: NDArray[np.int64]) -> list[str | None]:
        """See `base.KeptDocuments`."""
        found: list[str | None] = self._texts(f"{_FIELD}{name}", docs)
        return found

    def _texts(self, name: str, docs: NDArray[np.int64]) -> list[Any]:
        texts: list[Any] = self._arrays[name].take(pa.array(docs)).to_pylist()
        return texts


def keep_documents(index: Path, documents: DataFrame, fields: Sequence[str]) -> pa.Buffer:
    """Put names and fields of a corpus' documents beside its index.

    Args:
        index: The index's file.
        documents: Its documents: doc_id, and the columns of `fields`.
        fields: Columns to show.

    Returns:
        The content of the new file.
    """
    from pyspark.sql import functions as F

    from rankhammer.casts import quoted

    shown = [F.make_valid_utf8(F.col(quoted(name)).cast("string")).alias(f"{_FIELD}{name}") for name in fields]
    named = documents.select(F.xxhash64("doc_id").alias("doc_key"), F.col("doc_id").alias(_DOC_ID), *shown)
    # An action that brings names and titles back: who asks for this process' own file wants them here.
    table = named.toArrow()
    arrays = unpack(pa.memory_map(str(index)))
    numbers = CorpusIndex(arrays).find_docs(table.column("doc_key").to_numpy())
    by_number = pa.array(np.argsort(numbers))
    return pack({**arrays, **_texts(table.drop_columns("doc_key").take(by_number))})


def _texts(table: pa.Table) -> Mapping[str, pa.Array]:
    columns = {name: table.column(name).cast(pa.large_string()) for name in table.column_names}
    return {name: pa.concat_arrays(column.chunks) for name, column in columns.items()}
