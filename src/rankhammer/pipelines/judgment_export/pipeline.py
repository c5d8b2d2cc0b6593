"""The judgment export: judgments to the files that tools for search quality load."""

from __future__ import annotations

from kedro.pipeline import Pipeline, node, pipeline

from rankhammer.pipelines.judgment_export import nodes


def create_pipeline() -> Pipeline:
    """Write the graded judgments for other tools."""
    return pipeline(
        [
            node(
                nodes.export_judgments,
                inputs=["judgments", "params:judgment_export"],
                outputs="exported_judgments",
                name="export_judgments",
            )
        ]
    )
