"""Nodes of the query report."""

from __future__ import annotations

from typing import Any

# Kedro resolves every annotation of a node at run time.
from plotly.graph_objects import Figure  # noqa: TC002
from pyspark.sql import DataFrame  # noqa: TC002

from rankhammer.evaluation import compared_queries
from rankhammer.pipelines.query_report import figures
from rankhammer.pipelines.query_report.params import QueryReportParams  # noqa: TC001
from rankhammer.training import rescoring


def report_queries(
    evaluation: DataFrame,
    training_matrix: DataFrame,
    ranker: dict[str, bytes],
    verdicts: dict[str, bytes],
    documents: DataFrame | None,
    params: QueryReportParams,
) -> tuple[dict[str, Any], Figure]:
    """Put the queries that lose and gain most side by side with what they were ordered by before."""
    measured = compared_queries.read_measured(verdicts, params.against)
    found = compared_queries.compare_queries(
        evaluation,
        training_matrix,
        ranker=ranker,
        measured=measured,
        documents=documents,
        choice=params.choice(),
        score=rescoring.scorer(ranker),
    )
    return compared_queries.as_report(found, measured), figures.gains_figure(found, measured)
