"""The checks that every log passes before anything is written, whatever reader it came through."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F

from rankhammer import corpora as of_corpora
from rankhammer.click_logs.faults import REASONS
from rankhammer.errors import CorpusFailure, DataError, stop_if_all_failed
from rankhammer.schemas import RAW_SERPS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pyspark.sql import Column, DataFrame, Row

_STAGE = "ingestion"
_SECONDS_A_DAY = 86_400


@dataclass
class CorpusCounts:
    """What became of the pages of one corpus.

    Args:
        n_read: Result pages in the log, faulty ones included.
        n_serps: Pages that are kept.
        n_clicks: Clicked documents on them.
        n_robot_serps: Sound pages dropped because their session is a robot's.
        n_robot_sessions: Those sessions.
        set_aside: Reason to number of faulty pages.
        notes: A reader's remark to the number of kept pages it is about.
    """

    n_read: int = 0
    n_serps: int = 0
    n_clicks: int = 0
    n_robot_serps: int = 0
    n_robot_sessions: int = 0
    set_aside: dict[str, int] = field(default_factory=dict)
    notes: dict[str, int] = field(default_factory=dict)

    @property
    def n_set_aside(self) -> int:
        """Faulty pages, all reasons together."""
        return sum(self.set_aside.values())


@dataclass(frozen=True)
class Intake:
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


def take_in(
    raw_serps: DataFrame, *, max_bad_share: float, max_serps_per_day: int, corpora: Sequence[str] | None = None
) -> Intake:
    """Set faulty pages aside, drop robots, and count both before anything is written.

    Args:
        raw_serps: What a reader returned; it is read once and kept for the write that follows.
        max_bad_share: Largest share of faulty pages in a corpus, 0 to 1.
        max_serps_per_day: A session with more pages in a UTC day is a robot's.
        corpora: Names of those to take in; None: all.

    Returns:
        The sound pages, lazily, and what was counted.

    Raises:
        SchemaError: The reader did not return `schemas.RAW_SERPS`.
        DataError: The log is empty, has not a corpus that is asked for, or none in it can be used.
    """
    RAW_SERPS.require(raw_serps.dtypes)
    if "note" not in raw_serps.columns:
        raw_serps = raw_serps.withColumn("note", F.lit(None).cast("string"))
    chosen = of_corpora.only(raw_serps, corpora)
    flagged = flag_robots(chosen.persist(), max_serps_per_day=max_serps_per_day)
    counts = count_pages(flagged)
    of_corpora.require_found(corpora, counts, lambda: of_corpora.names_in(raw_serps))
    failures = find_failures(counts, max_bad_share=max_bad_share)
    kept = flagged.where(F.col("fault").isNull() & ~F.col("is_robot"))
    if failures:
        kept = kept.where(~F.col("corpus").isin([failure.corpus for failure in failures]))
    return Intake(kept.drop("fault", "note", "is_robot"), counts, tuple(failures))


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
    )
    # At most one robot for each max_serps_per_day pages, in practice few: small enough for every worker.
    flagged = raw_serps.join(F.broadcast(robots), ["corpus", "session_id"], "left")
    return flagged.withColumn("is_robot", F.coalesce("is_robot", F.lit(False)))


def count_pages(flagged: DataFrame) -> dict[str, CorpusCounts]:
    """Count a log's pages by corpus and by what becomes of them.

    Args:
        flagged: `schemas.RAW_SERPS` plus note and is_robot.

    Returns:
        Corpus to its counts.
    """
    is_kept = F.col("fault").isNull() & ~F.col("is_robot")
    groups = flagged.groupBy("corpus", "fault", "is_robot", F.when(is_kept, F.col("note")).alias("note")).agg(
        F.count("*").alias("n_serps"),
        F.sum(_n_clicks()).alias("n_clicks"),
        F.count_distinct(F.when(F.col("is_robot"), F.col("session_id"))).alias("n_robot_sessions"),
    )
    counts: dict[str, CorpusCounts] = {}
    # An action: one row for each corpus, reason and note, so tens of rows; the checks need them before the write.
    for row in groups.collect():
        _add(counts.setdefault(row["corpus"], CorpusCounts()), row)
    return counts


def find_failures(counts: Mapping[str, CorpusCounts], *, max_bad_share: float) -> list[CorpusFailure]:
    """Say which corpora cannot be used.

    Args:
        counts: By corpus.
        max_bad_share: Largest share of faulty pages in a corpus, 0 to 1.

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
    found = (_failure(corpus, counts[corpus], max_bad_share) for corpus in sorted(counts))
    failures = [failure for failure in found if failure]
    stop_if_all_failed(failures, len(counts))
    return failures


def _n_clicks() -> Column:
    return F.coalesce(F.size(F.filter("clicked", lambda clicked: clicked)), F.lit(0))


def _add(counts: CorpusCounts, row: Row) -> None:
    counts.n_read += row["n_serps"]
    if row["fault"] is not None:
        _increase(counts.set_aside, [row["fault"]], row["n_serps"])
    elif row["is_robot"]:
        counts.n_robot_serps += row["n_serps"]
        counts.n_robot_sessions += row["n_robot_sessions"]
    else:
        counts.n_serps += row["n_serps"]
        counts.n_clicks += row["n_clicks"]
        _increase(counts.notes, (row["note"] or "").splitlines(), row["n_serps"])


def _increase(totals: dict[str, int], names: Iterable[str], by: int) -> None:
    for name in names:
        totals[name] = totals.get(name, 0) + by


def _failure(corpus: str, counts: CorpusCounts, max_bad_share: float) -> CorpusFailure | None:
    if counts.n_set_aside > max_bad_share * counts.n_read:
        return CorpusFailure(corpus, _STAGE, _too_many_faults(counts, max_bad_share), _cure(counts))
    if counts.n_serps == 0:
        error = f"no result page is left of {counts.n_read}: {counts.n_robot_serps} are robots', the rest is faulty."
        return CorpusFailure(corpus, _STAGE, error, "Raise ingestion.max_serps_per_day, or look at these sessions.")
    if counts.n_clicks == 0:
        error = f"none of its {counts.n_serps} result pages was clicked; a ranker learns from clicks alone."
        return CorpusFailure(corpus, _STAGE, error, "Check which column `clicked` is read from: click_log.options.")
    return None


def _too_many_faults(counts: CorpusCounts, max_bad_share: float) -> str:
    reasons = sorted(counts.set_aside.items(), key=lambda item: (-item[1], item[0]))
    listed = "; ".join(f"{n} {reason} ({REASONS.get(reason, 'see the reader')})" for reason, n in reasons)
    share = counts.n_set_aside / counts.n_read
    return (
        f"{counts.n_set_aside} of {counts.n_read} result pages ({share:.1%}) are faulty, "
        f"more than ingestion.max_bad_share = {max_bad_share:.1%}: {listed}."
    )


def _cure(counts: CorpusCounts) -> str:
    worst = max(sorted(counts.set_aside), key=lambda reason: counts.set_aside[reason])
    if worst == "bad_position":
        return "If your positions start at 0, set click_log.options.first_position: 0 in conf/<env>/globals.yml."
    return "Cure the log or its mapping (click_log.options); or raise ingestion.max_bad_share if this is expected."
