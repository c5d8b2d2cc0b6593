"""Nodes of the experiment report."""

from __future__ import annotations

from typing import Any

from plotly.graph_objects import Figure  # noqa: TC002 - Kedro asks for the types of a node's values

from rankhammer.experiments.metrics_table import plot
from rankhammer.pipelines.experiment_report.params import ExperimentReportParams  # noqa: TC001


def draw_metrics(experiment_metrics: dict[str, Any], params: ExperimentReportParams) -> Figure:
    """Draw the metrics of the newest experiment over steps, and let each older one be chosen.

    Args:
        experiment_metrics: Of the newest experiments, as an experiment leaves them when it ends.
        params: How many are drawn.
    """
    found = sorted(experiment_metrics["experiments"].items(), key=lambda item: item[1]["time"], reverse=True)
    found = found[: params.n_experiments]
    rows = [
        {"instance": f"{instance}, {name}" if number else instance, "metric": metric, "step": step, "value": value}
        for number, (name, of) in enumerate(found)
        for metric, instances in of["metrics"].items()
        for instance, points in instances.items()
        for step, value in points
    ]
    figure = plot(rows, f"Metrics of {found[0][0]}" if found else "No experiment has logged anything")
    # Those of older experiments are in the legend, and drawn when they are chosen there.
    figure.for_each_trace(lambda trace: trace.update(visible="legendonly") if ", " in trace.name else None)
    return figure
