"""What the ingested log looks like: facts per corpus, and how often each position is clicked."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, Row


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
    # An action: one row a corpus, for the report.
    return {row["corpus"]: _facts(row) for row in described.orderBy("corpus").collect()}


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
    # An action: at most max_position rows a corpus, for the plot.
    rows = rates.orderBy("corpus", "index").collect()
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
