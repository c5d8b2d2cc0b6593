"""Find a format's columns in a user's table, under the names that the user gave them."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import BaseModel, ConfigDict
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, DataType, MapType, StructType

from rankhammer.errors import SchemaError, did_you_mean

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame


class Columns(BaseModel):
    """Our name of each column to the user's; a dot steps into a struct."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    optional: ClassVar[frozenset[str]] = frozenset()
    """Those that a log may do without, unless the user names them."""

    arrays: ClassVar[frozenset[str]] = frozenset()
    """Those that hold one value a document; all others hold one value a row."""


def map_columns(raw: DataFrame, columns: Columns) -> DataFrame:
    """Give a user's columns our names, types unchanged.

    Args:
        raw: The log as it was loaded.
        columns: Where each of our columns is found.

    Returns:
        The same rows with exactly our columns; an optional one that does not exist is a null string
        (or a null array of strings).

    Raises:
        SchemaError: A needed column is missing, or holds an array where a plain value is needed, or the reverse.
    """
    return raw.select(*(_one_column(raw, columns, name).alias(name) for name in type(columns).model_fields))


def has_column(raw: DataFrame, columns: Columns, name: str) -> bool:
    """Tell whether a log has one of our columns."""
    return _find(raw.schema, getattr(columns, name)) is not None


def _one_column(raw: DataFrame, columns: Columns, name: str) -> Column:
    path = getattr(columns, name)
    found = _find(raw.schema, path)
    if found is None:
        if name in columns.optional and name not in columns.model_fields_set:
            return F.lit(None).cast("array<string>" if name in columns.arrays else "string")
        raise _missing(raw, name, path)
    _check_shape(name, path, found, is_array=name in columns.arrays)
    return raw[_quoted(raw.schema, path)]


def _find(schema: StructType, path: str) -> DataType | None:
    """Look a column up by its whole name, then as a path into structs."""
    if path in schema.names:
        return schema[path].dataType
    head, _, rest = path.partition(".")
    if not rest or head not in schema.names:
        return None
    inner = schema[head].dataType
    return _find(inner, rest) if isinstance(inner, StructType) else None


def _quoted(schema: StructType, path: str) -> str:
    parts = [path] if path in schema.names else path.split(".")
    return ".".join(f"`{part}`" for part in parts)


def _check_shape(name: str, path: str, found: DataType, *, is_array: bool) -> None:
    element = found.elementType if is_array and isinstance(found, ArrayType) else found
    if isinstance(found, ArrayType) == is_array and not isinstance(element, (ArrayType, MapType, StructType)):
        return
    expected = "an array of plain values" if is_array else "one plain value (text, number, true/false or time)"
    raise SchemaError(
        f"The click log's column {path!r}, read as {name!r}, has type {found.simpleString()}; expected {expected}.",
        hint=_mapping_hint(name),
        column=name,
        path=path,
        type=found.simpleString(),
    )


def _missing(raw: DataFrame, name: str, path: str) -> SchemaError:
    what = f"column {name!r}" if name == path else f"column {path!r}, to be read as {name!r}"
    return SchemaError(
        f"The click log has no {what}; found {sorted(raw.columns)}.",
        hint=f"{_mapping_hint(name)} {did_you_mean(path, raw.columns)}",
        column=name,
        path=path,
        found=sorted(raw.columns),
    )


def _mapping_hint(name: str) -> str:
    return f"Say in conf/<env>/globals.yml which column it is: click_log.options.columns.{name}: <your column>."
