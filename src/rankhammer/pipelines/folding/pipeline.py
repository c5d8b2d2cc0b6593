"""The folding stage: feature rows to training rows."""

from __future__ import annotations

from kedro.pipeline import Pipeline, node, pipeline

from rankhammer import corpora
from rankhammer.pipelines.folding import nodes


def create_pipeline() -> Pipeline:
    """Divide the rows into a test split and folds, and report their balance."""
    return pipeline(
        [
            node(
                nodes.fold,
                inputs=["feature_rows", "params:folding", "params:random_state", corpora.PARAMETER, "params:holdout"],
                outputs=["training_rows", "folding_failures"],
                name="fold",
            ),
            node(
                nodes.report_folding,
                inputs=["training_rows", "folding_failures"],
                outputs=["folding_report", "fold_balance"],
                name="report_folding",
            ),
        ]
    )
