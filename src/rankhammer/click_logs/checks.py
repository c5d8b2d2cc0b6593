"""The checks that every log passes before anything is written, whatever its reader, and what to do about a fault."""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F

from rankhammer import corpora as of_corpora
from rankhammer.click_logs.counts import LOST_CLICKS, ON_FAULTY, ON_ROBOTS, CorpusCounts, count_pages
from rankhammer.click_logs.fault_hints import cure_for, hint_for
from rankhammer.click_logs.faults import REASONS, PageLimits, within_limits
from rankhammer.click_logs.robots import AT_ADDRESS, OF_USER, RULES, SESSION, RobotRules, flag_robots, flag_sessions
from rankhammer.click_logs.sessions import DayRange, SessionRules, add_sessions, set_late_aside, set_other_days_aside
from rankhammer.click_logs.visitors import (
    RECEIVED_AT,
    VISITOR_COLUMNS,
    hash_visitors,
    require_types,
    salt_named,
    visitor,
)
from rankhammer.errors import CorpusFailure, DataError, stop_if_all_failed
from rankhammer.schemas import RAW_SERPS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pyspark.sql import DataFrame

    from rankhammer.click_logs.one_day import OneDay
    from rankhammer.corpus_limits import PerCorpus

logger = logging.getLogger(__name__)
_STAGE = "ingestion"
FEW_PAGES = 10_000
"""So many pages of known visitors are looked at by one task: its work is less than what a shuffle costs."""


@dataclass(frozen=True)
class Bounds:
    """How much of a corpus may be lost before it is given up.

    Args:
        max_bad_share: Largest share of faulty pages, 0 to 1.
        max_serps_per_day: A session with more pages in a UTC day is a robot's.
        max_clicks_outside: Largest share of clicks that found no document of a page, 0 to 1.
    """

    max_bad_share: float
    max_serps_per_day: int | PerCorpus
    max_clicks_outside: float = 0.2


@dataclass(frozen=True)
class VisitorOptions:
    """What is made of who searched.

    Args:
        sessions: How sessions are made.
        robots: Who is none of the people.
        salt: Secret that ids of users and addresses are hashed with.
        drops_abandoned: Whether pages without a click are left out.
        days: UTC days whose pages are kept.
        one_day: The day of a log in a folder a day that is looked at; `days` is of no account then.
    """

    sessions: SessionRules = field(default_factory=SessionRules)
    robots: RobotRules = field(default_factory=RobotRules)
    salt: str = field(default_factory=lambda: salt_named(None), repr=False)
    drops_abandoned: bool = False
    days: DayRange = field(default_factory=DayRange)
    one_day: OneDay | None = None


@dataclass(frozen=True)
class ValidatedLog:
    """A checked log.

    Args:
        serps: The pages that are kept: `schemas.RAW_SERPS` without `fault`, of the corpora that did not fail.
        counts: By corpus, the failed ones included.
        failures: The corpora that cannot be used.
        flagged: Every page with its fault or robot, as `flag_pages` returns it.
    """

    serps: DataFrame
    counts: Mapping[str, CorpusCounts]
    failures: tuple[CorpusFailure, ...]
    flagged: DataFrame

    @property
    def has_faults(self) -> bool:
        """Whether any page was set aside."""
        return any(counts.n_set_aside for counts in self.counts.values())

    def report(self) -> dict[str, dict[str, Any]]:
        """Return the counts as plain values, by corpus."""
        return {corpus: asdict(self.counts[corpus]) for corpus in sorted(self.counts)}


def validate_log(
    raw_serps: DataFrame,
    *,
    bounds: Bounds,
    limits: PageLimits | None = None,
    corpora: Sequence[str] | None = None,
    reader_options: Mapping[str, Any] | None = None,
    visitors: VisitorOptions | None = None,
) -> ValidatedLog:
    """Set faulty pages aside, make sessions, drop robots, and count all of it before anything is written.

    Args:
        raw_serps: What a reader returned; it is read once and kept for the write that follows.
        bounds: How much of a corpus may be lost.
        limits: What a page may hold.
        corpora: Names of those to take in; None: all.
        reader_options: The reader's options with their values; hints name no others.
        visitors: What is made of who searched.

    Returns:
        The sound pages, lazily, and what was counted.

    Raises:
        SchemaError: The reader did not return `schemas.RAW_SERPS`.
        DataError: The log is empty, has not a corpus that is asked for, or none in it can be used.
    """
    visitors = visitors or VisitorOptions()
    flagged = flag_pages(raw_serps, bounds=bounds, limits=limits, corpora=corpora, visitors=visitors)
    counts = count_corpora(flagged, drops_abandoned=visitors.drops_abandoned)
    of_corpora.require_found(corpora, counts, lambda: of_corpora.names_in(raw_serps))
    failures = find_failures(counts, bounds=bounds, reader_options=reader_options or {})
    kept = kept_pages(flagged, drops_abandoned=visitors.drops_abandoned)
    if failures:
        kept = kept.where(~F.col("corpus").isin([failure.corpus for failure in failures]))
    return ValidatedLog(kept, counts, tuple(failures), flagged)


def kept_pages(flagged: DataFrame, *, drops_abandoned: bool = False) -> DataFrame:
    """Return the sound pages of people: `schemas.RAW_SERPS` without `fault`.

    Args:
        flagged: As `flag_pages` returns it.
        drops_abandoned: Whether pages without a click are left out.
    """
    kept = flagged.where(F.col("fault").isNull() & F.col("robot").isNull())
    if drops_abandoned:
        kept = kept.where(F.exists("clicked", lambda clicked: clicked))
    return kept.select(*(name for name in RAW_SERPS.names_in(kept.columns) if name != "fault"))


def flag_pages(
    raw_serps: DataFrame,
    *,
    bounds: Bounds,
    limits: PageLimits | None = None,
    corpora: Sequence[str] | None = None,
    visitors: VisitorOptions,
) -> DataFrame:
    """Give each page its session, and its fault or robot where it has one.

    Args:
        raw_serps: As for `validate_log`, and so are the others.
        bounds: How much of a corpus may be lost.
        limits: What a page may hold.
        corpora: Names of those to take in.
        visitors: What is made of who searched.

    Returns:
        `schemas.RAW_SERPS`, note, tally, `faults.ROW`, `faults.FILE` and robot. Rows with the fault `faults.NOT_A_PAGE`
        only count.
    """
    RAW_SERPS.require(raw_serps.dtypes)
    require_types(raw_serps.dtypes)
    limited = within_limits(of_corpora.only(raw_serps, corpora), limits or PageLimits())
    one_day = visitors.one_day
    hashed = hash_visitors(limited, visitors.salt)
    hashed = set_late_aside(hashed, visitors.sessions, keeps_received=one_day is not None).persist()
    pages, n_most = _together_if_few(hashed)
    flagged = flag_robots(pages, visitors.robots, n_most=n_most)
    is_counted = F.col("fault").isNull() & F.col("robot").isNull()
    counted_day = one_day.number if one_day and RECEIVED_AT in flagged.columns else None
    made = add_sessions(flagged, visitors.sessions, is_counted=is_counted, counted_day=counted_day)
    found = flag_sessions(made.pages, max_serps_per_day=bounds.max_serps_per_day, n_most=n_most)
    found = one_day.set_others_aside(found) if one_day else set_other_days_aside(found, visitors.days)
    found = found.drop(*VISITOR_COLUMNS)
    return found if made.counts is None else found.unionByName(made.counts, allowMissingColumns=True)


def _together_if_few(pages: DataFrame) -> tuple[DataFrame, int | None]:
    """Put few pages whose visitors are known on one partition, where sessions and robots are found without a shuffle.

    Returns:
        The pages, and how many there are at most; None where that is not known.
    """
    if visitor(pages.columns) is None:
        return pages, None
    # An action, whose one number comes back: it fills what was persisted, which all that follows reads. Without it a
    # log of some pages would be searched for robots that need thousands, in a dozen jobs.
    n_pages = pages.count()
    return (pages.coalesce(1) if n_pages <= FEW_PAGES else pages), n_pages


def find_failures(
    counts: Mapping[str, CorpusCounts], *, bounds: Bounds, reader_options: Mapping[str, Any]
) -> list[CorpusFailure]:
    """Say which corpora cannot be used.

    Args:
        counts: By corpus.
        bounds: How much of a corpus may be lost.
        reader_options: The reader's options with their values; hints name no others.

    Returns:
        The failed corpora, in the order of their names.

    Raises:
        DataError: There are no pages at all, or every corpus failed.
    """
    failures = corpus_failures(counts, bounds=bounds, reader_options=reader_options)
    stop_if_all_failed(failures, len(counts))
    return failures


def corpus_failures(
    counts: Mapping[str, CorpusCounts], *, bounds: Bounds, reader_options: Mapping[str, Any]
) -> list[CorpusFailure]:
    """Say which corpora cannot be used, also where these are all.

    Args:
        counts: As for `find_failures`, and so are the others.
        bounds: How much of a corpus may be lost.
        reader_options: The reader's options.

    Raises:
        DataError: There are no pages at all.
    """
    if not counts:
        raise DataError(
            "The click log is empty: no result page was read.",
            hint="Check click_log.path, format and load_args in conf/<env>/globals.yml, and ingestion.days.",
        )
    found = (_failure(corpus, counts[corpus], bounds, reader_options) for corpus in sorted(counts))
    return [failure for failure in found if failure]


def count_corpora(flagged: DataFrame, *, drops_abandoned: bool = False) -> dict[str, CorpusCounts]:
    """Count what `flag_pages` returned, by corpus; names that no result page has are left out, and warned of.

    Args:
        flagged: As `flag_pages` returns it.
        drops_abandoned: Whether pages without a click are left out.
    """
    counts = count_pages(flagged, drops_abandoned=drops_abandoned)
    for corpus, found in counts.items():
        if not found.n_read and found.records:
            listed = ", ".join(f"{n} {name}" for name, n in sorted(found.records.items()))
            logger.warning("No result page is of corpus %r, which the log's records name: %s", corpus, listed)
    return {corpus: found for corpus, found in counts.items() if found.n_read}


def _failure(
    corpus: str, counts: CorpusCounts, bounds: Bounds, reader_options: Mapping[str, Any]
) -> CorpusFailure | None:
    fault = of_corpora.name_fault(corpus)
    if fault:
        hint = "Rename the corpus where the log is made; or read it from another column: click_log.options.columns."
        return CorpusFailure(corpus, _STAGE, f"{fault}.", hint)
    if counts.n_set_aside > bounds.max_bad_share * counts.n_read:
        worst = max(sorted(counts.set_aside), key=lambda reason: counts.set_aside[reason])
        error = _too_many_faults(counts, bounds.max_bad_share)
        return CorpusFailure(corpus, _STAGE, error, hint_for(worst, reader_options))
    if counts.n_serps + counts.n_robot_serps + counts.n_abandoned == 0:
        worst = max(sorted(counts.set_aside), key=lambda reason: counts.set_aside[reason])
        error = f"no result page is left of {counts.n_read}: all are faulty: {_listed_faults(counts)}."
        return CorpusFailure(corpus, _STAGE, error, cure_for(worst, reader_options))
    if counts.n_serps + counts.n_abandoned == 0:
        error = f"no result page is left of {counts.n_read}: {counts.n_robot_serps} are robots', the rest is faulty."
        return CorpusFailure(corpus, _STAGE, error, _robots_hint(counts))
    if counts.lost_click_share > bounds.max_clicks_outside:
        return CorpusFailure(corpus, _STAGE, _too_many_lost(counts, bounds.max_clicks_outside), _IDS_DIFFER)
    return None if counts.n_clicks else _no_clicks(corpus, counts, reader_options)


_IDS_DIFFER = (
    "Ids differ between the result lists and the clicks, as '007' and 7 do: write both alike. "
    "Or raise ingestion.max_clicks_outside if this is expected."
)


def _robots_hint(counts: CorpusCounts) -> str:
    """Name the column and the parameter of the rule that took most pages."""
    rule = max(sorted(counts.robots) or [SESSION], key=lambda name: counts.robots.get(name, {}).get("n_serps", 0))
    column = {SESSION: "session_id", OF_USER: "user_id", AT_ADDRESS: "address"}.get(rule, "session_id or user_id")
    return (
        f"Look at the {column} of these pages: one that many people share makes them one robot. "
        f"Or raise ingestion.{RULES[rule]}."
    )


def _too_many_faults(counts: CorpusCounts, max_bad_share: float) -> str:
    share = counts.n_set_aside / counts.n_read
    return (
        f"{counts.n_set_aside} of {counts.n_read} result pages ({share:.1%}) are faulty, "
        f"more than ingestion.max_bad_share = {max_bad_share:.1%}: {_listed_faults(counts)}."
    )


def _listed_faults(counts: CorpusCounts) -> str:
    reasons = sorted(counts.set_aside.items(), key=lambda item: (-item[1], item[0]))
    return "; ".join(f"{n} {reason} ({REASONS.get(reason, 'see the reader')})" for reason, n in reasons)


def _too_many_lost(counts: CorpusCounts, max_clicks_outside: float) -> str:
    lost = "; ".join(f"{counts.clicks[name]} {name}" for name in LOST_CLICKS if counts.clicks.get(name))
    return (
        f"{counts.lost_click_share:.1%} of the clicks are on no document of their result page, more than "
        f"ingestion.max_clicks_outside = {max_clicks_outside:.1%}: {lost}; {counts.n_clicks} on a document of it."
    )


def _no_clicks(corpus: str, counts: CorpusCounts, reader_options: Mapping[str, Any]) -> CorpusFailure:
    """Blame what took the clicks: robots or faults if these have some, else the columns or actions."""
    n_serps = counts.n_serps + counts.n_abandoned
    error = f"none of its {n_serps} result pages was clicked; a ranker learns from clicks alone"
    cures = {ON_ROBOTS: _robots_hint(counts), ON_FAULTY: "Look at the faults of the pages that were set aside."}
    for where, cure in cures.items():
        if counts.clicks.get(where):
            return CorpusFailure(corpus, _STAGE, f"{error}. {counts.clicks[where]} clicks are {where}.", cure)
    if "click_actions" in reader_options:
        found = ", ".join(f"{n} {name}" for name, n in sorted(counts.records.items())) or "none"
        hint = "Name the actions that are clicks in click_log.options.click_actions."
        return CorpusFailure(corpus, _STAGE, f"{error}. Its records are: {found}.", hint)
    options = "click_log.options" if "columns" in reader_options else "the log"
    return CorpusFailure(corpus, _STAGE, f"{error}.", f"Check which column `clicked` is read from: {options}.")
