"""Tables that a project's own jobs write: what tables.yml says of them, and the statement that reads one."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from rankhammer.dashboard.results import TableFiles
from rankhammer.sql_tables.column_types import quoted
from rankhammer.sql_tables.folders import finished
from rankhammer.storage.base import LocalStorage

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rankhammer.sql_tables.settings import TablesSettings

PREFIX = "declared."
"""Before the name of such a table where it stands among the places of datasets."""
MOST_ROWS = 5000


@dataclass(frozen=True)
class DeclaredPage:
    """A page of a table.

    Args:
        name: Of the table.
        title: Of the page.
        columns: Their names, in order.
        order_by: Columns by which rows are shown.
        plot: Fields of `sql_tables.settings.PlotSettings`; None: nothing is drawn.
    """

    name: str
    title: str
    columns: Sequence[str]
    order_by: Sequence[str] = ()
    plot: Mapping[str, Any] | None = None

    @property
    def statement(self) -> str:
        """The one statement that reads it."""
        order = ", ".join(map(quoted, self.order_by)) or "ALL"
        chosen = ", ".join(map(quoted, self.columns))
        # Columns may stand in folders' names.
        files = "read_parquet($files, hive_partitioning = true, hive_types_autocast = false, union_by_name = true)"
        return f"SELECT {chosen} FROM {files} ORDER BY {order} LIMIT {MOST_ROWS + 1}"


def pages(settings: TablesSettings) -> list[dict[str, Any]]:
    """Return what the process that serves has to know of tables, by values that JSON has."""
    return [
        asdict(
            DeclaredPage(
                name,
                table.title or name,
                list(table.columns),
                list(table.order_by),
                table.plot.model_dump() if table.plot else None,
            )
        )
        for name, table in settings.declared.items()
    ]


def files_of(folder: str) -> TableFiles:
    """Find the files of a table; none of one that is not finished.

    Args:
        folder: On this machine.
    """
    found = finished(LocalStorage(), folder)
    if found is None:
        return TableFiles(fault="No job has written this table, or one is writing it just now.")
    return TableFiles(tuple(f"{folder}/{name}" for name in found.files), f"{folder} {found.version}")
