"""The export stage: trained rankers to the files that engines load."""

from __future__ import annotations

from kedro.pipeline import Pipeline, node, pipeline

from rankhammer.pipelines.export import nodes


def create_pipeline() -> Pipeline:
    """Write and prove the exports, then report them."""
    return pipeline(
        [
            node(
                nodes.export,
                inputs=["ranker", "verdicts", "lineage", "params:export"],
                outputs=["exported_model", "export_failures", "export_held_back"],
                name="export",
            ),
            node(
                nodes.report_export,
                inputs=["exported_model", "export_failures", "export_held_back"],
                outputs="export_report",
                name="report_export",
            ),
        ],
        tags="export",
    )
