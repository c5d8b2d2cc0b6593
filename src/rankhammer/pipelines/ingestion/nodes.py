"""Nodes of the ingestion stage."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

# Kedro resolves every annotation of a node at run time.
from plotly.graph_objects import Figure  # noqa: TC002
from pyspark.sql import DataFrame

from rankhammer import corpora as of_corpora
from rankhammer.casts import sound
from rankhammer.click_logs import click_through_by_position, corpus_facts
from rankhammer.datasets.daily_log import DailyLog
from rankhammer.datasets.day_store import DayStore  # noqa: TC001
from rankhammer.pipelines.ingestion.daily import ingest_days
from rankhammer.pipelines.ingestion.params import IngestionParams  # noqa: TC001
from rankhammer.pipelines.ingestion.report import (
    MAX_PLOTTED_POSITION,
    absent_corpora,
    click_through_figure,
    day_facts,
    ingestion_facts,
)
from rankhammer.pipelines.ingestion.whole import ingest_whole
from rankhammer.pipelines.params import Corpora, Language  # noqa: TC001
from rankhammer.queries import QueryRules

Outputs = tuple[DataFrame, DataFrame, list[dict[str, str]], dict[str, dict[str, Any]], dict[str, Any]]


def ingest(
    click_log: DataFrame | DailyLog,
    params: IngestionParams,
    language: Language,
    corpora: Corpora,
    ingested_days: DayStore | None = None,
    result_lists: DataFrame | None = None,
) -> Outputs:
    """Read a click log, set its faulty pages and robots aside, and group its queries."""
    named = of_corpora.named(corpora)
    lists = None if result_lists is None else sound(result_lists)
    if isinstance(click_log, DailyLog):
        found = ingest_days(click_log, ingested_days, params, language=language, corpora=named, lists=lists)
    else:
        found = ingest_whole(click_log, params, language=language, corpora=named, lists=lists)
    failures, counts = [asdict(failure) for failure in found.failures], found.report()
    configured = params.named_corpora() | set(QueryRules.parse(language).corpora)
    counts |= absent_corpora(configured, counts, named)
    return found.serps, found.quarantine, failures, counts, dict(found.days)


def report_ingestion(
    serps: DataFrame,
    failures: list[dict[str, str]],
    counts: dict[str, dict[str, Any]],
    days: dict[str, Any] | None = None,
) -> tuple[dict[str, Any], Figure]:
    """Describe each corpus of the ingested log, and plot how often each position is clicked."""
    rates = click_through_by_position(serps, max_position=MAX_PLOTTED_POSITION)
    facts = ingestion_facts(corpus_facts(serps), counts, failures)
    return facts | day_facts(days or {}), click_through_figure(rates)
