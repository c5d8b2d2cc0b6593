"""One word on a ranker: better, worse, or not distinguishable from another order of the same queries, or too few."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

BETTER, SAME, WORSE, TOO_FEW = "better", "not distinguishable", "worse", "too few queries"
POWER = 0.8
"""Chance to see a difference that is there, at which `queries_needed` aims."""


@dataclass(frozen=True)
class VerdictRule:
    """When a difference counts.

    Args:
        confidence: Coverage of the intervals, between 0.5 and 1; alpha is the rest.
        min_clusters: Query clusters with a paired value below which an interval is not trusted, 2 or more.
    """

    confidence: float = 0.95
    min_clusters: int = 20


def judge(difference: Mapping[str, Any], rule: VerdictRule) -> dict[str, Any]:
    """Put a paired difference and its interval into one word.

    Args:
        difference: A row of `bootstrap.compare_systems` whose quantity is "difference".
        rule: When a difference counts.

    Returns:
        mean, lower, upper (of the metric; null where there are none), n_queries, n_clusters, verdict; and
        n_queries_needed, see `queries_needed`, null for every other verdict than "not distinguishable".
    """
    word = _word(difference, rule)
    needed = queries_needed(difference["mean"], difference["sd"], rule.confidence) if word == SAME else None
    names = ("mean", "lower", "upper", "n_queries", "n_clusters")
    return {name: difference[name] for name in names} | {"verdict": word, "n_queries_needed": needed}


def judge_all(rows: Iterable[Mapping[str, Any]], rule: VerdictRule) -> dict[str, dict[str, Any]]:
    """Judge the ranker against every other order that it was paired with.

    Args:
        rows: Rows of `systems.summarize` of one (corpus, metric, truth).
        rule: When a difference counts.

    Returns:
        "logged", "baseline" and "champion", as far as they were measured, to what `judge` returns.
    """
    found = {row["against"]: judge(row, rule) for row in rows if row["quantity"] == "difference"}
    return {against: found[against] for against in ("logged", "baseline", "champion") if against in found}


def overall(verdicts: Mapping[str, Mapping[str, Any]]) -> str:
    """Return one word for all comparisons: the worst news counts.

    Args:
        verdicts: What `judge_all` returned.

    Returns:
        "worse" where one is; else "too few queries" where one is, or where nothing was compared; "better" where all
        are; else "not distinguishable".
    """
    words = {found["verdict"] for found in verdicts.values()} or {TOO_FEW}
    return next((word for word in (WORSE, TOO_FEW, SAME) if word in words), BETTER)


def queries_needed(mean: float | None, sd: float | None, confidence: float, *, power: float = POWER) -> int | None:
    """Return how many queries would show a difference as large as the one that was seen.

    n = ((z(1 - alpha / 2) + z(power)) * sd / |mean|)^2, the sample size of the two-sided paired z test. It takes the
    seen difference for the true one, so that it says the order of magnitude and no more.

    Args:
        mean: Mean paired difference.
        sd: Standard deviation of the paired differences, a query, with the clusters' correlation in it.
        confidence: 1 - alpha.
        power: Chance to see the difference, 0.5 to 1.

    Returns:
        Whole queries, 1 or more; None where nothing is known or the difference is 0.

    References:
        Sakai, Topic set size design, Information Retrieval Journal 19, 2016 (paired differences of a metric, the topic
        as the unit); Cohen, Statistical Power Analysis for the Behavioral Sciences, 1988, chapter 2.
    """
    if not mean or not sd:
        return None
    normal = NormalDist()
    z = normal.inv_cdf((1.0 + confidence) / 2.0) + normal.inv_cdf(power)
    return ceil((z * sd / abs(mean)) ** 2)


def _word(difference: Mapping[str, Any], rule: VerdictRule) -> str:
    lower, upper = difference["lower"], difference["upper"]
    if lower is None or upper is None or difference["n_clusters"] < rule.min_clusters:
        return TOO_FEW
    if lower > 0:
        return BETTER
    return WORSE if upper < 0 else SAME
