"""The experiment report: metrics of the newest experiments, drawn for kedro-viz."""

from __future__ import annotations

from kedro.pipeline import Pipeline, node, pipeline

from rankhammer.pipelines.experiment_report import nodes


def create_pipeline() -> Pipeline:
    """Draw what experiments have logged."""
    return pipeline(
        [
            node(
                nodes.draw_metrics,
                inputs=["experiment_metrics", "params:experiment_report"],
                outputs="experiment_curves",
                name="draw_metrics",
            )
        ]
    )
