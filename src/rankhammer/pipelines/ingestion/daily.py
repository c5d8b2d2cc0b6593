"""A log in a folder a day: days that are new, or that something late came for, are ingested; the others are kept."""

from __future__ import annotations

import logging
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F

from rankhammer import click_models, plugins, progress, spark
from rankhammer import corpora as of_corpora
from rankhammer.canonical_json import to_text
from rankhammer.click_logs import CorpusCounts
from rankhammer.click_logs.checks import count_corpora, find_failures, flag_pages, kept_pages
from rankhammer.click_logs.one_day import OneDay, add_counts, day_window
from rankhammer.click_logs.quarantine import faulty_pages
from rankhammer.click_logs.sessions import MADE
from rankhammer.datasets.day_store import COUNTS, PAGES, DayStore
from rankhammer.digests import hex_digest
from rankhammer.errors import ConfigError, DataError
from rankhammer.pipelines.ingestion.whole import IngestedLog
from rankhammer.queries import QueryRules, add_query_columns, group_queries
from rankhammer.schemas import CLICK_WEIGHTS, QUARANTINE, SERPS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from pyspark.sql import DataFrame

    from rankhammer.datasets.daily_log import DailyLog
    from rankhammer.pipelines.ingestion.params import IngestionParams

logger = logging.getLogger(__name__)
_OF_ALL_DAYS = ("days", "max_bad_share", "max_clicks_outside", "min_sessions", "sample_pairs", "sample_seed")
"""Parameters that concern the days together: changing one makes no day stale."""
_ASIDE = "quarantine"
_SALT_DIGITS = 8


def ingest_days(
    log: DailyLog,
    store: DayStore | None,
    params: IngestionParams,
    *,
    language: object,
    corpora: Sequence[str] | None,
    lists: DataFrame | None = None,
) -> IngestedLog:
    """Ingest the days that the store lacks or has of other data, and put all days together.

    A day is made of its folder, of the one before where sessions have to be made, and of as many behind as pages may be
    late: the same rows whichever days are done in one run.

    Args:
        log: Day by day.
        store: Of finished days; None: there is none. Those older than `params.days.keep` are removed.
        params: Of the stage.
        language: What `QueryRules.parse` reads.
        corpora: Names of those to work on; None: all.
        lists: `schemas.RESULT_LISTS` of an engine; None: there are none.

    Raises:
        DataError: No day is in the range; or what `checks.find_failures` raises.
        ConfigError: Sessions are made, and there is no salt that a later run could use; or there is no store.
    """
    if store is None:
        raise ConfigError(
            "A log in a folder a day needs a place for its days.",
            hint="Give the catalog an entry `ingested_days` of type rankhammer.datasets.DayStoreDataset.",
        )
    days = _chosen_days(log, params)
    if params.days.keep is not None:
        for left in store.leave_before(days[0]):
            logger.info("Day %s left: only %s days are kept.", left, params.days.keep)
    work = _Work(log, store, params, language)
    keys = {day: work.key(day) for day in days}
    todo = [day for day, key in keys.items() if not store.is_current(day, key)]
    logger.info("%s of %s days are to be ingested.", len(todo), len(days))
    for number, day in enumerate(todo, start=1):
        progress.tell(f"ingesting day {day} ({number} of {len(todo)})")
        work.ingest(day, keys[day])
    return _together(store, keys, work, n_ingested=len(todo), corpora=corpora, lists=lists)


def _chosen_days(log: DailyLog, params: IngestionParams) -> list[date]:
    days = params.days.chosen(log.days)
    if not days:
        known = f"from {log.days[0]} to {log.days[-1]}" if log.days else "none"
        raise DataError(
            f"No day of the click log is in the range ({known} are there).",
            hint="Correct ingestion.days, or click_log.path in conf/<env>/globals.yml.",
        )
    return days


class _Work:
    """Ingests single days.

    Args:
        log: Day by day.
        store: Of finished days.
        params: Of the stage.
        language: What `QueryRules.parse` reads.
    """

    def __init__(self, log: DailyLog, store: DayStore, params: IngestionParams, language: object) -> None:
        self._log, self._store, self.params, self.language = log, store, params, language
        self._reader = plugins.create("click_logs", params.reader)
        self.reader_options = plugins.options_of("click_logs", params.reader)
        columns = self.reader_options.get("columns")
        self._received = columns.get("received_at") if isinstance(columns, dict) else None
        self._visitors = params.visitors()
        rules = QueryRules.parse(language)
        self._counts_days = rules.clusters != "results"
        self.adds_up = self._counts_days and params.min_sessions == 1 and params.sample_pairs is None
        read = self._reader.to_serps(log.read(log.days[:1], received=self._received))
        self._columns = read.columns
        self.has_weights = CLICK_WEIGHTS in read.columns
        self.page_columns = {**SERPS.columns, **(SERPS.optional if self.has_weights else {})}

    def window(self, day: date) -> OneDay:
        """Say which folders a day needs."""
        return day_window(day, self._columns, self.params.sessions)

    def key(self, day: date) -> str:
        """Return a digest of all that a day is made of."""
        made_of = {
            "configuration": self._store.made_of,
            "params": self.params.model_dump(mode="json", exclude=set(_OF_ALL_DAYS)),
            "language": str(self.language),
            "salt": hex_digest(self._visitors.salt, _SALT_DIGITS) if self.params.salt else None,
            "folders": [self._log.stamp(folder) for folder in self.window(day).folders],
        }
        return hex_digest(to_text(made_of))

    def ingest(self, day: date, key: str) -> None:
        """Ingest one day, and let the store keep it."""
        window = self.window(day)
        raw = self._log.read(window.folders, received=self._received)
        visitors = replace(self._visitors, one_day=window)
        flagged = flag_pages(
            self._reader.to_serps(raw), bounds=self.params.bounds(), limits=self.params.limits(), visitors=visitors
        )
        counts = count_corpora(flagged, drops_abandoned=visitors.drops_abandoned)
        self._require_salt(counts)
        kept = kept_pages(flagged, drops_abandoned=visitors.drops_abandoned)
        tables = {PAGES: SERPS.select(add_query_columns(kept, language=self.language))}
        if any(found.n_set_aside for found in counts.values()) and self.params.quarantine_examples != 0:
            tables[_ASIDE] = faulty_pages(flagged, n_examples=self.params.quarantine_examples)
        facts = {"counts": {corpus: asdict(found) for corpus, found in counts.items()}, "tables": sorted(tables)}
        derived = {COUNTS: (PAGES, self.page_columns, click_models.count_shares)} if self._counts_days else {}
        self._store.write(day, key, tables, facts, derived)
        spark.clear_cache()

    def _require_salt(self, counts: Mapping[str, CorpusCounts]) -> None:
        if self.params.salt is None and any(found.sessions.get(MADE) for found in counts.values()):
            raise ConfigError(
                "Sessions are made of visitors' searches, and no salt is set: days that other runs ingest would not go "
                "together with these.",
                hint="Name an entry of credentials.yml in ingestion.salt, or set ingestion.sessions.make: never.",
            )


def _together(
    store: DayStore,
    keys: Mapping[date, str],
    work: _Work,
    *,
    n_ingested: int,
    corpora: Sequence[str] | None,
    lists: DataFrame | None,
) -> IngestedLog:
    facts = {day: store.facts(day) for day in keys}
    counts = add_counts(_parsed(found["counts"]) for found in facts.values())
    of_corpora.require_found(corpora, counts, lambda: sorted(counts))
    counts = {name: found for name, found in counts.items() if corpora is None or name in corpora}
    params = work.params
    failures = find_failures(counts, bounds=params.bounds(), reader_options=work.reader_options)
    usable = sorted(counts.keys() - {failure.corpus for failure in failures})
    pages = store.read(PAGES, [*keys], work.page_columns).where(F.col("corpus").isin(usable))
    notes: Mapping[str, Mapping[str, Any]] = {}
    if not work.adds_up:
        asked = pages.drop("normalized_query", "query_cluster_id")
        pages, notes = group_queries(asked, language=work.language, selection=params.selection(), lists=lists)
    summary = {
        "days": {day.isoformat(): key for day, key in keys.items()},
        "adds_up": work.adds_up,
        "has_weights": work.has_weights,
        "corpora": usable,
        "n_ingested": n_ingested,
    }
    aside = [day for day, found in facts.items() if _ASIDE in found["tables"]]
    return IngestedLog(SERPS.select(pages), _aside(store, aside), counts, notes, failures, summary)


def _parsed(counts: Mapping[str, Mapping[str, Any]]) -> dict[str, CorpusCounts]:
    return {corpus: CorpusCounts(**found) for corpus, found in counts.items()}


def _aside(store: DayStore, days: Sequence[date]) -> DataFrame:
    """Return the faulty pages that the days keep; of each day so many of a reason."""
    return store.read(_ASIDE, days, QUARANTINE.columns) if days else QUARANTINE.empty(spark.session())
