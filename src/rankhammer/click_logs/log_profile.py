"""What a log's kept pages look like: days, texts, most frequent queries, documents that nobody knows."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F

from rankhammer.click_logs.counts import PositionRate, click_through_by_position
from rankhammer.click_logs.robots import RobotRules, count_suggested
from rankhammer.click_logs.sessions import SECONDS_A_DAY

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from pyspark.sql import Column, DataFrame

MAX_POSITION = 50
_EXAMPLES = 5
_MISREAD = "[\u00c3\u00c2\u00d0\u00d1][\u0080-\u00bf]|\u00e2\u20ac"
"""UTF-8 that was read as Latin-1 or Windows-1252: a letter with an accent became two signs."""
_LOST = "\ufffd"
"""Stands where bytes could not be read."""


@dataclass(frozen=True)
class UnknownDocuments:
    """Documents of a corpus's pages that are not among the documents.

    Args:
        n_documents: Distinct documents on its pages.
        n_unknown: Those of them that nobody knows.
        n_impressions: Documents shown, all pages together.
        n_unknown_impressions: Those of them that nobody knows.
        examples: Some of their ids, in order.
    """

    n_documents: int
    n_unknown: int
    n_impressions: int
    n_unknown_impressions: int
    examples: tuple[str, ...] = ()

    @property
    def share(self) -> float:
        """Share of impressions that are of unknown documents, 0 to 1."""
        return self.n_unknown_impressions / max(1, self.n_impressions)


@dataclass
class CorpusProfile:
    """What one corpus's kept pages look like.

    Args:
        n_serps: Those pages.
        days: UTC day to its pages, in order; pages without a time have none.
        n_without_time: Pages without `shown_at`.
        n_at_midnight: Pages shown at 00:00:00 UTC.
        n_future: Pages shown after the moment of the look.
        n_without_session: Pages without a session, made ones included.
        n_queries: Distinct queries, as typed.
        top_query: The most frequent one, and `n_top_query` pages of it.
        n_top_query: See there.
        n_misread: Pages whose query looks like UTF-8 that was read in another encoding.
        n_lost_signs: Pages whose query has signs that could not be read.
        unknown: Documents that are not among the documents; None where these were not looked at.
        positions: Click-through by position, from the top.
        suggested_robots: Rule that is off to (pages, robots) that it would take at `robots.SUGGESTED`.
    """

    n_serps: int = 0
    days: dict[date, int] = field(default_factory=dict)
    n_without_time: int = 0
    n_at_midnight: int = 0
    n_future: int = 0
    n_without_session: int = 0
    n_queries: int = 0
    top_query: str = ""
    n_top_query: int = 0
    n_misread: int = 0
    n_lost_signs: int = 0
    unknown: UnknownDocuments | None = None
    positions: list[PositionRate] = field(default_factory=list)
    suggested_robots: dict[str, tuple[int, int]] = field(default_factory=dict)

    def missing_days(self) -> list[date]:
        """Return the days between the first and the last that have no page."""
        if not self.days:
            return []
        first, last = min(self.days), max(self.days)
        every = (first + timedelta(days=n) for n in range((last - first).days))
        return [day for day in every if day not in self.days]


def profile_pages(
    pages: DataFrame, *, now: datetime, documents: DataFrame | None = None, rules: RobotRules | None = None
) -> dict[str, CorpusProfile]:
    """Look at the pages that a run would keep.

    Args:
        pages: `schemas.RAW_SERPS` without fault; read several times, so kept by the caller where that is dear.
        now: With a zone; what was shown after it is in the future.
        documents: Has corpus and doc_id; None where there are none to compare with.
        rules: About robots; None: it is not looked what those that are off would take.

    Returns:
        Corpus to its profile.
    """
    found: dict[str, CorpusProfile] = {}
    # Actions: one row per corpus and day, one per corpus, and at most MAX_POSITION per corpus.
    for row in _by_day(pages, int(now.timestamp())).collect():
        _add_day(found.setdefault(row["corpus"], CorpusProfile()), row.asDict())
    for row in _by_query(pages).collect():
        profile = found[row["corpus"]]
        profile.n_queries, profile.n_top_query, profile.top_query = (
            row["n_queries"],
            row["top"]["n"],
            row["top"]["query"],
        )
    for rate in click_through_by_position(pages, max_position=MAX_POSITION):
        found[rate.corpus].positions.append(rate)
    if rules is not None:
        for row in count_suggested(pages, rules).collect():
            found[row["corpus"]].suggested_robots[row["rule"]] = (row["n_serps"], row["n_robots"])
    if documents is not None:
        for row in _unknown(pages, documents).collect():
            examples = tuple(sorted(row["examples"])[:_EXAMPLES])
            facts = {name: row[name] for name in ("n_documents", "n_unknown", "n_impressions", "n_unknown_impressions")}
            found[row["corpus"]].unknown = UnknownDocuments(**facts, examples=examples)
    return found


def _by_day(pages: DataFrame, now_s: int) -> DataFrame:
    seconds = F.unix_seconds("shown_at")
    return pages.groupBy("corpus", F.floor(seconds / SECONDS_A_DAY).alias("day")).agg(
        F.count("*").alias("n"),
        F.count_if(seconds % SECONDS_A_DAY == 0).alias("n_at_midnight"),
        F.count_if(seconds > now_s).alias("n_future"),
        F.count_if(F.col("session_id").isNull()).alias("n_without_session"),
        F.count_if(_has(_MISREAD)).alias("n_misread"),
        F.count_if(_has(_LOST)).alias("n_lost_signs"),
    )


def _has(pattern: str) -> Column:
    return F.col("query").rlike(pattern)


def _add_day(profile: CorpusProfile, row: Mapping[str, Any]) -> None:
    profile.n_serps += row["n"]
    for name in ("n_at_midnight", "n_future", "n_without_session", "n_misread", "n_lost_signs"):
        setattr(profile, name, getattr(profile, name) + row[name])
    if row["day"] is None:
        profile.n_without_time += row["n"]
    else:
        profile.days[date(1970, 1, 1) + timedelta(days=row["day"])] = row["n"]


def _by_query(pages: DataFrame) -> DataFrame:
    counted = pages.groupBy("corpus", "query").agg(F.count("*").alias("n"))
    return counted.groupBy("corpus").agg(F.count("*").alias("n_queries"), F.max(F.struct("n", "query")).alias("top"))


def _unknown(pages: DataFrame, documents: DataFrame) -> DataFrame:
    shown = pages.select("corpus", F.explode("doc_ids").alias("doc_id")).groupBy("corpus", "doc_id")
    known = documents.select("corpus", "doc_id", F.lit(True).alias("is_known")).distinct()
    matched = shown.agg(F.count("*").alias("n")).join(known, ["corpus", "doc_id"], "left")
    is_unknown = F.col("is_known").isNull()
    return matched.groupBy("corpus").agg(
        F.count("*").alias("n_documents"),
        F.count_if(is_unknown).alias("n_unknown"),
        F.sum("n").alias("n_impressions"),
        F.sum(F.when(is_unknown, F.col("n")).otherwise(0)).alias("n_unknown_impressions"),
        _smallest(F.when(is_unknown, F.col("doc_id"))).alias("examples"),
    )


def _smallest(text: Column) -> Column:
    """Return the smallest and the largest text as a short list: two are enough to see how ids are written."""
    return F.array_compact(F.array_distinct(F.array(F.min(text), F.max(text))))
