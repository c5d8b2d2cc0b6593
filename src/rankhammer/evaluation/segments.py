"""How a ranker does on parts of the test queries: rare and frequent ones, short and long ones, new ones."""

from __future__ import annotations

from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import numpy as np

from rankhammer.evaluation.bootstrap import Bootstrap, resampled_means
from rankhammer.evaluation.multiple_tests import holm, randomisation_p
from rankhammer.evaluation.verdict import BETTER, SAME, TOO_FEW, WORSE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]

ALL = "all queries"
HEAD, TORSO, TAIL = "head", "torso", "tail"
MOST_WORDS = 4
"""Queries of so many words or more are one segment."""
MAX_VALUES = 50
"""Of a segment's values those with most queries are kept."""


@dataclass(frozen=True)
class MeasuredQueries:
    """One corpus's test queries by one metric and truth.

    Args:
        values: System to one value per query, NaN where it has none. Shape (n_queries,).
        clusters: Query cluster of each. Shape (n_queries,).
        labels: Name of a segment to each query's part of it, as text. Shape (n_queries,).
    """

    values: Mapping[str, FloatArray]
    clusters: NDArray[Any]
    labels: Mapping[str, NDArray[Any]]


def by_popularity(n_searches: FloatArray, clusters: NDArray[Any]) -> NDArray[Any]:
    """Divide queries by their clusters' traffic: the most frequent ones that have a third of it, and so on.

    Args:
        n_searches: How often each query was searched, 0 or more. Shape (n_queries,).
        clusters: Cluster of each query; one with several queries stays together. Shape (n_queries,).

    Returns:
        "head", "torso" or "tail" for each query. Shape (n_queries,).
    """
    ids, group = np.unique(clusters, return_inverse=True)
    sums = np.bincount(group, weights=n_searches, minlength=len(ids))
    order = np.argsort(-sums, kind="stable")
    # What the clusters before one have: so the largest of all is always of the head.
    before = np.cumsum(sums[order]) - sums[order]
    share = np.empty(len(ids))
    share[order] = before / max(float(sums.sum()), 1e-300)
    parts = np.array([HEAD, TORSO, TAIL])
    # 1e-9: a third of a sum may be rounded down.
    named: NDArray[Any] = parts[np.minimum((share * 3 + 1e-9).astype(int), 2)][group]
    return named


def by_length(queries: Sequence[str]) -> NDArray[Any]:
    """Divide queries by their words: "1 word", ..., "4 words or more"."""
    counts = [min(max(len(query.split()), 1), MOST_WORDS) for query in queries]
    names = {1: "1 word", MOST_WORDS: f"{MOST_WORDS} words or more"}
    return np.array([names.get(count, f"{count} words") for count in counts], dtype=object)


def compare_segments(
    found: MeasuredQueries, bootstrap: Bootstrap, *, against: Sequence[str] = ("logged", "baseline")
) -> list[dict[str, Any]]:
    """Compare the ranker with other orders on all queries, and on each part of them.

    Args:
        found: The queries.
        bootstrap: How intervals are made; as many draws for the randomisation test.
        against: The other systems, as far as they were measured.

    Returns:
        A row per (segment, value, against): ranker and other (means over the queries that have both), difference with
        lower and upper (None below two clusters), p of the randomisation test, n_queries, n_clusters.
    """
    parts = {ALL: np.full(len(found.clusters), ALL, dtype=object), **found.labels}
    return [
        {"segment": segment, "value": value, "against": other, **row}
        for segment, labels in parts.items()
        for value in _largest(labels)
        for other in against
        if other in found.values
        for row in _compared(found, labels == value, other, bootstrap)
    ]


def with_holm(rows: Sequence[Mapping[str, Any]], *, alpha: float, min_clusters: int) -> list[dict[str, Any]]:
    """Judge all comparisons together, of all corpora: `p_holm`, `is_significant` (at most alpha), and a `verdict`.

    Args:
        rows: What `compare_segments` returned; those with too few clusters take no part, and have no p_holm.
        alpha: Accepted chance that any of them is a false discovery.
        min_clusters: Query clusters that a verdict takes, as everywhere (`verdict.VerdictRule`).

    Returns:
        The same rows. `verdict` is "better" or "worse" where a difference is significant, else "not distinguishable" or
        "too few queries".
    """
    tested = [place for place, row in enumerate(rows) if _is_tested(row, min_clusters)]
    corrected = dict(zip(tested, holm([rows[place]["p"] for place in tested]), strict=True))
    return [{**row, **_judged(row, corrected.get(place), alpha)} for place, row in enumerate(rows)]


def _is_tested(row: Mapping[str, Any], min_clusters: int) -> bool:
    return row["lower"] is not None and row["n_clusters"] >= min_clusters


def _judged(row: Mapping[str, Any], p_holm: float | None, alpha: float) -> dict[str, Any]:
    is_significant = p_holm is not None and p_holm <= alpha
    word = TOO_FEW if p_holm is None else SAME
    if is_significant:
        word = BETTER if row["difference"] > 0 else WORSE
    return {"p_holm": p_holm, "is_significant": is_significant, "verdict": word}


def _largest(labels: NDArray[Any]) -> list[str]:
    names, counts = np.unique(labels.astype(str), return_counts=True)
    ordered = sorted(zip(names.tolist(), counts.tolist(), strict=True), key=itemgetter(1), reverse=True)
    return sorted(name for name, _ in ordered[:MAX_VALUES])


def _compared(
    found: MeasuredQueries, rows: NDArray[np.bool_], other: str, bootstrap: Bootstrap
) -> Iterator[dict[str, Any]]:
    both = rows & ~np.isnan(found.values["ranker"]) & ~np.isnan(found.values[other])
    if not both.any():
        return
    ranker, before, clusters = found.values["ranker"][both], found.values[other][both], found.clusters[both]
    difference, n_clusters = ranker - before, len(np.unique(clusters))
    lower, upper = interval(difference, clusters, bootstrap) if n_clusters > 1 else (None, None)
    n_draws, seed = bootstrap.n_resamples, bootstrap.random_state
    yield {
        "ranker": float(ranker.mean()),
        "other": float(before.mean()),
        "difference": float(difference.mean()),
        "lower": lower,
        "upper": upper,
        "p": randomisation_p(difference, clusters, n_draws=n_draws, random_state=seed),
        "n_queries": int(both.sum()),
        "n_clusters": n_clusters,
    }


def interval(values: FloatArray, clusters: NDArray[Any], bootstrap: Bootstrap) -> tuple[float, float]:
    """Return the percentile interval of a mean over queries, from resampled clusters.

    Args:
        values: One per query. Shape (n_queries,).
        clusters: Cluster of each. Shape (n_queries,).
        bootstrap: How.
    """
    means = resampled_means(values[:, None], clusters, bootstrap)[:, 0]
    tail = (1.0 - bootstrap.confidence) / 2.0
    lower, upper = np.quantile(means, [tail, 1.0 - tail])
    return float(lower), float(upper)
