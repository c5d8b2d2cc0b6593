"""Data that Rankhammer is given: a click log, documents, reference judgments."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from kedro.io import AbstractDataset

from rankhammer.datasets.daily_log import DailyLog, DayTemplate, is_daily
from rankhammer.datasets.entry_options import checks_options
from rankhammer.datasets.input_files import list_input_files
from rankhammer.datasets.input_sources import open_source
from rankhammer.digests import hex_digest
from rankhammer.errors import ConfigError, RankhammerError, SchemaError, did_you_mean
from rankhammer.feature_sources.remote.index_reading import APIS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyspark.sql import DataFrame

    from rankhammer.datasets.input_samples import InputSample
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

    keeps_unparsed: ClassVar[bool] = False
    """Whether a line of CSV or JSON that does not parse comes as a row of nulls; else it is an error."""

    @checks_options
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
        self._log: DailyLog | None = None
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
    def is_given(self) -> bool:
        """Whether a path is set."""
        return self._path is not None

    @property
    def is_daily(self) -> bool:
        """Whether it is in a folder a day."""
        return is_daily(self._path)

    @property
    def local_bytes(self) -> int | None:
        """Size of all its files; None where it is no file of this machine.

        Raises:
            ConfigError: The path leads to nothing.
        """
        is_local = self._path is not None and "://" not in self._path and self._file_format.lower() not in APIS
        return sum(file.size for file in list_input_files(str(self._path), self._load_args)) if is_local else None

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

    def sample(self) -> InputSample | None:
        """Return the first rows with the input's own names, without Spark; None where only Spark can read it.

        Raises:
            ConfigError: The path leads to nothing.
            SchemaError: A header names a column twice.
        """
        return None if self._path is None else self._source.sample()

    def our_names(self, columns: Sequence[str], *, may_have: Sequence[str] = ()) -> dict[str, list[str]]:
        """Return each of the input's own columns to the names that it has after loading.

        Args:
            columns: The input's own names.
            may_have: Own names that are taken to be there, too.

        Raises:
            SchemaError: A mapped column is missing, or two would have one name.
        """
        columns = [*columns, *(name for name in may_have if name not in columns)]
        self._require_free_names(columns)
        for ours, theirs in self._columns.items():
            if theirs not in columns:
                raise SchemaError(
                    f"{self._path}: column {theirs!r} (for {ours!r}) is missing; found {sorted(columns)}.",
                    hint=f"{did_you_mean(theirs, columns)} Correct `columns` in globals.yml.",
                    column=theirs,
                )
        return {name: [ours for ours, own in self._columns.items() if own == name] or [name] for name in columns}

    def texts(self, column: str) -> tuple[set[str], bool]:
        """Return the distinct texts of one of its own columns, without Spark, and whether these are all."""
        return self._source.texts(column)

    @property
    def mapped(self) -> dict[str, str]:
        """Our names to the input's own, where they differ."""
        return dict(self._columns)

    @property
    def constants(self) -> dict[str, str]:
        """Values of the columns that the input does not have."""
        return dict(self._constants)

    def save(self, data: DataFrame | None) -> None:  # noqa: ARG002 - Kedro's signature
        """Refuse: inputs are only read.

        Raises:
            ConfigError: Always.
        """
        raise ConfigError(f"{self._path} is an input and is never written.", hint="Save to a TableDataset instead.")

    def fingerprint(self) -> str:
        """Return a digest of the content and of how it is read: the same data gives the same text."""
        how = (self._file_format, self._columns, self._constants)
        return hex_digest(f"{how}\n{self._source.fingerprint()}")

    @cached_property
    def _source(self) -> InputSource:
        return open_source(self._pattern, self._file_format, self._load_args, keeps_unparsed=self.keeps_unparsed)

    @property
    def _pattern(self) -> str | None:
        """The path as the files are looked for."""
        return self._path

    def _with_our_names(self, table: DataFrame) -> DataFrame:
        from pyspark.sql import functions as F

        from rankhammer.casts import quoted

        names = self.our_names(table.columns)
        # In one step: one after the other, a name that differs in case only would be renamed, too.
        renamed = table.select(*(F.col(quoted(name)).alias(new) for name in names for new in names[name]))
        missing = {name: F.lit(value) for name, value in self._constants.items() if name not in renamed.columns}
        return renamed.withColumns(missing)

    def _require_free_names(self, found: Sequence[str]) -> None:
        """Refuse a name that a mapped column and one of the input's own would both have."""
        kept = {name.casefold(): name for name in found if name not in self._columns.values()}
        for ours, theirs in self._columns.items():
            if theirs in found and ours.casefold() in kept:
                taken = kept[ours.casefold()]
                raise SchemaError(
                    f"{self._path}: column {theirs!r} is to be read as {ours!r}, but there is a column {taken!r}, too.",
                    hint=f"Give that one another name in `columns` in globals.yml: {{{ours}: {theirs}, "
                    f"original_{taken}: {taken}}}.",
                    column=taken,
                )

    def _exists(self) -> bool:
        try:
            self._source.require_found()
        except RankhammerError:
            return False
        return True

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._path, "file_format": self._file_format, "load_args": self._load_args}


class LogDataset(InputDataset):
    """An input whose faulty rows are counted by what reads it: a line that does not parse comes as a row of nulls."""

    keeps_unparsed = True

    def load(self) -> DataFrame | DailyLog | None:  # type: ignore[override]
        """Return the log; one whose path has a place for a day comes day by day.

        Raises:
            ConfigError: See `InputDataset.load`; also where the place for a day is of no known form.
        """
        return super().load() if self._days is None else self._by_day()

    def fingerprint(self) -> str:
        """See `InputDataset`; of days, each by itself, so that one which was looked at already is not read again."""
        if self._days is None:
            return super().fingerprint()
        log = self._by_day()
        stamps = [(day.isoformat(), log.stamp(day)) for day in log.days]
        return hex_digest(f"{(self._file_format, self._columns, self._constants, self._load_args)}\n{stamps}")

    @cached_property
    def _days(self) -> DayTemplate | None:
        return DayTemplate(str(self._path)) if is_daily(self._path) else None

    @property
    def _pattern(self) -> str | None:
        return self._path if self._days is None else self._days.pattern

    def _by_day(self) -> DailyLog:
        if self._log is None:
            self.require_found()
            load_args = {name: value for name, value in self._load_args.items() if name.lower() != "inferschema"}
            files = list_input_files(str(self._pattern), load_args)
            self._log = DailyLog(str(self._path), files, self._file_format.lower(), load_args)
        return self._log
