"""One corpus's figures: every metric by every truth, the headline by the truth that counts, and verdicts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rankhammer.evaluation import verdict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rankhammer.evaluation.verdict import VerdictRule

    Row = Mapping[str, Any]

_INTERVAL = ("mean", "lower", "upper")
_COUNTS = ("n_queries", "n_clusters", "n_skipped")


def corpus_figures(rows: Sequence[Row], headline: str, rule: VerdictRule) -> dict[str, Any]:
    """Sum up what was measured of one corpus.

    People's grades are the truth where there are some. Rows that nobody was shown have none of a click model.

    Args:
        rows: Rows of `systems.summarize` of one corpus.
        headline: The metric to show first.
        rule: When a difference between two orders counts.

    Returns:
        truth (whose grades the headline is measured by), the headline metric by system, differences, verdict, verdicts,
        oracle_share, metrics (truth to metric to system to mean, lower, upper and counts), and test_queries: a digest
        of the queries that the ranker was measured on, None where there are none; and why_null: why the headline metric
        or its interval is null, None where neither is.
    """
    truths = {row["truth"] for row in rows if row["n_queries"]}
    truth = "reference" if "reference" in truths else "clicks"
    was_shown = any(row["system"] == "logged" for row in rows)
    chosen = [row for row in rows if row["truth"] == truth and row["metric"] == headline]
    means = {row["system"]: row for row in chosen if row["quantity"] == "mean"}
    verdicts = verdict.judge_all(chosen, rule)
    return {
        "truth": truth if was_shown or truth == "reference" else "given",
        headline: {system: interval(row) for system, row in means.items()},
        "differences": {
            f"{row['system']} - {row['against']}": interval(row) for row in chosen if row["quantity"] == "difference"
        },
        "verdict": verdict.overall(verdicts),
        "verdicts": verdicts,
        "oracle_share": next((interval(row) for row in chosen if row["quantity"] == "oracle_share"), None),
        "metrics": _metrics(rows),
        "test_queries": means["ranker"]["queries"] if "ranker" in means else None,
        "why_null": _why_null(means.get("ranker"), headline),
    }


def _why_null(measured: Row | None, headline: str) -> str | None:
    if measured is None:
        return f"no {headline}: it has no test query"
    if measured["mean"] is None:
        n = measured["n_skipped"]
        return f"no {headline}: none of its {n:,} test queries has a document of grade 1 or more"
    if measured["lower"] is None:
        return f"no interval of {headline}: its test queries with a value are in {measured['n_clusters']} cluster"
    return None


def interval(row: Row) -> dict[str, float | None]:
    """Return a row's mean and the ends of its interval."""
    return {name: row[name] for name in _INTERVAL}


def _metrics(rows: Sequence[Row]) -> dict[str, dict[str, dict[str, Any]]]:
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for row in rows:
        if row["quantity"] == "mean":
            facts = {name: row[name] for name in (*_INTERVAL, *_COUNTS)}
            found.setdefault(row["truth"], {}).setdefault(row["metric"], {})[row["system"]] = facts
    return found
