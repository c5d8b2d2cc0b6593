"""Metrics of experiments over steps: a plot a metric, with a line for each instance that logged it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rankhammer.dashboard.charts import Plot, Series
from rankhammer.dashboard.shapes import mapping, number, sequence, text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rankhammer.dashboard.results import Report

MOST = 20
"""Experiments, metrics of each, and lines of a plot that are shown."""


def view(report: Report) -> dict[str, Any]:
    """Describe experiments, the newest first.

    Args:
        report: `experiment_metrics`.
    """
    found = mapping(report.content.get("experiments"))
    shown = [_experiment(name, mapping(of)) for name, of in found.items()]
    newest = sorted(shown, key=lambda one: (one["ended"] or 0.0, one["name"]), reverse=True)
    return {"fault": report.fault, "experiments": newest[:MOST]}


def _experiment(name: str, facts: Mapping[str, Any]) -> dict[str, Any]:
    metrics = mapping(facts.get("metrics"))
    plots = [_plot(metric, mapping(of)) for metric, of in list(metrics.items())[:MOST]]
    return {
        "name": name,
        "ended": number(facts.get("time")),
        **{key: text(facts.get(key)) for key in ("state", "function", "message")},
        "plots": [plot for plot in plots if plot.series],
    }


def _plot(metric: str, instances: Mapping[str, Any]) -> Plot:
    series = [Series(name, _points(of)) for name, of in list(instances.items())[:MOST]]
    return Plot(f"{metric} by step", "step", metric, [one for one in series if one.points])


def _points(found: object) -> dict[float, float]:
    pairs = [[number(value) for value in sequence(pair)[:2]] for pair in sequence(found)]
    return {pair[0]: pair[1] for pair in pairs if len(pair) == 2 and pair[0] is not None and pair[1] is not None}
