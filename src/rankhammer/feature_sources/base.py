"""What every feature source offers, and the documents that it reads: faulty rows are left out."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Protocol, runtime_checkable

from rankhammer.errors import ConfigError
from rankhammer.feature_sets import FieldValue, Match

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray
    from pydantic import BaseModel
    from pyspark.sql import Column, DataFrame

    from rankhammer.errors import SchemaError
    from rankhammer.feature_sets import FeatureSet


class FeatureSource(Protocol):
    """A search engine, embedded or real, that computes a feature set for (query, document) pairs."""

    Options: ClassVar[type[BaseModel]]

    def __init__(self, options: BaseModel) -> None: ...

    def collect(self, rows: DataFrame, *, documents: DataFrame | None, feature_set: FeatureSet) -> DataFrame:
        """Add the column `features` to rows of (query, document) pairs.

        Args:
            rows: Has at least corpus, query, doc_id; every other column is carried through.
            documents: The corpora of `rows` (`schemas.DOCUMENTS` plus the fields that the features name), for sources
                that need them; None when the engine already holds the documents.
            feature_set: What to compute, in order.

        Returns:
            The same rows plus `features`: struct<name: float> in the feature set's order; null where the
            engine does not have the document. A feature that does not match is 0.0, NaN only where it says
            `absent: keep`.

        Raises:
            SchemaError: A field that a feature names is not in `documents`.
            EngineError: The engine cannot answer.
        """
        ...


@runtime_checkable
class ChecksFeatures(Protocol):
    """A source that can say without its engine which feature sets it cannot compute."""

    def check(self, feature_set: FeatureSet) -> None:
        """Refuse a feature set, before anything runs.

        Args:
            feature_set: What would be collected.

        Raises:
            ConfigError: A feature cannot be computed; it is named.
        """
        ...


@runtime_checkable
class ChecksFields(Protocol):
    """A source that reads its feature values from the documents, and can say which fields they lack."""

    def field_faults(self, types: Mapping[str, str], feature_set: FeatureSet) -> Iterator[SchemaError]:
        """Yield an error for each field that the feature set names and the documents do not have as such.

        Args:
            types: Column of the documents to Spark's simple name of its type, as they would be loaded.
            feature_set: What would be collected.
        """
        ...


@runtime_checkable
class KeepsAnswers(Protocol):
    """A source that writes down what its engine answers; what others return is persisted until it is written."""

    @property
    def keeps_answers(self) -> bool:
        """Whether what `collect` returns is read from files, so that to read it twice asks nobody twice."""
        ...


@runtime_checkable
class FindsCandidates(Protocol):
    """A source that can search, too."""

    def candidates(
        self, queries: DataFrame, *, documents: DataFrame | None, feature_set: FeatureSet, n: int
    ) -> DataFrame:
        """Find the documents that a search for any word of a query in any field shows first.

        Args:
            queries: corpus and query, each pair once.
            documents: As for `FeatureSource.collect`.
            feature_set: Names the fields.
            n: Documents of a query at most.

        Returns:
            corpus, query, doc_id and place (from 1).

        Raises:
            ConfigError: The feature set has no match of a text.
            EngineError: The engine cannot answer.
        """
        ...


class KeptDocuments(Protocol):
    """A corpus' documents as they were kept, numbered from 0 on."""

    @property
    def fields(self) -> tuple[str, ...]:
        """Names of the fields that were kept."""
        ...

    @property
    def n_documents(self) -> int:
        """How many there are."""
        ...

    def features(self, query: str, docs: NDArray[np.int64]) -> NDArray[np.float32]:
        """Compute the feature set for a query and documents by their numbers, shape (n, n_features); see `collect`."""
        ...

    def doc_ids(self, docs: NDArray[np.int64]) -> list[str]:
        """Return the ids of documents by their numbers."""
        ...

    def field(self, name: str, docs: NDArray[np.int64]) -> list[str | None]:
        """Return one of the kept fields of documents by their numbers, as text."""
        ...


@runtime_checkable
class KeepsDocuments(Protocol):
    """A source that can put a corpus' documents into a file, and search these without Spark from then on."""

    def keep(self, documents: DataFrame, *, feature_set: FeatureSet, fields: Sequence[str]) -> pa.Buffer | None:
        """Put the documents of one corpus into the content of a file.

        Args:
            documents: As for `FeatureSource.collect`, of one corpus, with the columns of `fields`.
            feature_set: What is to be computed of them.
            fields: Columns to show, beside doc_id.

        Returns:
            The content; None where there are no documents.

        Raises:
            SchemaError, DataError: As `FeatureSource.collect`.
        """
        ...

    def open_kept(self, content: pa.Buffer | pa.MemoryMappedFile, feature_set: FeatureSet) -> KeptDocuments:
        """Open what `keep` returned for the same feature set."""
        ...


def matches_of(feature_set: FeatureSet) -> tuple[Match, ...]:
    """Return what a search looks into: the matches of a feature set, each field and analyzer once.

    Raises:
        ConfigError: There are none.
    """
    found = {(one.field, one.analyzer): one for one in feature_set.features if isinstance(one, Match)}
    if not found:
        raise ConfigError(
            "features.negatives searches the fields that features of type `match` name, and the feature set has none.",
            hint="Add a match of a text field to feature_set.yml, or set features.negatives.per_query: 0.",
        )
    return tuple(found.values())


UNREADABLE = "unreadable_fields"
"""Column: the number fields of a document that hold something else."""
_CONTENT, _PLACE = "_rankhammer_content", "_rankhammer_place"
AMBIGUOUS = "ambiguous_doc_id"
"""Fault of documents of one doc_id that differ: nothing says which of them the engine serves."""


def read_documents(documents: DataFrame, feature_set: FeatureSet) -> DataFrame:
    """Read the number fields that a feature set names; those that are not there are left to the source.

    Args:
        documents: `schemas.DOCUMENTS` and fields, with or without `casts.FAULT`.
        feature_set: Names the fields.

    Returns:
        The same rows; such fields are doubles, null where they hold no finite number, and `UNREADABLE` names these.
    """
    from pyspark.sql import functions as F

    from rankhammer.casts import as_number, is_unreadable, quoted

    types = dict(documents.dtypes)
    fields = [field for field in number_fields(feature_set) if _is_cast(types.get(field, ""))]
    read = {field: as_number(F.col(quoted(field)), types[field]) for field in fields}
    bad: list[Column] = [
        F.when(is_unreadable(F.col(quoted(field)), types[field], read[field]), field) for field in fields
    ]
    names = F.filter(F.array(*bad), F.isnotnull) if bad else F.array().cast("array<string>")
    return documents.withColumns({**read, UNREADABLE: names})


def single_documents(documents: DataFrame, feature_set: FeatureSet) -> DataFrame:
    """Leave one row of each document: equal ones are dropped but for one, and those that differ are faults.

    A shuffle of all texts, so only for documents of which some stand several times.

    Args:
        documents: From `read_documents`.
        feature_set: Documents are equal that are equal in the fields which it names.

    Returns:
        The rows that are left, with `casts.FAULT`; faulty rows stay as they are.
    """
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    from rankhammer.casts import FAULT, quoted

    if FAULT not in documents.columns:
        documents = documents.withColumn(FAULT, F.lit(None).cast("string"))
    is_sound = F.col(FAULT).isNull()
    named = dict.fromkeys(getattr(feature, "field", None) for feature in feature_set.features)
    fields = [F.col(quoted(field)) for field in named if field in documents.columns]
    # A hash passes over what is null.
    content = F.xxhash64(*fields, *(field.isNull() for field in fields), F.lit(0))
    same = Window.partitionBy("corpus", "doc_id")
    counted = documents.where(is_sound).withColumn(_CONTENT, content)
    differ = F.min(_CONTENT).over(same) != F.max(_CONTENT).over(same)
    place = F.row_number().over(same.orderBy(_CONTENT))
    kept = counted.withColumns({FAULT: F.when(differ, AMBIGUOUS), _PLACE: place})
    kept = kept.where(F.col(FAULT).isNotNull() | (F.col(_PLACE) == 1)).drop(_CONTENT, _PLACE)
    return kept.unionByName(documents.where(~is_sound))


def sound_documents(documents: DataFrame) -> DataFrame:
    """Leave out what no source may see: faulty rows, and the columns that say so."""
    from rankhammer.casts import sound

    return sound(documents).drop(UNREADABLE)


def number_fields(feature_set: FeatureSet) -> list[str]:
    """Return the fields that a feature set takes as numbers, each once."""
    return list(dict.fromkeys(found.field for found in feature_set.features if isinstance(found, FieldValue)))


def types_as_read(types: Mapping[str, str], feature_set: FeatureSet) -> dict[str, str]:
    """Return the types that documents have after `read_documents`.

    Args:
        types: Column to Spark's simple name of its type.
        feature_set: Names the fields.
    """
    numbers = {name: "double" for name in number_fields(feature_set) if _is_cast(types.get(name, ""))}
    return {**types, **numbers}


def _is_cast(type_name: str) -> bool:
    return type_name.partition("(")[0] in ("string", "varchar", "char", "float", "double")
