"""The catalog's `validator` of a hand-off."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rankhammer import schemas
from rankhammer.errors import ConfigError, did_you_mean

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

TABLES = {table.name: table for table in vars(schemas).values() if isinstance(table, schemas.Table)}


def known_table(name: str) -> schemas.Table:
    """Find a table of `rankhammer.schemas` by its name.

    Raises:
        ConfigError: No table has that name.
    """
    if name not in TABLES:
        raise ConfigError(f"Unknown table {name!r}.", hint=did_you_mean(name, TABLES))
    return TABLES[name]


class TableValidator:
    """Checks a table's columns, types and order; reads no row.

    Args:
        table: Name of a table in `rankhammer.schemas`.

    Raises:
        ConfigError: No table has that name.
    """

    def __init__(self, table: str) -> None:
        self._table = known_table(table)

    def validate(self, data: DataFrame) -> DataFrame:
        """Pass the table through unchanged.

        Raises:
            SchemaError: A column is missing, superfluous, out of order, or has another type.
        """
        return self._table.check(data)
