"""What runs cost: core-hours and time, of all runs, and of one by stage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rankhammer.dashboard.charts import Plot, Series
from rankhammer.dashboard.pages.run import stage_bars
from rankhammer.dashboard.pages.runs import MOST_DRAWN, seconds
from rankhammer.dashboard.shapes import mapping, number

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rankhammer.dashboard.results import Report, Results, RunLine


def view(results: Results) -> dict[str, Any]:
    """Describe what the runs of an environment cost.

    Args:
        results: Of an environment.
    """
    lines = [line for run in results.numbers()[:MOST_DRAWN] if not (line := results.line(run)).fault]
    hours = _plot(lines, "core_hours", "Core-hours of each run", "core-hours held, idle ones too", 1.0)
    minutes = _plot(lines, "total_seconds", "Duration of each run", "minutes from start to end", 60.0)
    known = [value for line in lines if (value := number(line.facts.get("core_hours"))) is not None]
    return {
        "lines": lines[:50],
        "plots": [one for one in (hours, minutes) if one],
        "total": sum(known),
        "n": len(known),
    }


def _plot(lines: Sequence[RunLine], name: str, title: str, y: str, unit: float) -> Plot | None:
    points: dict[float, float] = {}
    for line in lines:
        at, value = seconds(line.facts.get("ended")), number(line.facts.get(name))
        if at is not None and value is not None:
            points[at] = value / unit
    return Plot(title, "end of the run (UTC)", y, [Series("runs", points)], is_time=True) if points else None


def of_run(record: Report) -> dict[str, Any]:
    """Describe what one run cost.

    Args:
        record: Of the history; without a fault.
    """
    content: Mapping[str, Any] = record.content
    names = ("core_hours", "total_seconds", "n_tasks", "n_failed_tasks", "driver_peak_rss_mb")
    facts = {name: number(content.get(name)) for name in names}
    return {"facts": facts, "stages": stage_bars(content), "price": mapping(content.get("cost"))}
