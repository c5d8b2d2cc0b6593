"""Questions in SQL to tables of Parquet files, by DuckDB, which opens these files and changes nothing."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from rankhammer.errors import ConfigError, DataError
from rankhammer.sql_tables.column_types import DUCKDB, columns, quoted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_BATCH = 1000


@dataclass(frozen=True)
class ParquetTable:
    """A finished table.

    Args:
        files: Paths on this machine; none of a table without rows.
        schema: Spark's JSON of its columns, with those of partitions; None where nobody wrote it down.
        has_partitions: Whether columns stand in the folders' names.
    """

    files: tuple[str, ...]
    schema: bytes | None = None
    has_partitions: bool = False


@dataclass(frozen=True)
class Answer:
    """Rows that come as they are asked for.

    Args:
        columns: Their names, in order.
        rows: Each as long as `columns`.
    """

    columns: Sequence[str]
    rows: Iterator[tuple[Any, ...]]


def require_duckdb() -> None:
    """Refuse to start without DuckDB.

    Raises:
        ConfigError: It is not installed.
    """
    if find_spec("duckdb") is None:
        raise ConfigError("SQL on this machine needs duckdb.", hint="pip install 'rankhammer[dashboard]'")


def mentions(statement: str, names: Sequence[str]) -> list[str]:
    """Choose the tables that a statement may mean: those whose names stand in it.

    Args:
        statement: SQL.
        names: Of all tables.
    """
    words = {word.lower() for word in re.findall(r"\w+", statement)}
    return [name for name in names if name.lower() in words]


def ask(statement: str, tables: Mapping[str, ParquetTable], *, known: Sequence[str] = ()) -> Answer:
    """Run one statement that reads.

    Args:
        statement: SQL of DuckDB.
        tables: Name to table.
        known: Names of all tables that there are, for the hint of an error.

    Raises:
        ConfigError: It is no statement, more than one, or one that would change something.
        DataError: A file is not as it has to be.
    """
    import duckdb

    hint = f"Tables: {', '.join(known or tables) or 'none is finished'}. `rankhammer sql` lists their columns."
    connection = duckdb.connect(
        ":memory:", config={"python_enable_replacements": False, "autoload_known_extensions": False}
    )
    try:
        _lock(connection, tables)
        _require_reading(connection, statement, hint)
        found = connection.execute(statement)
        names = [column[0] for column in found.description or ()]
    except (duckdb.IOException, duckdb.InvalidInputException) as exc:
        raise DataError(f"A table cannot be read: {_first(exc)}", hint="`rankhammer handoffs --verify`") from exc
    except duckdb.Error as exc:
        raise ConfigError(_first(exc), hint=hint) from exc
    return Answer(names, _rows(found))


def describe(table: ParquetTable) -> dict[str, str]:
    """Return a table's columns, with the types of DuckDB."""
    found = ask("DESCRIBE it", {"it": table})
    return {str(row[0]): str(row[1]).lower() for row in found.rows}


def _lock(connection: Any, tables: Mapping[str, ParquetTable]) -> None:
    """Make a view a table, and let nothing else be opened, and no setting be changed back."""
    files = sorted({file for table in tables.values() for file in table.files})
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET allowed_paths = $files", {"files": files})
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    for name, table in tables.items():
        connection.execute(f"CREATE VIEW {quoted(name)} AS {_select(table)}")


def _select(table: ParquetTable) -> str:
    known = columns(table.schema, DUCKDB) if table.schema is not None else {}
    if not table.files:
        empty = ", ".join(f"CAST(NULL AS {kind}) AS {quoted(name)}" for name, kind in known.items())
        return f"SELECT {empty or 'NULL AS nothing'} WHERE false"
    files = ", ".join("'" + file.replace("'", "''") + "'" for file in table.files)
    # Spark puts partitions last, and knows no other type of theirs here than text.
    by_folder = "true, hive_types_autocast = false" if table.has_partitions else "false"
    return (
        f"SELECT {', '.join(map(quoted, known)) or '*'} FROM read_parquet([{files}], hive_partitioning = {by_folder})"
    )


def _require_reading(connection: Any, statement: str, hint: str) -> None:
    import duckdb

    reading = {duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN}
    found = connection.extract_statements(statement)
    if len(found) != 1:
        raise ConfigError(f"One statement is expected, and {len(found)} were found.", hint=hint)
    if found[0].type not in reading:
        raise ConfigError(f"Only statements that read are run, and this is {found[0].type.name}.", hint=hint)


def _rows(found: Any) -> Iterator[tuple[Any, ...]]:
    import duckdb

    try:
        while batch := found.fetchmany(_BATCH):
            yield from batch
    except duckdb.Error as exc:
        raise DataError(f"The answer stops here: {_first(exc)}", hint="Correct the statement.") from exc


def _first(error: BaseException) -> str:
    """Return what DuckDB says, without the picture of the place."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__).rstrip(".") + "."
