"""The checks that every log passes before anything is written, whatever its reader, and what to do about a fault."""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from pyspark.sql import functions as F

from rankhammer import corpora as of_corpora
from rankhammer.click_logs.counts import LOST_CLICKS, ON_FAULTY, ON_ROBOTS, CorpusCounts, count_pages
from rankhammer.click_logs.faults import REASONS, PageLimits, within_limits
from rankhammer.errors import CorpusFailure, DataError, stop_if_all_failed
from rankhammer.schemas import RAW_SERPS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pyspark.sql import DataFrame

_OTHERWISE = "Correct the log."
_RAISE = "Or raise ingestion.max_bad_share if this is expected."


class _Hint(NamedTuple):
    """A hint that holds only where the reader has an option, and where that has a value that it can be changed from."""

    text: str
    option: str = ""
    value: Any = None


_HINTS: Mapping[str, tuple[_Hint, ...]] = {
    "bad_position": (
        _Hint("If your positions start at 0, set click_log.options.first_position: 0.", "first_position", 1),
    ),
    "missing_position": (_Hint("Map the column that holds it: click_log.options.columns.position.", "columns"),),
    "unreadable_position": (
        _Hint(
            "Map a column of whole numbers (click_log.options.columns), or raise click_log.options.max_position.",
            "max_position",
        ),
    ),
    "unreadable_clicked": (
        _Hint(
            "Write 0 or false where there was no click, and map a column of flags or counts: "
            "click_log.options.columns.clicked.",
            "columns",
        ),
    ),
    "unreadable_shown_at": (
        _Hint(
            "Write times as ISO 8601 text or as an epoch (docs/stages/ingestion.md lists the formats), or map another "
            "column under click_log.options.columns.",
            "columns",
        ),
    ),
    "unreadable_id": (_Hint("Write ids as text, exactly as the search index has them."),),
    "conflicting_query": (
        _Hint("The id is not one of result pages: map another under click_log.options.columns.", "columns"),
    ),
    "missing_query": (_Hint("Map the column that holds it under click_log.options.columns.", "columns"),),
    "missing_doc_id": (_Hint("Map the column that holds it under click_log.options.columns.", "columns"),),
    "repeated_document": (_Hint("Set ingestion.repeated_documents: first_place to keep such pages."),),
    "repeated_position": (
        _Hint(
            "Set click_log.options.duplicates: drop if these are copies of rows, or correct the positions.",
            "duplicates",
            "fault",
        ),
        _Hint("Correct the positions: rows that differ stand at one place."),
    ),
    "duplicate_serp_id": (
        _Hint(
            "Set click_log.options.duplicates: drop if these are copies of pages, or correct the ids.",
            "duplicates",
            "fault",
        ),
        _Hint("The id is not one of result pages: map another under click_log.options.columns.", "columns"),
    ),
    "too_long": (_Hint("Correct the log; ingestion.max_query_chars, max_id_chars and max_documents hold the limits."),),
    "unreadable_record": (_Hint("Check click_log.reader and load_args: another format may fit the text."),),
}


def hint_for(reason: str, options: Mapping[str, Any]) -> str:
    """Say what to do about the most frequent fault, or that more of them may be let pass.

    Args:
        reason: As for `cure_for`.
        options: Likewise.
    """
    cure = cure_for(reason, options)
    if cure == _OTHERWISE:
        return "Correct the log, or raise ingestion.max_bad_share if this is expected."
    return f"{cure} {_RAISE}"


def cure_for(reason: str, options: Mapping[str, Any]) -> str:
    """Say what to do about a fault.

    Args:
        reason: A key of `faults.REASONS`, or another reader's own.
        options: The reader's options with their values: a hint names no other.
    """
    for hint in _HINTS.get(reason, ()):
        if not hint.option or (hint.option in options and hint.value in (None, options[hint.option])):
            return hint.text
    return _OTHERWISE


logger = logging.getLogger(__name__)
_STAGE = "ingestion"
_SECONDS_A_DAY = 86_400


@dataclass(frozen=True)
class Bounds:
    """How much of a corpus may be lost before it is given up.

    Args:
        max_bad_share: Largest share of faulty pages, 0 to 1.
        max_serps_per_day: A session with more pages in a UTC day is a robot's.
        max_clicks_outside: Largest share of clicks that found no document of a page, 0 to 1.
    """

    max_bad_share: float
    max_serps_per_day: int
    max_clicks_outside: float = 0.2


@dataclass(frozen=True)
class ValidatedLog:
    """A checked log.

    Args:
        serps: The pages that are kept: `schemas.RAW_SERPS` without `fault`, of the corpora that did not fail.
        counts: By corpus, the failed ones included.
        failures: The corpora that cannot be used.
    """

    serps: DataFrame
    counts: Mapping[str, CorpusCounts]
    failures: tuple[CorpusFailure, ...]

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
) -> ValidatedLog:
    """Set faulty pages aside, drop robots, and count both before anything is written.

    Args:
        raw_serps: What a reader returned; it is read once and kept for the write that follows.
        bounds: How much of a corpus may be lost.
        limits: What a page may hold.
        corpora: Names of those to take in; None: all.
        reader_options: The reader's options with their values; hints name no others.

    Returns:
        The sound pages, lazily, and what was counted.

    Raises:
        SchemaError: The reader did not return `schemas.RAW_SERPS`.
        DataError: The log is empty, has not a corpus that is asked for, or none in it can be used.
    """
    RAW_SERPS.require(raw_serps.dtypes)
    chosen = within_limits(of_corpora.only(raw_serps, corpora), limits or PageLimits())
    flagged = flag_robots(chosen.persist(), max_serps_per_day=bounds.max_serps_per_day)
    counts = _of_corpora(count_pages(flagged))
    of_corpora.require_found(corpora, counts, lambda: of_corpora.names_in(raw_serps))
    failures = find_failures(counts, bounds=bounds, reader_options=reader_options or {})
    kept = flagged.where(F.col("fault").isNull() & ~F.col("is_robot"))
    if failures:
        kept = kept.where(~F.col("corpus").isin([failure.corpus for failure in failures]))
    return ValidatedLog(kept.drop("fault", "note", "tally", "is_robot"), counts, tuple(failures))


def flag_robots(raw_serps: DataFrame, *, max_serps_per_day: int) -> DataFrame:
    """Add the column `is_robot`: the page's session asked for more pages in some UTC day than people do.

    Pages without a session or a time are nobody's: they are never a robot's.

    Args:
        raw_serps: Has corpus, session_id and shown_at.
        max_serps_per_day: The most pages of one session in a UTC day that is still a person's.
    """
    # Counting seconds, not calendar days, keeps the session's time zone out of it.
    day = F.floor(F.unix_seconds("shown_at") / _SECONDS_A_DAY)
    robots = (
        raw_serps.where(F.col("session_id").isNotNull() & F.col("shown_at").isNotNull())
        .groupBy("corpus", "session_id", day.alias("day"))
        .agg(F.count("*").alias("n_serps"))
        .where(F.col("n_serps") > max_serps_per_day)
        .select("corpus", "session_id", F.lit(True).alias("is_robot"))
        .distinct()
        # Kept, because the count and the write each ask for them.
        .persist()
    )
    # At most one robot for each max_serps_per_day pages, in practice few: small enough for every worker.
    flagged = raw_serps.join(F.broadcast(robots), ["corpus", "session_id"], "left")
    return flagged.withColumn("is_robot", F.coalesce("is_robot", F.lit(False)))


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
    if not counts:
        raise DataError(
            "The click log is empty: no result page was read.",
            hint="Check click_log.path, format and load_args in conf/<env>/globals.yml.",
        )
    found = (_failure(corpus, counts[corpus], bounds, reader_options) for corpus in sorted(counts))
    failures = [failure for failure in found if failure]
    stop_if_all_failed(failures, len(counts))
    return failures


def _of_corpora(counts: Mapping[str, CorpusCounts]) -> dict[str, CorpusCounts]:
    """Leave out names that no result page has: their records belong to none."""
    for corpus, found in counts.items():
        if not found.n_read:
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
    if counts.n_serps == 0 and counts.n_robot_serps == 0:
        worst = max(sorted(counts.set_aside), key=lambda reason: counts.set_aside[reason])
        error = f"no result page is left of {counts.n_read}: all are faulty: {_listed_faults(counts)}."
        return CorpusFailure(corpus, _STAGE, error, cure_for(worst, reader_options))
    if counts.n_serps == 0:
        error = f"no result page is left of {counts.n_read}: {counts.n_robot_serps} are robots', the rest is faulty."
        return CorpusFailure(corpus, _STAGE, error, _SESSIONS)
    if counts.lost_click_share > bounds.max_clicks_outside:
        return CorpusFailure(corpus, _STAGE, _too_many_lost(counts, bounds.max_clicks_outside), _IDS_DIFFER)
    return None if counts.n_clicks else _no_clicks(corpus, counts, reader_options)


_SESSIONS = (
    "Look at the session_id of these pages: one that many people share makes them one robot. "
    "Or raise ingestion.max_serps_per_day."
)
_IDS_DIFFER = (
    "Ids differ between the result lists and the clicks, as '007' and 7 do: write both alike. "
    "Or raise ingestion.max_clicks_outside if this is expected."
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
    error = f"none of its {counts.n_serps} result pages was clicked; a ranker learns from clicks alone"
    for where, cure in ((ON_ROBOTS, _SESSIONS), (ON_FAULTY, "Look at the faults of the pages that were set aside.")):
        if counts.clicks.get(where):
            return CorpusFailure(corpus, _STAGE, f"{error}. {counts.clicks[where]} clicks are {where}.", cure)
    if "click_actions" in reader_options:
        found = ", ".join(f"{n} {name}" for name, n in sorted(counts.records.items())) or "none"
        hint = "Name the actions that are clicks in click_log.options.click_actions."
        return CorpusFailure(corpus, _STAGE, f"{error}. Its records are: {found}.", hint)
    options = "click_log.options" if "columns" in reader_options else "the log"
    return CorpusFailure(corpus, _STAGE, f"{error}.", f"Check which column `clicked` is read from: {options}.")
