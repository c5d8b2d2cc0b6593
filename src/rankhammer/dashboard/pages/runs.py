"""All runs: what their rankers reached over time, and a list."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rankhammer.dashboard.charts import Plot, Series
from rankhammer.dashboard.results import largest
from rankhammer.dashboard.shapes import number, text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rankhammer.dashboard.results import Results, RunLine

PER_PAGE = 50
MOST_DRAWN = 300
MOST_CORPORA = 8


def view(results: Results, page: int) -> dict[str, Any]:
    """Describe the list of runs.

    Args:
        results: Of an environment.
        page: From 1; beyond the last one it is the last.
    """
    numbers = results.numbers()
    n_pages = max(1, -(-len(numbers) // PER_PAGE))
    page = min(max(page, 1), n_pages)
    listed = [results.line(run) for run in numbers[(page - 1) * PER_PAGE : page * PER_PAGE]]
    drawn = [line for run in numbers[:MOST_DRAWN] if not (line := results.line(run)).fault]
    return {
        "lines": listed,
        "page": page,
        "n_pages": n_pages,
        "n_runs": len(numbers),
        "corpora": sorted({corpus for line in listed for corpus in line.headline}),
        "metric": _metric(drawn),
        "plot": metric_plot(drawn),
    }


def _metric(lines: Sequence[RunLine]) -> str:
    return next((text(line.facts["metric"]) for line in lines if line.facts.get("metric")), "")


def metric_plot(lines: Sequence[RunLine]) -> Plot | None:
    """Draw the ranker's metric over time, a line per corpus; None where nothing was measured.

    Args:
        lines: Of the history, the newest first; those that measured another metric than the newest are left out.
    """
    metric = _metric(lines)
    measured = [line for line in lines if line.headline and line.facts.get("metric") == metric]
    corpora = largest({corpus: None for line in measured for corpus in line.headline}, MOST_CORPORA)
    series = [Series(corpus, _over_time(measured, corpus)) for corpus in corpora]
    kept = [one for one in series if one.points]
    title = f"{metric} of each run's ranker, with its interval"
    return Plot(title, "end of the run (UTC)", f"mean {metric} (0 to 1)", kept, is_time=True) if kept else None


def _over_time(lines: Sequence[RunLine], corpus: str) -> Mapping[float, tuple[float, float, float]]:
    found: dict[float, tuple[float, float, float]] = {}
    for line in lines:
        at, reached = seconds(line.facts.get("ended")), line.headline.get(corpus)
        if at is not None and reached is not None:
            found[at] = (reached["mean"], reached["lower"], reached["upper"])
    return found


def seconds(moment: object) -> float | None:
    """Return the seconds since 1970 of a time in ISO 8601; None where it is none."""
    try:
        found = datetime.fromisoformat(text(moment))
    except ValueError:
        return None
    return number((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp())
