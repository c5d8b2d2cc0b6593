"""The features stage: judgments to feature rows."""

from __future__ import annotations

from kedro.pipeline import Pipeline, node, pipeline

from rankhammer.pipelines.features import nodes


def create_pipeline() -> Pipeline:
    """Compute the feature set for every judged pair, and report what the values look like."""
    return pipeline(
        [
            node(
                nodes.collect_features,
                inputs=["judgments", "documents", "params:features", "params:feature_set"],
                outputs=["feature_rows", "features_failures", "features_missing"],
                name="collect_features",
            ),
            node(
                nodes.report_features,
                inputs=["feature_rows", "features_failures", "features_missing", "params:feature_set"],
                outputs=["features_report", "feature_distributions"],
                name="report_features",
            ),
        ]
    )
