"""The types that Spark's reader gives to the columns of JSON objects, found without Spark."""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pyspark.sql.types import DataType, StructType


def json_schema(rows: Iterable[Mapping[str, Any]]) -> StructType:
    """Return the types that Spark would find in JSON objects.

    Args:
        rows: Objects; a key that only some of them have is a column, too.
    """
    from pyspark.sql.types import StructField, StructType

    kinds: dict[str, DataType] = {}
    for row in rows:
        for name, value in row.items():
            kind = _json_type(value)
            kinds[name] = _both(kinds[name], kind) if name in kinds else kind
    return StructType([StructField(name, kind) for name, kind in kinds.items()])


def _json_type(value: Any) -> DataType:
    from pyspark.sql import types

    if value is None:
        return types.NullType()
    if isinstance(value, bool):
        return types.BooleanType()
    if isinstance(value, int):
        return types.LongType()
    if isinstance(value, float):
        return types.DoubleType()
    if isinstance(value, dict):
        return json_schema([value])
    if isinstance(value, list):
        return types.ArrayType(reduce(_both, map(_json_type, value), cast("DataType", types.NullType())))
    return types.StringType()


def _both(one: DataType, other: DataType) -> DataType:
    """Return the type that holds both, as Spark's reader of JSON has it; text where nothing else does."""
    from pyspark.sql import types

    if one == other or isinstance(other, types.NullType):
        return one
    if isinstance(one, types.NullType):
        return other
    if isinstance(one, types.StructType) and isinstance(other, types.StructType):
        names = dict.fromkeys([*one.names, *other.names])
        pairs = {name: [struct[name].dataType for struct in (one, other) if name in struct.names] for name in names}
        return types.StructType([types.StructField(name, reduce(_both, kinds)) for name, kinds in pairs.items()])
    if isinstance(one, types.ArrayType) and isinstance(other, types.ArrayType):
        return types.ArrayType(_both(one.elementType, other.elementType))
    if {type(one), type(other)} == {types.LongType, types.DoubleType}:
        return types.DoubleType()
    return types.StringType()
