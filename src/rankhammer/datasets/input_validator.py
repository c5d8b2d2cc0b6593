"""The catalog's `validator` of a table that comes from outside."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rankhammer.datasets.table_validator import known_table
from rankhammer.errors import SchemaError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pyspark.sql import DataFrame

    from rankhammer.casts import Kind

_KINDS: dict[str, Kind] = {"string": "id", "int": "grade", "double": "number"}
_DEFAULTS = {"corpus": "main"}
_MAY_BE_MISSING = ("corpus", "grade")


class InputValidator:
    """Reads an input's columns as one of our tables has them, by the strict casts of `rankhammer.casts`; reads no row.

    Args:
        table: Name of a table in `rankhammer.schemas`; the input's entry in globals.yml has the same name.

    Raises:
        ConfigError: No table has that name.
    """

    def __init__(self, table: str) -> None:
        self._table = known_table(table)

    def validate(self, data: DataFrame | None) -> DataFrame | None:
        """Cast the table's columns; every other one is kept, and so is an optional input that is not given.

        Returns:
            The input with the table's types and `casts.FAULT`, which says why a row is set aside.

        Raises:
            SchemaError: A column is missing, or its type cannot stand for the table's.
        """
        if data is None:
            return None
        from pyspark.sql import functions as F

        from rankhammer.casts import read_columns

        found = dict(data.dtypes)
        kinds = self._kinds
        for column, kind in kinds.items():
            self._require(found, column, kind)
        read = read_columns(data, kinds, may_be_missing=_MAY_BE_MISSING)
        names = {name: F.coalesce(name, F.lit(value)) for name, value in _DEFAULTS.items() if name in kinds}
        return read.withColumns(names)

    def faults(self, found: dict[str, str]) -> Iterator[SchemaError]:
        """Yield what `validate` would refuse, without a table.

        Args:
            found: Column, by our names, to Spark's simple name of its type.
        """
        for column, kind in self._kinds.items():
            try:
                self._require(found, column, kind)
            except SchemaError as error:
                yield error

    @property
    def _kinds(self) -> dict[str, Kind]:
        return {column: _KINDS[expected] for column, expected in self._table.columns.items()}

    def _require(self, found: dict[str, str], column: str, kind: Kind) -> None:
        from rankhammer.casts import EXPECTED, accepts

        table = self._table.name
        if column not in found:
            raise SchemaError(
                f"Input {table!r}: column {column!r} is missing; found {sorted(found)}.",
                hint=f"{did_you_mean(column, found)} Map it in conf/<env>/globals.yml, {table}.columns.",
                column=column,
            )
        if not accepts(kind, found[column]):
            raise SchemaError(
                f"Input {table!r}: column {column!r} has type {found[column]}, expected {EXPECTED[kind]}.",
                hint=f"Map another column in conf/<env>/globals.yml, {table}.columns.",
                column=column,
            )
