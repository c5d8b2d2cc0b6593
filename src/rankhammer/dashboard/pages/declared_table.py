"""A table that a project's own job has written: its rows, and the plot that tables.yml asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rankhammer.dashboard.charts import BOTH, Plot, Series
from rankhammer.dashboard.declared import MOST_ROWS
from rankhammer.dashboard.shapes import number

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rankhammer.dashboard.declared import DeclaredPage
    from rankhammer.dashboard.results import TableFiles
    from rankhammer.dashboard.tables import Tables

MOST_LISTED, MOST_SERIES = 200, 8


def view(page: DeclaredPage, table: TableFiles, tables: Tables) -> dict[str, Any]:
    """Describe a table.

    Args:
        page: What tables.yml says of it.
        table: Its files.
        tables: To ask.
    """
    rows = [] if table.fault else tables.read(page.statement, table)
    is_cut = len(rows) > MOST_ROWS
    rows = rows[:MOST_ROWS]
    return {
        "fault": table.fault,
        "columns": page.columns,
        "rows": [[row[name] for name in page.columns] for row in rows[:MOST_LISTED]],
        "n_rows": f"more than {MOST_ROWS:,}" if is_cut else f"{len(rows):,}",
        "plot": _plot(page, rows),
    }


def _plot(page: DeclaredPage, rows: Sequence[Mapping[str, Any]]) -> Plot | None:
    asked = page.plot
    if asked is None:
        return None
    x, y, by = asked["x"], asked["y"], asked.get("by")
    series: dict[str, dict[float, float]] = {}
    for row in rows:
        across, up = number(row[x]), number(row[y])
        if across is not None and up is not None:
            series.setdefault(str(row[by]) if by else page.title, {})[across] = up
    drawn = [Series(name, points, mode=BOTH) for name, points in sorted(series.items())[:MOST_SERIES]]
    title = asked.get("title") or page.title
    return Plot(title, asked.get("x_label") or x, asked.get("y_label") or y, drawn) if drawn else None
