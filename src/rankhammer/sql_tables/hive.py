"""Statements that make tables of Hive for folders of Parquet files; what is asked for by name is never away."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rankhammer.digests import hex_digest
from rankhammer.errors import ConfigError, DataError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rankhammer.sql_tables.glue import CatalogEntry

_PLAIN_URI = re.compile(r"[\w.~:/@+=,%-]+")
_HEAD = """\
-- Tables of rankhammer, for Hive's metastore: beeline -f, spark-sql -f. Run it again after a run.
-- A view has each table's name; it goes over to the new table in one step, and none is dropped first.
"""


def statements(database: str, entries: Sequence[CatalogEntry]) -> str:
    """Write the statements, each with a semicolon at its end; the same tables give the same text.

    Hive cannot change columns, folder and partitions of a table in one step, but it can replace a view. So a table is
    called by what it is (`evaluation__0f3c...`), and a view `evaluation` reads the newest.

    Args:
        database: Is made where it is not there.
        entries: Its tables.

    Raises:
        ConfigError: A folder's name cannot stand in a statement.
        DataError: There is no table.
    """
    if not entries:
        raise DataError("No table is finished.", hint="Run the stages first; `rankhammer handoffs` lists the tables.")
    made = [f"CREATE DATABASE IF NOT EXISTS `{database}`;", *(_made(database, entry) for entry in entries)]
    return "\n\n".join([_HEAD, *made]) + "\n"


def _made(database: str, entry: CatalogEntry) -> str:
    shape = repr((entry.location, list(entry.columns.items()), sorted(entry.partitions.items())))
    table = f"`{database}`.`{entry.name}__{hex_digest(shape, 12)}`"
    return "\n".join(
        [*_table(table, entry), f"CREATE OR REPLACE VIEW `{database}`.`{entry.name}` AS SELECT * FROM {table};"]
    )


def _table(table: str, entry: CatalogEntry) -> Iterator[str]:
    yield f"CREATE EXTERNAL TABLE IF NOT EXISTS {table} ("
    yield ",\n".join(f"  {_quoted(name)} {kind}" for name, kind in entry.columns.items())
    split = ", ".join(f"{_quoted(name)} string" for name in entry.partitions)
    yield f") PARTITIONED BY ({split})" if split else ")"
    yield f"STORED AS PARQUET LOCATION '{location(entry.location)}';"
    if split:
        yield f"MSCK REPAIR TABLE {table};"


def _quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def location(path: str) -> str:
    """Return a folder's URI as Hive reads it: one without a scheme is of the machine on which statements are run.

    Raises:
        ConfigError: It has signs that end a text or a statement.
    """
    uri = path if "://" in path else f"file://{path}"
    if not _PLAIN_URI.fullmatch(uri):
        hint = "Use letters, digits and . _ - = in names of folders."
        raise ConfigError(f"{path!r} cannot stand in a statement of Hive.", hint=hint)
    return uri.rstrip("/")
