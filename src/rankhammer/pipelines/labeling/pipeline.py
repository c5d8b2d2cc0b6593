"""The labeling stage: result pages to judgments."""

from __future__ import annotations

from kedro.pipeline import Pipeline, node, pipeline

from rankhammer.pipelines.labeling import nodes

PARAMS, HOLDOUT = "params:labeling", "params:holdout"


def create_pipeline() -> Pipeline:
    """Count the log, compare click models, fit the chosen one, judge every shown document by it, and report."""
    return pipeline(
        [
            node(
                nodes.count_serps,
                inputs=["serps", "ingestion_days", "ingested_days", HOLDOUT],
                outputs="counted_serps",
                name="count_serps",
            ),
            node(
                nodes.compare_click_models,
                inputs=["counted_serps", PARAMS, "params:random_state"],
                outputs="click_model_measures",
                name="compare_click_models",
            ),
            node(
                nodes.fit_click_model,
                inputs=["counted_serps", "click_model_measures", "previous_click_model", PARAMS, HOLDOUT],
                outputs=["click_model_parameters", "labeling_failures", "fitted_click_model"],
                name="fit_click_model",
            ),
            node(
                nodes.judge,
                inputs=["click_model_parameters", "fitted_click_model", PARAMS, HOLDOUT],
                outputs="judgments",
                name="judge",
            ),
            node(
                nodes.report_labeling,
                inputs=["judgments", "labeling_failures", "fitted_click_model", "click_model_measures", PARAMS],
                outputs=["labeling_report", "label_histogram", "click_model_fit", "click_model_comparison"],
                name="report_labeling",
            ),
        ]
    )
