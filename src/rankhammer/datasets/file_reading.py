"""Reads the files of an input as one table: columns are brought together by their names, whatever order files have."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, reduce
from typing import TYPE_CHECKING, Any

from rankhammer import spark
from rankhammer.datasets import file_kinds
from rankhammer.datasets.csv_headers import doubles_quotes, group_by_header, require_single_names
from rankhammer.datasets.file_kinds import ReaderOptions
from rankhammer.datasets.open_quotes import holds_lines, open_ends
from rankhammer.errors import DataError, SchemaError
from rankhammer.spark import error_translation

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pyspark.sql import Column, DataFrame, DataFrameReader
    from pyspark.sql.types import DataType, StructType

    from rankhammer.datasets.csv_headers import HeaderGroup
    from rankhammer.datasets.input_files import InputFile
    from rankhammer.datasets.open_quotes import OpenEnd

_MAX_FILES = 200
_MESSAGES = ("CANNOT_MERGE_SCHEMAS", "CANNOT_MERGE_INCOMPATIBLE_DATA_TYPE", "COLUMN_ALREADY_EXISTS")


def name_differing_files(
    error: Exception, files: Sequence[InputFile], file_format: str, options: Mapping[str, Any]
) -> None:
    """Say which two files have another type of a column; returns where the error is about something else.

    Args:
        error: What Spark said.
        files: Of the input; the first 200 are looked at, one by one.
        file_format: Spark's name of their format.
        options: The reader's.

    Raises:
        SchemaError: Names the column, both files, and both types; or the file that has a column twice.
    """
    if not any(message in str(error) for message in _MESSAGES):
        return
    first: dict[str, tuple[InputFile, str]] = {}
    for file in files[:_MAX_FILES]:
        for name, kind in _columns(file, file_format, options).items():
            other, expected = first.setdefault(name, (file, kind))
            if kind != expected:
                raise _differ(name, (other, expected), (file, kind)) from error


def _columns(file: InputFile, file_format: str, options: Mapping[str, Any]) -> dict[str, str]:
    from py4j.protocol import Py4JJavaError
    from pyspark.errors import PySparkException

    reader = spark.session().read.format(file_format).options(**{**options, "__globPaths__": False})
    try:
        schema: StructType = reader.load(file.path).schema
    except (PySparkException, Py4JJavaError) as exc:
        if "COLUMN_ALREADY_EXISTS" in str(exc):
            raise _twice(file, str(exc)) from exc
        raise
    return {field.name.casefold(): field.dataType.simpleString() for field in schema.fields}


def _differ(name: str, one: tuple[InputFile, str], other: tuple[InputFile, str]) -> SchemaError:
    return SchemaError(
        f"Column {name!r} is {one[1]} in {one[0].path} and {other[1]} in {other[0].path}.",
        hint="Write it with one type in all files of the input.",
        column=name,
        path=other[0].path,
    )


def _twice(file: InputFile, message: str) -> SchemaError:
    name = message.partition("The column `")[2].partition("`")[0]
    return SchemaError(
        f"Input file {file.path} has the column {name!r} more than once (upper and lower case are one name).",
        hint="Rename one of them, or leave it out, where the file is made.",
        column=name,
        path=file.path,
    )


UNPARSED = "_rankhammer_unparsed_line"
"""Column that Spark's readers fill with a line that does not fit the others; null for a line that does."""
_LINE = "_rankhammer_line"
_LINES = frozenset({"csv", "json"})
_WHOLE_NUMBERS = ("byte", "short", "integer", "long")


@dataclass(frozen=True)
class Scan:
    """One `load` of Spark.

    Args:
        paths: Files, folders or patterns.
        schema: What they hold.
        options: Beside those of the input.
    """

    paths: Sequence[str]
    schema: StructType
    options: Mapping[str, Any]


@dataclass(frozen=True)
class FilesReader:
    """Reads an input's files; what was found out about their columns is kept for the next `read`.

    Args:
        path: File, folder or pattern.
        files: Those that it stands for.
        file_format: Spark's name of their format.
        load_args: Reader options; those that are set here win over ours.
        keeps_unparsed: Whether a line that does not parse comes as a row of nulls, for a reader that counts it as
            faulty; else it ends what reads it with a DataError.
    """

    path: str
    files: Sequence[InputFile]
    file_format: str
    load_args: Mapping[str, Any]
    keeps_unparsed: bool = False

    def read(self) -> DataFrame:
        """Return the table, lazily; the first call looks at the files' columns.

        Raises:
            SchemaError: The files' columns do not go together, or one is there twice.
            DataError: The files have no column.
        """
        tables = [self._load(scan) for scan in self._scans]
        return reduce(lambda one, other: one.unionByName(other, allowMissingColumns=True), tables)

    @cached_property
    def _options(self) -> dict[str, Any]:
        """Ours, and over them the user's."""
        given = ReaderOptions(self.load_args)
        ours: dict[str, Any] = {}
        if self.file_format in file_kinds.COLUMNAR:
            ours["mergeSchema"] = True
        if self.file_format == "csv":
            # Only whole lines show that they have too many cells.
            ours["columnPruning"] = False
        if self.file_format == "csv" and given.is_on("header"):
            # Else a header is skipped, whatever it says.
            ours["enforceSchema"] = False
        if self.file_format == "csv" and doubles_quotes(self.files, self.load_args):
            ours["escape"] = '"'
        if self._marks_unparsed:
            ours["columnNameOfCorruptRecord"] = UNPARSED
        return {name: value for name, value in ours.items() if not given.has(name)} | dict(self.load_args)

    @property
    def _marks_unparsed(self) -> bool:
        given = ReaderOptions(self.load_args)
        return self.file_format in _LINES and not given.has("mode") and not given.has("columnNameOfCorruptRecord")

    @cached_property
    def _scans(self) -> list[Scan]:
        groups = self._header_groups()
        if len(groups) < 2:
            return [Scan([self.path], self._schema([self.path], {}), {})]
        found = [(group, self._schema([group.files[0].path], _of_group(group))) for group in groups]
        if ReaderOptions(self.load_args).is_on("inferSchema"):
            found = [(group, self._schema([file.path for file in group.files], _of_group(group))) for group in groups]
        types = _common_types([schema for _, schema in found])
        return [
            Scan([file.path for file in group.files], _with_types(schema, types), _of_group(group))
            for group, schema in found
        ]

    @cached_property
    def _open_ends(self) -> list[OpenEnd]:
        return open_ends(self.files, self.load_args)

    def _header_groups(self) -> list[HeaderGroup]:
        options = ReaderOptions(self.load_args)
        if self.file_format != "csv" or not options.is_on("header") or not options.text("sep", ","):
            return []
        groups = group_by_header(self.files, self.load_args)
        if len({group.columns for group in groups}) < 2:
            return []
        n_grouped = sum(len(group.files) for group in groups)
        if n_grouped < sum(1 for file in self.files if file.size):
            raise SchemaError(
                f"{self.path}: the CSV headers of its files differ ({groups[0].files[0].path}, "
                f"{groups[1].files[0].path}), and those of all of its files cannot be looked at.",
                hint="Bring the columns into one order where the files are made, or write Parquet.",
            )
        return groups

    def _schema(self, paths: list[str], options: Mapping[str, Any]) -> StructType:
        from py4j.protocol import Py4JJavaError
        from pyspark.errors import PySparkException

        try:
            schema = self._reader(options).load(paths).schema
        except (PySparkException, Py4JJavaError) as exc:
            # Which files they are, Spark does not say.
            name_differing_files(exc, self.files, self.file_format, self._options)
            raise error_translation.translate((exc,), self.path) or exc from exc
        columns = [name for name in schema.names if name != UNPARSED]
        if not columns:
            raise self._nothing_parsed()
        require_single_names(columns, f"Input {self.path}")
        return schema

    def _nothing_parsed(self) -> DataError:
        hint = "Check `path`, `format` and `load_args` of this input in conf/<env>/globals.yml."
        if self.file_format == "json":
            hint = "Each line has to be one JSON object; for an array or object over several lines set load_args: "
            hint += "{multiLine: true} for this input in globals.yml."
        return DataError(f"Input {self.path}: nothing in it parses as {self.file_format}.", hint=hint, path=self.path)

    def _reader(self, options: Mapping[str, Any]) -> DataFrameReader:
        return spark.session().read.format(self.file_format).options(**{**self._options, **options})

    def _load(self, scan: Scan) -> DataFrame:
        schema = scan.schema
        if self._marks_unparsed and UNPARSED not in schema.names:
            schema = type(schema)([*schema.fields]).add(UNPARSED, "string")
        table = self._reader(scan.options).schema(schema).load(list(scan.paths))
        if UNPARSED not in table.columns:
            return table
        is_over_lines = ReaderOptions(self.load_args).is_on("multiLine")
        if is_over_lines and self.file_format == "csv":
            table = _with_swallowed(table, ReaderOptions(self.load_args), self._open_ends)
        # Of JSON over several lines a record that does not parse is a whole file.
        if self.keeps_unparsed and not (is_over_lines and self.file_format == "json"):
            return _blanked(_by_line(table) if is_over_lines else table)
        return _refusing(table).drop(UNPARSED)


def _of_group(group: HeaderGroup) -> dict[str, Any]:
    """Options of a scan of some files of a folder: names are no patterns, and folders like day=1 are columns."""
    base = {} if group.files[0].name == "" else {"basePath": group.root}
    return {"__globPaths__": False, **base}


def _by_line(table: DataFrame) -> DataFrame:
    """Repeat a record that does not parse as often as it has lines, so that each of them is counted.

    A quote that is never closed takes all lines behind it along, up to the next quote or the file's end.
    """
    from pyspark.sql import functions as F

    n_lines = F.when(F.col(UNPARSED).isNull(), 1).otherwise(F.size(F.split(UNPARSED, r"\r\n|[\r\n]")))
    return table.withColumn(_LINE, F.explode(F.sequence(F.lit(1), n_lines))).drop(_LINE)


def _with_swallowed(table: DataFrame, options: ReaderOptions, ends: Sequence[OpenEnd]) -> DataFrame:
    """Take a record for one that does not parse if a cell of it holds other records."""
    from pyspark.sql import functions as F

    from rankhammer.casts import quoted

    cells = [F.col(quoted(name)) for name, kind in table.dtypes if kind == "string" and name != UNPARSED]
    found = (F.when(holds_lines(cell, options, ends), F.regexp_replace(cell, r"[\r\n]+$", "")) for cell in cells)
    return table.withColumn(UNPARSED, F.coalesce(UNPARSED, *found))


def _blanked(table: DataFrame) -> DataFrame:
    """Make a line that does not parse a row of nulls: its cells may be any column's."""
    from pyspark.sql import functions as F

    from rankhammer.casts import quoted

    names = [name for name in table.columns if name != UNPARSED]
    parsed = F.col(UNPARSED).isNull()
    return table.select(*(F.when(parsed, F.col(quoted(name))).alias(name) for name in names))


def _refusing(table: DataFrame) -> DataFrame:
    """End with an error at a line that does not parse, in the same pass in which the lines are read."""
    from pyspark.sql import functions as F

    message = F.concat(
        F.lit(f"\n{DataError.__module__}.{DataError.__qualname__}: Input file "),
        F.col("_metadata.file_path"),
        F.lit(": a line does not have the cells of the header, has a quote that is not closed, or is no JSON object: "),
        F.regexp_replace(F.substring(F.col(UNPARSED), 1, 80), r"[\r\n]", " "),
        F.lit(
            "\nHint: Where quoted texts hold line ends, set load_args: {multiLine: true} for this input in "
            "globals.yml; {mode: DROPMALFORMED} leaves such lines out.\n"
        ),
    )
    return table.where(
        F.when(F.col(UNPARSED).isNull(), F.lit(True)).otherwise(
            F.raise_error(F.concat(message, _nothing_of(table))).cast("boolean")
        )
    )


def _nothing_of(table: DataFrame) -> Column:
    """Return an empty text that needs a column of the data: Spark refuses to read what does not parse alone."""
    from pyspark.sql import functions as F

    from rankhammer.casts import quoted

    first = next(name for name in table.columns if name != UNPARSED)
    return F.coalesce(F.substring(F.col(quoted(first)).cast("string"), 1, 0), F.lit(""))


def _common_types(schemas: Sequence[StructType]) -> dict[str, DataType]:
    """Choose one type for each column of several CSV headers, by its name: a text where they have no number in common.

    Types come from `inferSchema`; without it each column is a text.
    """
    from pyspark.sql.types import DoubleType, LongType, StringType

    types: dict[str, DataType] = {}
    for field in (field for schema in schemas for field in schema.fields):
        name, found = field.name.casefold(), field.dataType
        before = types.setdefault(name, found)
        if before != found:
            kinds = {before.typeName(), found.typeName()}
            is_number = kinds <= {*_WHOLE_NUMBERS, "double"}
            number = LongType() if kinds <= {*_WHOLE_NUMBERS} else DoubleType()
            types[name] = number if is_number else StringType()
    return types


def _with_types(schema: StructType, types: Mapping[str, DataType]) -> StructType:
    from pyspark.sql.types import StructField, StructType

    return StructType([StructField(field.name, types[field.name.casefold()]) for field in schema.fields])
