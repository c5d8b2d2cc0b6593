"""The labeling stage: result pages to judgments."""

from __future__ import annotations

from kedro.pipeline import Pipeline, node, pipeline

from rankhammer.pipelines.labeling import nodes


def create_pipeline() -> Pipeline:
    """Fit a click model, judge every shown document by it, and report how well it foresees clicks."""
    return pipeline(
        [
            node(
                nodes.label,
                inputs=["serps", "params:labeling"],
                outputs=["judgments", "labeling_failures", "fitted_click_model"],
                name="label",
            ),
            node(
                nodes.report_labeling,
                inputs=[
                    "serps",
                    "judgments",
                    "labeling_failures",
                    "fitted_click_model",
                    "params:labeling",
                    "params:random_state",
                ],
                outputs=["labeling_report", "label_histogram", "click_model_fit"],
                name="report_labeling",
            ),
        ]
    )
