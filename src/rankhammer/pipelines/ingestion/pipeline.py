"""The ingestion stage: a raw click log to result pages."""

from __future__ import annotations

from kedro.pipeline import Pipeline, node, pipeline

from rankhammer import corpora
from rankhammer.pipelines.ingestion import nodes


def create_pipeline() -> Pipeline:
    """Read, check and normalise the click log, and report what it holds."""
    return pipeline(
        [
            node(
                nodes.ingest,
                inputs=[
                    "click_log",
                    "params:ingestion",
                    "params:language",
                    corpora.PARAMETER,
                    "ingested_days",
                    "result_lists",
                ],
                outputs=["serps", "quarantine", "ingestion_failures", "ingestion_faults", "ingestion_days"],
                name="ingest",
            ),
            node(
                nodes.report_ingestion,
                inputs=["serps", "ingestion_failures", "ingestion_faults", "ingestion_days"],
                outputs=["ingestion_report", "click_through_by_position"],
                name="report_ingestion",
            ),
        ]
    )
