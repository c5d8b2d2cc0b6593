"""Status of a log: pages, clicks and records add up to what was read; facts per corpus and position."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F

from rankhammer.click_logs.faults import NO_DOCUMENT, NO_PAGE, NOT_A_PAGE, OUTSIDE_LIST, REPEATED_CLICKS, TALLY_TYPE
from rankhammer.click_logs.robots import SESSION

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pyspark.sql import Column, DataFrame, Row

KEPT, ON_FAULTY, ON_ROBOTS = "kept", "on faulty pages", "on robots' pages"
_CLICKS = "clicks/"
LOST_CLICKS = tuple(what.removeprefix(_CLICKS) for what in (OUTSIDE_LIST, NO_PAGE, NO_DOCUMENT))
"""Clicks that found no document of a page: too many of them mean that ids differ."""


@dataclass
class CorpusCounts:
    """Counts of one corpus's pages: kept, set aside, robots', and of the clicks and records behind them.

    Args:
        n_read: Result pages in the log, faulty ones included.
        n_serps: Pages that are kept.
        n_clicks: Clicked documents on them.
        n_robot_serps: Sound pages dropped because a robot asked for them.
        n_robot_sessions: Sessions that were dropped as a whole (`max_serps_per_day`).
        n_abandoned: Sound pages of people dropped because nothing on them was clicked; 0 unless that is asked for.
        set_aside: Reason to number of faulty pages.
        notes: A reader's remark to the number of kept pages it is about.
        clicks: Status of clicks to how many.
        records: Status of a log's records to how many; empty for readers whose rows are pages or impressions.
        duplicates: Exact copies that were dropped: `rows` of pages, or `pages`.
        robots: Rule to n_serps (sound pages), n_robots (sessions, or visitors or addresses of a day, each once a day),
            and the largest of them as an example: `id` (12 hex digits of a hash), `n_serps` of that `day`.
        sessions: How many were made and how many of these cut, the pages of made ones, and pages received on a later
            day; empty where nothing was made or late.
    """

    n_read: int = 0
    n_serps: int = 0
    n_clicks: int = 0
    n_robot_serps: int = 0
    n_robot_sessions: int = 0
    n_abandoned: int = 0
    set_aside: dict[str, int] = field(default_factory=dict)
    notes: dict[str, int] = field(default_factory=dict)
    clicks: dict[str, int] = field(default_factory=dict)
    records: dict[str, int] = field(default_factory=dict)
    duplicates: dict[str, int] = field(default_factory=dict)
    robots: dict[str, dict[str, Any]] = field(default_factory=dict)
    sessions: dict[str, int] = field(default_factory=dict)

    @property
    def n_set_aside(self) -> int:
        """Faulty pages, all reasons together."""
        return sum(self.set_aside.values())

    @property
    def n_clicks_lost(self) -> int:
        """Clicks that found no document of a page."""
        return sum(self.clicks.get(name, 0) for name in LOST_CLICKS)

    @property
    def lost_click_share(self) -> float:
        """Share of them among all clicks but those on faulty pages and robots', 0 to 1."""
        n_found = self.clicks.get(KEPT, 0) + self.clicks.get(REPEATED_CLICKS.removeprefix(_CLICKS), 0)
        return self.n_clicks_lost / max(1, self.n_clicks_lost + n_found)


def count_pages(flagged: DataFrame, *, drops_abandoned: bool = False) -> dict[str, CorpusCounts]:
    """Count a log's pages by corpus and by what becomes of them.

    Args:
        flagged: `schemas.RAW_SERPS` plus note, tally and robot (`robots.ROBOT_TYPE`).
        drops_abandoned: Whether pages without a click are left out.

    Returns:
        Corpus to its counts.
    """
    is_kept = F.col("fault").isNull() & F.col("robot").isNull()
    tally = F.coalesce("tally", F.array().cast(TALLY_TYPE))
    # The first row stands for the page, and each further one for a count; most pages have none.
    entries = F.concat(F.array(F.lit(None).cast(TALLY_TYPE.removeprefix("array<").removesuffix(">"))), tally)
    rows = flagged.withColumn("entry", F.explode(entries))
    is_first = F.col("entry").isNull()
    note, what = F.when(is_kept & is_first, F.col("note")).alias("note"), F.col("entry.what").alias("what")
    is_abandoned = is_kept & (_n_clicks() == 0) if drops_abandoned else F.lit(False)
    # By robot first: largest and distinct ones are then found among few rows, and no sort of all pages is needed.
    by_robot = rows.groupBy("corpus", "fault", "robot", is_abandoned.alias("is_abandoned"), note, what).agg(
        F.count_if(is_first).alias("n_serps"),
        F.sum(F.when(is_first, _n_clicks()).otherwise(0)).alias("n_clicks"),
        F.sum("entry.n").alias("n"),
    )
    groups = by_robot.groupBy("corpus", "fault", F.col("robot.rule").alias("rule"), "is_abandoned", "note", "what").agg(
        *(F.sum(name).alias(name) for name in ("n_serps", "n_clicks", "n")),
        F.count("robot").alias("n_robots"),
        F.max(F.struct(F.coalesce("robot.n", "n_serps").alias("n"), "robot.day", "robot.actor")).alias("example"),
    )
    counts: dict[str, CorpusCounts] = {}
    # An action: one row for each corpus, reason and note, so tens of rows; the checks need them before the write.
    for row in groups.collect():
        _add(counts.setdefault(row["corpus"], CorpusCounts()), row)
    return counts


def _n_clicks() -> Column:
    return F.coalesce(F.size(F.filter("clicked", lambda clicked: clicked)), F.lit(0))


def _add(counts: CorpusCounts, row: Row) -> None:
    if row["what"] is not None:
        group, _, name = row["what"].partition("/")
        _increase(getattr(counts, group), [name], row["n"])
    if row["what"] is not None or row["fault"] == NOT_A_PAGE:
        return
    counts.n_read += row["n_serps"]
    if row["fault"] is not None:
        _increase(counts.set_aside, [row["fault"]], row["n_serps"])
        _increase(counts.clicks, [ON_FAULTY], row["n_clicks"])
    elif row["rule"] is not None:
        _add_robots(counts, row)
    elif row["is_abandoned"]:
        counts.n_abandoned += row["n_serps"]
    else:
        counts.n_serps += row["n_serps"]
        counts.n_clicks += row["n_clicks"]
        _increase(counts.notes, (row["note"] or "").splitlines(), row["n_serps"])
        _increase(counts.clicks, [KEPT], row["n_clicks"])


def _add_robots(counts: CorpusCounts, row: Row) -> None:
    counts.n_robot_serps += row["n_serps"]
    counts.n_robot_sessions += row["n_robots"] if row["rule"] == SESSION else 0
    day = row["example"]["day"]
    example = {"id": row["example"]["actor"], "n_serps": row["example"]["n"], "day": day and day.isoformat()}
    counts.robots[row["rule"]] = {"n_serps": row["n_serps"], "n_robots": row["n_robots"], "example": example}
    _increase(counts.clicks, [ON_ROBOTS], row["n_clicks"])


def _increase(totals: dict[str, int], names: Iterable[str], by: int) -> None:
    for name in names if by else ():
        totals[name] = totals.get(name, 0) + by


@dataclass(frozen=True)
class PositionRate:
    """How often one position was clicked.

    Args:
        corpus: Which one.
        position: 1-based place on the page.
        n_impressions: Documents shown there.
        n_clicks: Those that were clicked.
    """

    corpus: str
    position: int
    n_impressions: int
    n_clicks: int

    @property
    def click_through(self) -> float:
        """Share of the documents shown there that were clicked, 0 to 1."""
        return self.n_clicks / self.n_impressions


def corpus_facts(serps: DataFrame) -> dict[str, dict[str, Any]]:
    """Describe an ingested log.

    Args:
        serps: `schemas.SERPS`.

    Returns:
        Corpus to n_serps, n_sessions, n_queries (as typed), n_clusters, n_impressions, n_clicks, click_through
        (clicks an impression), share_without_click (of pages), first_shown_at and last_shown_at (ISO 8601, UTC,
        or None).
    """
    n_clicks = F.size(F.filter("clicked", lambda clicked: clicked))
    described = serps.groupBy("corpus").agg(
        F.count("*").alias("n_serps"),
        F.count_distinct("session_id").alias("n_sessions"),
        F.count_distinct("query").alias("n_queries"),
        F.count_distinct("query_cluster_id").alias("n_clusters"),
        F.sum(F.size("doc_ids")).alias("n_impressions"),
        F.sum(n_clicks).alias("n_clicks"),
        F.count_if(n_clicks == 0).alias("n_without_click"),
        F.min(F.unix_seconds("shown_at")).alias("first_s"),
        F.max(F.unix_seconds("shown_at")).alias("last_s"),
    )
    # An action: one row per corpus, for the report. Few rows are sorted here: Spark would run a job to sample them.
    return {row["corpus"]: _facts(row) for row in sorted(described.collect(), key=lambda row: row["corpus"])}


def click_through_by_position(serps: DataFrame, *, max_position: int) -> list[PositionRate]:
    """Count impressions and clicks at each place of the page.

    Args:
        serps: `schemas.SERPS`.
        max_position: Deepest position counted, 1-based.

    Returns:
        In the order of corpus and position.
    """
    seen = serps.select("corpus", F.posexplode(F.slice("clicked", 1, max_position)).alias("index", "is_clicked"))
    rates = seen.groupBy("corpus", "index").agg(
        F.count("*").alias("n_impressions"), F.count_if("is_clicked").alias("n_clicks")
    )
    # An action: at most max_position rows per corpus, for the plot.
    rows = sorted(rates.collect(), key=lambda row: (row["corpus"], row["index"]))
    return [PositionRate(row["corpus"], row["index"] + 1, row["n_impressions"], row["n_clicks"]) for row in rows]


def _facts(row: Row) -> dict[str, Any]:
    counts = ("n_serps", "n_sessions", "n_queries", "n_clusters", "n_impressions", "n_clicks")
    return {
        **{name: row[name] for name in counts},
        "click_through": row["n_clicks"] / row["n_impressions"],
        "share_without_click": row["n_without_click"] / row["n_serps"],
        "first_shown_at": _iso(row["first_s"]),
        "last_shown_at": _iso(row["last_s"]),
    }


def _iso(epoch_s: int | None) -> str | None:
    return None if epoch_s is None else datetime.fromtimestamp(epoch_s, tz=UTC).isoformat()
