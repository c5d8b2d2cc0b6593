"""Data that Rankhammer is given: a click log, documents, reference judgments."""

from __future__ import annotations

import hashlib
from functools import cached_property
from typing import TYPE_CHECKING, Any

from kedro.io import AbstractDataset

from rankhammer.datasets.input_sources import open_source
from rankhammer.errors import ConfigError, RankhammerError, SchemaError, did_you_mean

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from rankhammer.datasets.input_sources import InputSource


class InputDataset(AbstractDataset["DataFrame | None", "DataFrame | None"]):
    """A table from outside, with its columns mapped to our names. It is never written.

    Its format is any that Spark reads, or `opensearch` or `elasticsearch` for the records of an engine's indices.

    Examples:
        YAML:

        >>> # documents:
        >>> #   type: rankhammer.datasets.InputDataset
        >>> #   filepath: hdfs://namenode:8020/shop/products
        >>> #   file_format: json
        >>> #   columns: {doc_id: sku}

        Python:

        >>> dataset = InputDataset(filepath="products.csv", file_format="csv", load_args={"header": True})
    """

    def __init__(
        self,
        *,
        filepath: str | None,
        file_format: str = "parquet",
        load_args: dict[str, Any] | None = None,
        columns: dict[str, str] | None = None,
        constants: dict[str, str] | None = None,
        optional: bool = False,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """Describe the input; nothing is opened.

        Args:
            filepath: File, folder or pattern: a local path or a URI; or the address of an engine. None: there is no
                such input.
            file_format: Spark's name of the format: parquet, json, csv, text, orc; or opensearch, elasticsearch.
            load_args: Reader options, such as {header: true} for CSV, or the fields of
                `IndexInput` for an engine.
            columns: Our name to the input's own name.
            constants: Value of a column that the input does not have, such as {corpus: main}.
            optional: Whether a run can do without it: `filepath: null` then loads as None.
            metadata: For plugins such as kedro-viz.
        """
        self._path = filepath
        self._file_format = file_format
        self._load_args = load_args or {}
        self._columns = columns or {}
        self._constants = constants or {}
        self._optional = optional
        self.metadata = metadata

    def load(self) -> DataFrame | None:
        """Return the input with our column names; None where it is optional and not given.

        Raises:
            ConfigError: The path is not given or leads to nothing.
            EngineError: The engine refuses, or has no such index.
            DataError: An index has no records.
            SchemaError: A mapped column is not in the input.
        """
        self.require_found()
        if self._path is None:
            return None
        return self._with_our_names(self._source.read())

    @property
    def is_optional(self) -> bool:
        """Whether a run can do without it."""
        return self._optional

    def require_found(self) -> None:
        """Check that there is something to load; reads none of it.

        Raises:
            ConfigError: The path is not given or leads to nothing.
            EngineError: The engine is not there, or has no such index.
        """
        if self._path is not None or not self._optional:
            self._source.require_found()

    def save(self, data: DataFrame | None) -> None:  # noqa: ARG002 - Kedro's signature
        """Refuse: inputs are only read.

        Raises:
            ConfigError: Always.
        """
        raise ConfigError(f"{self._path} is an input and is never written.", hint="Save to a TableDataset instead.")

    def fingerprint(self) -> str:
        """Return a digest of the content and of how it is read: the same data gives the same text."""
        how = (self._file_format, self._columns, self._constants)
        return hashlib.sha256(f"{how}\n{self._source.fingerprint()}".encode()).hexdigest()

    @cached_property
    def _source(self) -> InputSource:
        return open_source(self._path, self._file_format, self._load_args)

    def _with_our_names(self, table: DataFrame) -> DataFrame:
        from pyspark.sql import functions as F

        for ours, theirs in self._columns.items():
            if theirs not in table.columns:
                raise SchemaError(
                    f"{self._path}: column {theirs!r} (for {ours!r}) is missing; found {sorted(table.columns)}.",
                    hint=f"{did_you_mean(theirs, table.columns)} Correct `columns` in globals.yml.",
                    column=theirs,
                )
        renamed = table.withColumnsRenamed({theirs: ours for ours, theirs in self._columns.items()})
        missing = {name: F.lit(value) for name, value in self._constants.items() if name not in renamed.columns}
        return renamed.withColumns(missing)

    def _exists(self) -> bool:
        try:
            self._source.require_found()
        except RankhammerError:
            return False
        return True

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._path, "file_format": self._file_format, "load_args": self._load_args}
