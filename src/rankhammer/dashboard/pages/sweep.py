"""A capacity sweep: what each size of a model reaches, which one was chosen, and where it decides what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rankhammer.dashboard.charts import Plot, Series, row_runs
from rankhammer.dashboard.shapes import dig, mapping, number, sequence, text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rankhammer.dashboard.results import Report

MOST_CELLS = 256
N_LEVELS = 8


def view(report: Report) -> dict[str, Any]:
    """Describe sweeps.

    Args:
        report: `model_sweeps`.
    """
    sweeps = mapping(report.content.get("sweeps"))
    return {"fault": report.fault, "sweeps": [_sweep(name, mapping(of)) for name, of in sweeps.items()]}


def of_run(report: Report) -> dict[str, Any]:
    """Describe the sizes of rankers that a run has measured.

    Args:
        report: `learning_curves` of the ranker report.
    """
    metric, parameter = text(report.content.get("metric")), text(report.content.get("parameter"))
    corpora = {name: mapping(of) for name, of in mapping(report.content.get("corpora")).items()}
    about = {"family": f"rankers by {parameter}", "metric": metric, "size_name": parameter}
    sweeps = [
        {**_sweep(name, {**about, "rows": of.get("sizes")}), "curves": _curves(name, of, metric, parameter)}
        for name, of in corpora.items()
    ]
    return {"fault": report.fault, "sweeps": sweeps}


def _curves(name: str, facts: Mapping[str, Any], metric: str, parameter: str) -> Plot | None:
    """Draw what each size reaches on the test queries by the number of queries that it was trained on."""
    points: dict[float, dict[float, float]] = {}
    for row in map(mapping, sequence(facts.get("curves"))):
        value, n, mean = (number(row.get(key)) for key in ("value", "n_queries", "mean"))
        if value is not None and n is not None and mean is not None:
            points.setdefault(value, {})[n] = mean
    series = [Series(f"{parameter} {value:g}", points[value]) for value in sorted(points)]
    title = f"{name}: {metric} on test queries by number of training queries"
    return Plot(title, "training queries", f"mean {metric} (0 to 1)", series) if series else None


def _sweep(name: str, facts: Mapping[str, Any]) -> dict[str, Any]:
    rows = [row for row in map(mapping, sequence(facts.get("rows"))) if number(row.get("mean")) is not None]
    return {
        "name": name,
        "family": text(facts.get("family")),
        "metric": text(facts.get("metric")),
        "held_out": text(facts.get("held_out")),
        "failed": [mapping(one) for one in sequence(facts.get("failed"))][:20],
        "rows": rows,
        "chosen": next((text(row.get("name")) for row in rows if row.get("is_chosen")), ""),
        "plot": _plot(name, facts, rows),
        "curves": None,
        "surfaces": [one for one in map(_surface, sequence(facts.get("surfaces"))) if one["cells"]],
    }


def _plot(name: str, facts: Mapping[str, Any], rows: list[Mapping[str, Any]]) -> Plot | None:
    points: dict[float, tuple[float, float, float]] = {}
    for row in rows:
        size, mean = number(row.get("size")), number(row.get("mean"))
        lower, upper = number(row.get("lower")), number(row.get("upper"))
        if size is not None and mean is not None:
            points[size] = (mean, mean if lower is None else lower, mean if upper is None else upper)
    metric = text(facts.get("metric"))
    series = [Series(text(facts.get("family")) or "size", points)]
    is_log = bool(points) and min(points) > 0 and max(points) / min(points) > MOST_RATIO
    title = f"{name}: {metric} on held-out data by size, with intervals"
    return Plot(title, text(facts.get("size_name")) or "size", metric, series, is_log=is_log) if points else None


MOST_RATIO = 20
"""From this ratio of the largest to the smallest size on, sizes are drawn by their logarithm."""


def _surface(found: object) -> dict[str, Any]:
    facts = mapping(found)
    names = [text(name) for name in sequence(facts.get("names"))][:N_LEVELS]
    grid = [[_level(one, len(names)) for one in sequence(row)[:MOST_CELLS]] for row in sequence(facts.get("levels"))]
    axes = {axis: {part: dig(facts, axis, part) for part in ("name", "low", "high")} for axis in ("x", "y")}
    points = [_point(one, axes, len(names)) for one in sequence(facts.get("points"))[:1000]]
    return {
        "title": text(facts.get("title")),
        # Bands from low to high have shades of one colour; classes have colours.
        "shade": "q" if facts.get("is_ordered") is True else "s",
        "names": names,
        **axes,
        "width": max(map(len, grid), default=0),
        "height": len(grid[:MOST_CELLS]),
        "cells": row_runs(grid[:MOST_CELLS]),
        "points": [one for one in points if one],
    }


def _level(value: object, n: int) -> int:
    found = number(value)
    return min(max(int(found or 0), 0), max(n - 1, 0))


def _point(found: object, axes: Mapping[str, Mapping[str, Any]], n: int) -> dict[str, Any] | None:
    """Return a point's place in percent of the square, from its lower left."""
    values = sequence(found)
    ends = [number(axes[axis][part]) for axis in ("x", "y") for part in ("low", "high")]
    x, y = (number(value) for value in (values[:2] if len(values) == 3 else (None, None)))
    low_x, high_x, low_y, high_y = ends
    if None in (x, y, *ends) or low_x == high_x or low_y == high_y:
        return None
    at_x, at_y = (x - low_x) / (high_x - low_x), (y - low_y) / (high_y - low_y)  # type: ignore[operator]
    return {"x": round(at_x, 4), "y": round(1 - at_y, 4), "level": _level(values[2], n)}
