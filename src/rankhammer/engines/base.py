"""What every feature source offers."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Protocol, runtime_checkable

if TYPE_CHECKING:
    from pydantic import BaseModel
    from pyspark.sql import DataFrame

    from rankhammer.feature_sets import FeatureSet


class FeatureSource(Protocol):
    """A search engine, embedded or real, that computes a feature set for (query, document) pairs."""

    Options: ClassVar[type[BaseModel]]

    def __init__(self, options: BaseModel) -> None: ...

    def collect(self, rows: DataFrame, *, documents: DataFrame | None, feature_set: FeatureSet) -> DataFrame:
        """Add the column `features` to rows of (query, document) pairs.

        Args:
            rows: Has at least corpus, query, doc_id; every other column is carried through.
            documents: The corpus (`schemas.DOCUMENTS` plus the fields that the features name), for sources
                that need it; None when the engine already holds the documents.
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
class KeepsAnswers(Protocol):
    """A source that writes down what its engine answers; what others return is persisted until it is written."""

    @property
    def keeps_answers(self) -> bool:
        """Whether what `collect` returns is read from files, so that to read it twice asks nobody twice."""
        ...
