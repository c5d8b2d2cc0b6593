"""Nodes of the ingestion stage."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

# Kedro resolves every annotation of a node at run time.
from plotly.graph_objects import Figure  # noqa: TC002
from pyspark.sql import DataFrame  # noqa: TC002

from rankhammer import corpora as of_corpora
from rankhammer import plugins
from rankhammer.click_logs import click_through_by_position, corpus_facts, validate_log
from rankhammer.pipelines.ingestion.params import IngestionParams  # noqa: TC001
from rankhammer.pipelines.ingestion.report import MAX_PLOTTED_POSITION, click_through_figure, ingestion_facts
from rankhammer.pipelines.params import Corpora, Language  # noqa: TC001
from rankhammer.queries import group_queries
from rankhammer.schemas import SERPS


def ingest(
    click_log: DataFrame, params: IngestionParams, language: Language, corpora: Corpora
) -> tuple[DataFrame, list[dict[str, str]], dict[str, dict[str, Any]]]:
    """Read a click log, set its faulty pages and robots aside, and group its queries."""
    raw_serps = plugins.create("click_logs", params.reader).to_serps(click_log)
    validated = validate_log(
        raw_serps,
        bounds=params.bounds(),
        limits=params.limits(),
        corpora=of_corpora.named(corpora),
        reader_options=plugins.options_of("click_logs", params.reader),
        visitors=params.visitors(),
    )
    serps, notes = group_queries(validated.serps, language=language, selection=params.selection())
    counts = {corpus: counted | notes.get(corpus, {}) for corpus, counted in validated.report().items()}
    return SERPS.select(serps), [asdict(failure) for failure in validated.failures], counts


def report_ingestion(
    serps: DataFrame, failures: list[dict[str, str]], counts: dict[str, dict[str, Any]]
) -> tuple[dict[str, Any], Figure]:
    """Describe each corpus of the ingested log, and plot how often each position is clicked."""
    rates = click_through_by_position(serps, max_position=MAX_PLOTTED_POSITION)
    return ingestion_facts(corpus_facts(serps), counts, failures), click_through_figure(rates)
