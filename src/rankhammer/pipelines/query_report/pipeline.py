"""The query report: which test queries gain and lose, and why."""

from __future__ import annotations

from kedro.pipeline import Pipeline, node, pipeline

from rankhammer.pipelines.query_report import nodes


def create_pipeline() -> Pipeline:
    """Show the queries that gain and lose most."""
    return pipeline(
        [
            node(
                nodes.report_queries,
                inputs=[
                    *("evaluation", "training_matrix", "ranker", "verdicts", "documents"),
                    "params:query_report",
                ],
                outputs=["query_comparison", "query_gains"],
                name="report_queries",
            )
        ]
    )
