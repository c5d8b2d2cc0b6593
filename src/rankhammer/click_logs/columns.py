"""A format's columns in a user's table: found under the user's names, and cast strictly."""

from __future__ import annotations

from functools import partial, reduce
from operator import or_
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal
from zoneinfo import available_timezones

from pydantic import AfterValidator, Field
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, DataType, StructType

from rankhammer.casts import (
    EXPECTED,
    MAX_POSITION,
    accepts,
    as_flag,
    as_id,
    as_position,
    as_time,
    is_blank,
    is_nobody,
    is_unreadable,
    quoted,
)
from rankhammer.click_logs.faults import FILE, ROW, first_fault
from rankhammer.click_logs.visitors import ADDRESS, AGENT, RECEIVED_AT, USER
from rankhammer.errors import SchemaError, did_you_mean
from rankhammer.strict_model import StrictModel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from pyspark.sql import Column, DataFrame

    from rankhammer.casts import Kind


class Columns(StrictModel):
    """Our name of each column to the user's; a dot steps into a struct."""

    optional: ClassVar[frozenset[str]] = frozenset()
    """Those that a log may do without, unless the user names them."""

    arrays: ClassVar[frozenset[str]] = frozenset()
    """Those that hold one value per document; all others hold one value per row."""

    kinds: ClassVar[Mapping[str, Kind]] = {}
    """What those are that are neither ids nor texts."""


class VisitorPageColumns(Columns):
    """Who searched, which every log of rows or pages may say."""

    user_id: str = Field(default="user_id", min_length=1, description="a user or browser; hashed, may be missing")
    address: str = Field(default="address", min_length=1, description="an IP address; hashed, may be missing")
    received_at: str = Field(
        default="received_at", min_length=1, description="when the row arrived, a day or a time; may be missing"
    )
    user_agent: str = Field(
        default="user_agent", min_length=1, description="what a browser calls itself; may be missing"
    )


VISITOR_FIELDS = (USER, ADDRESS, RECEIVED_AT, AGENT)
"""Fields of `VisitorPageColumns`."""
HARMLESS_FIELDS = (RECEIVED_AT, AGENT)
"""Those of them whose unreadable values make no fault of a row."""


def visitor_fields(raw: DataFrame, columns: Columns) -> list[str]:
    """Return the names of `VISITOR_FIELDS` that a log has; of the others no plan needs to know.

    Args:
        raw: The log as it was loaded.
        columns: Where each of our columns is found.
    """
    return [name for name in VISITOR_FIELDS if hasattr(columns, name) and has_column(raw, columns, name)]


def map_columns(raw: DataFrame, columns: Columns) -> DataFrame:
    """Give a user's columns our names, types unchanged.

    Args:
        raw: The log as it was loaded.
        columns: Where each of our columns is found.

    Returns:
        The same rows with exactly our columns; an optional one that does not exist is a null string
        (or a null array of strings).

    Raises:
        SchemaError: A needed column is missing, has a type that cannot stand for what it means, or holds an array where
            a plain value is needed, or the reverse.
    """
    return raw.select(*(_one_column(raw, columns, name).alias(name) for name in type(columns).model_fields))


def column_faults(schema: StructType, columns: Columns) -> Iterator[SchemaError]:
    """Yield what `map_columns` would refuse, without a table.

    Args:
        schema: Of the log as it would be loaded.
        columns: Where each of our columns is found.
    """
    for name in type(columns).model_fields:
        try:
            _require_column(schema, columns, name)
        except SchemaError as error:
            yield error


def has_column(raw: DataFrame, columns: Columns, name: str) -> bool:
    """Tell whether a log has one of our columns."""
    return _find(raw.schema, getattr(columns, name)) is not None


def _one_column(raw: DataFrame, columns: Columns, name: str) -> Column:
    if not _require_column(raw.schema, columns, name):
        return F.lit(None).cast("array<string>" if name in columns.arrays else "string")
    return raw[_quoted(raw.schema, getattr(columns, name))]


def _require_column(schema: StructType, columns: Columns, name: str) -> bool:
    """Say whether a column is there; refuse one that has to be, or that has another shape."""
    path = getattr(columns, name)
    found = _find(schema, path)
    if found is None:
        if name in columns.optional and name not in columns.model_fields_set:
            return False
        raise _missing(schema.names, name, path)
    _check_shape(name, path, found, is_array=name in columns.arrays, kind=columns.kinds.get(name, "id"))
    return True


def _find(schema: StructType, path: str) -> DataType | None:
    """Look a column up by its whole name, then as a path into structs."""
    if path in schema.names:
        return schema[path].dataType
    head, _, rest = path.partition(".")
    if not rest or head not in schema.names:
        return None
    inner = schema[head].dataType
    if isinstance(inner, ArrayType) and isinstance(inner.elementType, StructType):
        found = _find(inner.elementType, rest)
        # Spark does not step into arrays within arrays.
        return None if found is None or isinstance(found, ArrayType) else ArrayType(found)
    return _find(inner, rest) if isinstance(inner, StructType) else None


def _quoted(schema: StructType, path: str) -> str:
    parts = [path] if path in schema.names else path.split(".")
    return ".".join(map(quoted, parts))


def _check_shape(name: str, path: str, found: DataType, *, is_array: bool, kind: Kind) -> None:
    element = found.elementType if is_array and isinstance(found, ArrayType) else found
    if isinstance(found, ArrayType) == is_array and accepts(kind, element.simpleString()):
        return
    expected = f"an array of plain values, each {EXPECTED[kind]}" if is_array else f"one plain value: {EXPECTED[kind]}"
    raise SchemaError(
        f"The click log's column {path!r}, read as {name!r}, has type {found.simpleString()}; expected {expected}.",
        hint=_mapping_hint(name),
        column=name,
        path=path,
        type=found.simpleString(),
    )


def _missing(names: Iterable[str], name: str, path: str) -> SchemaError:
    what = f"column {name!r}" if name == path else f"column {path!r}, to be read as {name!r}"
    return SchemaError(
        f"The click log has no {what}; found {sorted(names)}.",
        hint=f"{_mapping_hint(name)} {did_you_mean(path, names)}",
        column=name,
        path=path,
        found=sorted(names),
    )


def _mapping_hint(name: str) -> str:
    return f"Say in conf/<env>/globals.yml which column it is: click_log.options.columns.{name}: <your column>."


_NO_ZONES = {"Factory", "localtime", "ROC"}
"""Names of the system's list that Spark does not know, or that mean another zone on another machine."""


def _known_zone(name: str) -> str:
    known = {"UTC", *available_timezones()} - _NO_ZONES
    if name not in known:
        raise ValueError(f"there is no time zone {name!r}. {did_you_mean(name, known)}")
    return name


TimeZone = Annotated[str, AfterValidator(_known_zone)]
Duplicates = Annotated[
    Literal["drop", "fault"],
    Field(description="what becomes of exact copies: drop (one is kept, the others are counted) or fault"),
]
MaxPosition = Annotated[int, Field(ge=1, le=1_000_000, description="deepest place that a page can have")]


class ClickLogOptions(StrictModel):
    """Options of every reader whose log may name corpora and times."""

    corpus: str = Field(default="main", min_length=1, description="corpus of rows that name none")
    time_zone: TimeZone = Field(default="UTC", description="zone of times that do not say theirs, as Europe/Paris")


_REASONS: dict[Kind, str] = {
    "id": "unreadable_id",
    "position": "unreadable_position",
    "flag": "unreadable_clicked",
    "time": "unreadable_shown_at",
}
_READ = "read "
MAX_ROW_CHARS = 4_000
"""Characters of a faulty row that are kept."""
_WHO = (USER, ADDRESS, "client_id")
"""Columns that say who searched: they are in no text of a row."""
_NAMING = ("session_id", "client_id", "serp_id", "query_id", "user_id", "address")
"""Ids that join records: one that says nothing counts as missing, or it would join those of strangers."""


def as_corpus(value: Column, default: str) -> Column:
    """Read the name of a corpus; rows that name none, or a blank one, belong to the default.

    Args:
        value: Text.
        default: Name of the corpus of those rows.
    """
    return F.when(is_blank(value), default).otherwise(value)


def cast_columns(
    rows: DataFrame,
    columns: Columns,
    *,
    time_zone: str = "UTC",
    max_position: int = MAX_POSITION,
    harmless: tuple[str, ...] = (),
) -> DataFrame:
    """Read each column as the kind that it is; arrays value by value.

    Args:
        rows: What `columns.map_columns` returned.
        columns: Whose kinds count.
        time_zone: Zone of times that do not say theirs.
        max_position: Deepest place that a page can have.
        harmless: Columns whose unreadable values make no fault of a row.

    Returns:
        The same rows: each column as its kind, null where nothing or something unreadable stands; `row_fault`, a reason
        of `faults.REASONS` or null; for each harmless column `bad_<name>`, whether it is unreadable; and of rows with
        a fault `faults.ROW`, what they hold, as JSON without who searched, and `faults.FILE`, where they stand.
    """

    def read(name: str, value: Column, type_name: str) -> Column:
        kind = kind_of(columns, name)
        if kind == "time":
            return as_time(value, type_name, time_zone=time_zone)
        if kind == "position":
            return as_position(value, type_name, max_position=max_position)
        return (as_flag if kind == "flag" else as_id)(value, type_name)

    # In two steps, so that no cast is computed twice: Spark keeps projections apart where it would be.
    types = dict(rows.dtypes)
    both = rows.select(
        "*", *(_each(F.col(name), types[name], partial(read, name)).alias(_READ + name) for name in types)
    )
    bad = {name: _is_unreadable(F.col(name), types[name], F.col(_READ + name)) for name in types}
    judged = both.withColumn(
        "row_fault", _row_fault({name: is_bad for name, is_bad in bad.items() if name not in harmless}, columns)
    )
    return judged.select(
        *(_without_nobody(F.col(_READ + name), name).alias(name) for name in types),
        "row_fault",
        *(bad[name].alias(f"bad_{name}") for name in harmless),
        *_evidence(types, F.col("row_fault").isNotNull() | _lacks_id(columns)),
    )


def _lacks_id(columns: Columns) -> Column:
    """Tell which rows say of no page that they are part of it, where each has to."""
    is_needed = "serp_id" in type(columns).model_fields and "serp_id" not in columns.optional
    return _without_nobody(F.col(f"{_READ}serp_id"), "serp_id").isNull() if is_needed else F.lit(False)


def _evidence(types: Mapping[str, str], is_faulty: Column) -> tuple[Column, Column]:
    """Return the text of a faulty row, cut to a length, and the name of its file; both are null for sound rows."""
    shown = [F.col(name) for name in types if name not in _WHO]
    text = F.left(F.to_json(F.struct(*shown)), F.lit(MAX_ROW_CHARS))
    file = F.nullif(F.input_file_name(), F.lit(""))
    return F.when(is_faulty, text).alias(ROW), F.when(is_faulty, file).alias(FILE)


def _without_nobody(value: Column, name: str) -> Column:
    return F.when(~is_nobody(value), value) if name in _NAMING else value


def kind_of(columns: Columns, name: str) -> Kind:
    """Tell what a column means; those of which nothing is said are ids or texts."""
    return columns.kinds.get(name, "id")


def _row_fault(bad: Mapping[str, Column], columns: Columns) -> Column:
    """Name the first kind that has an unreadable value."""
    of_kind = {
        reason: [is_bad for name, is_bad in bad.items() if kind_of(columns, name) == kind]
        for kind, reason in _REASONS.items()
    }
    return first_fault({reason: reduce(or_, found) for reason, found in of_kind.items() if found})


def _each(value: Column, type_name: str, read: Callable[[Column, str], Column]) -> Column:
    element = _element(type_name)
    return F.transform(value, lambda one: read(one, element)) if element else read(value, type_name)


def _is_unreadable(value: Column, type_name: str, read: Column) -> Column:
    element = _element(type_name)
    if not element:
        return is_unreadable(value, type_name, read)
    bad = F.zip_with(value, read, lambda one, its: is_unreadable(one, element, its))
    return F.coalesce(F.array_contains(bad, True), F.lit(False))


def _element(type_name: str) -> str:
    """Return the type of an array's values; empty for plain values."""
    return type_name.removeprefix("array<").removesuffix(">") if type_name.startswith("array<") else ""
