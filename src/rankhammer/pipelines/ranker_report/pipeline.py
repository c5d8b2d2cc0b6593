"""The ranker report: on which queries a ranker is better, why it orders as it does, and what would make it better."""

from __future__ import annotations

from kedro.pipeline import Pipeline, node, pipeline

from rankhammer.pipelines.ranker_report import nodes

PARAMS, SEED = "params:ranker_report", "params:random_state"


def create_pipeline() -> Pipeline:
    """Compare segments, explain rankers, measure sizes, and estimate from clicks."""
    return pipeline(
        [
            node(
                nodes.report_segments,
                inputs=["evaluation", "training_rows", "verdicts", PARAMS, SEED],
                outputs=["segment_comparison", "segment_gains"],
                name="report_segments",
            ),
            node(
                nodes.explain_rankers,
                inputs=["training_matrix", "ranker", PARAMS, SEED],
                outputs=["ranker_explanations", "shap_importance", "partial_dependence"],
                name="explain_rankers",
            ),
            node(
                nodes.describe_features,
                inputs=["training_matrix", PARAMS],
                outputs="feature_facts",
                name="describe_features",
            ),
            node(
                nodes.measure_sizes,
                inputs=["training_matrix", "verdicts", PARAMS, SEED],
                outputs=["learning_curves", "learning_curve_plot", "capacity_sweep"],
                name="measure_sizes",
            ),
            node(
                nodes.estimate_off_policy,
                inputs=["training_rows", "ranker", PARAMS, SEED],
                outputs="off_policy_estimates",
                name="estimate_off_policy",
            ),
        ]
    )
