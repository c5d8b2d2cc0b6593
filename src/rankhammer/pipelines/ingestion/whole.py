"""A log that is read as a whole, and what becomes of any log."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from rankhammer import plugins
from rankhammer.click_logs import CorpusCounts, ValidatedLog, validate_log
from rankhammer.click_logs.quarantine import faulty_pages
from rankhammer.errors import ConfigError
from rankhammer.queries import group_queries
from rankhammer.schemas import QUARANTINE, SERPS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pyspark.sql import DataFrame

    from rankhammer.errors import CorpusFailure
    from rankhammer.pipelines.ingestion.params import IngestionParams


@dataclass(frozen=True)
class IngestedLog:
    """A log whose pages are checked and whose queries are grouped.

    Args:
        serps: `schemas.SERPS`, lazily, of the corpora that did not fail.
        quarantine: `schemas.QUARANTINE`, lazily.
        counts: By corpus.
        notes: By corpus: see `queries.group_queries`.
        failures: The corpora that cannot be used.
        days: Of a log in a folder a day: `days` (each to its key), `adds_up` (whether the days' counts of click
            patterns are those of `serps`), `corpora` (those in `serps`), `n_ingested` (days ingested by this run).
    """

    serps: DataFrame
    quarantine: DataFrame
    counts: Mapping[str, CorpusCounts]
    notes: Mapping[str, Mapping[str, Any]]
    failures: Sequence[CorpusFailure]
    days: Mapping[str, Any] = field(default_factory=dict)

    def report(self) -> dict[str, dict[str, Any]]:
        """Return counts and notes as plain values, by corpus."""
        return {corpus: {**asdict(one), **self.notes.get(corpus, {})} for corpus, one in sorted(self.counts.items())}


def ingest_whole(
    log: DataFrame,
    params: IngestionParams,
    *,
    language: object,
    corpora: Sequence[str] | None,
    lists: DataFrame | None = None,
) -> IngestedLog:
    """Ingest a log.

    Args:
        log: As it was loaded.
        params: Of the stage.
        language: What `queries.QueryRules.parse` reads.
        corpora: Names of those to work on; None: all.
        lists: `schemas.RESULT_LISTS` of an engine; None: there are none.

    Raises:
        ConfigError: Days are to leave, and the log is not in a folder a day.
        DataError: As `click_logs.validate_log`.
    """
    if params.days.keep is not None:
        raise ConfigError(
            "ingestion.days.keep is of a log in a folder a day, and this one is not.",
            hint="Put {date} where click_log.path names the day, or set ingestion.days.first and last instead.",
        )
    validated = validate_log(
        plugins.create("click_logs", params.reader).to_serps(log),
        bounds=params.bounds(),
        limits=params.limits(),
        corpora=corpora,
        reader_options=plugins.options_of("click_logs", params.reader),
        visitors=params.visitors(),
    )
    serps, notes = group_queries(validated.serps, language=language, selection=params.selection(), lists=lists)
    quarantine = _quarantine(validated, params.quarantine_examples)
    return IngestedLog(SERPS.select(serps), quarantine, validated.counts, notes, validated.failures)


def _quarantine(validated: ValidatedLog, n_examples: int | None) -> DataFrame:
    """Return what is kept of faulty pages; where there are none, Spark is not asked for them."""
    if not validated.has_faults or n_examples == 0:
        return QUARANTINE.empty(validated.serps.sparkSession)
    return faulty_pages(validated.flagged, n_examples=n_examples)
