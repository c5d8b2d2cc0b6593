"""The catalog's `validator` of a table that comes from outside."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rankhammer.datasets.table_validator import known_table
from rankhammer.errors import SchemaError, did_you_mean
from rankhammer.schemas import NUMBER_TYPES

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_NESTED = ("array", "map", "struct", "binary")


class InputValidator:
    """Gives an input the types of one of our tables: a doc_id may be a number, a grade a long one; reads no row.

    Args:
        table: Name of a table in `rankhammer.schemas`; the input's entry in globals.yml has the same name.

    Raises:
        ConfigError: No table has that name.
    """

    def __init__(self, table: str) -> None:
        self._table = known_table(table)

    def validate(self, data: DataFrame | None) -> DataFrame | None:
        """Cast the table's columns; every other one is kept, and so is an optional input that is not given.

        Raises:
            SchemaError: A column is missing, or its type cannot stand for the table's.
        """
        if data is None:
            return None
        found = dict(data.dtypes)
        for column, expected in self._table.columns.items():
            self._require(found, column, expected)
        types = self._table.columns.items()
        return data.withColumns({column: data[f"`{column}`"].cast(expected) for column, expected in types})

    def _require(self, found: dict[str, str], column: str, expected: str) -> None:
        table = self._table.name
        if column not in found:
            raise SchemaError(
                f"Input {table!r}: column {column!r} is missing; found {sorted(found)}.",
                hint=f"{did_you_mean(column, found)} Map it in conf/<env>/globals.yml, {table}.columns.",
                column=column,
            )
        if not _can_become(found[column], expected):
            raise SchemaError(
                f"Input {table!r}: column {column!r} has type {found[column]}, expected {expected}.",
                hint=f"Map another column in conf/<env>/globals.yml, {table}.columns; for CSV set "
                "load_args: {header: true, inferSchema: true}.",
                column=column,
            )


def _can_become(found: str, expected: str) -> bool:
    """Say whether a cast keeps what the input means: any plain value as text, a number as another kind of number."""
    if expected == "string":
        return not found.startswith(_NESTED)
    return found == expected or (found.startswith(NUMBER_TYPES) and expected in NUMBER_TYPES)
