"""Which size of a ranker is worth it, and whether more training queries are: from values on held-out queries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from rankhammer.evaluation.bootstrap import Bootstrap, clustered_sd
from rankhammer.evaluation.segments import interval
from rankhammer.evaluation.verdict import SAME, TOO_FEW, VerdictRule

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]

MORE, ENOUGH = "yes", "no"


@dataclass(frozen=True)
class SizedScores:
    """What one size of a family reaches on held-out queries.

    Args:
        name: For people, such as "max_depth 4".
        size: Anything that grows with capacity: depth, trees, leaves; sizes are compared by it.
        values: The metric of each held-out query, the same queries for all sizes; NaN where it has none. Shape
            (n_queries,).
    """

    name: str
    size: float
    values: FloatArray


def capacity_sweep(
    sizes: Sequence[SizedScores],
    clusters: NDArray[Any],
    bootstrap: Bootstrap,
    *,
    standard_errors: float = 1.0,
) -> list[dict[str, Any]]:
    """Choose the smallest size that is at most one standard error behind the best.

    The standard error is that of the paired difference to the best size over the same queries, with the correlation
    within clusters in it: much smaller than that of either mean.

    Args:
        sizes: Of one family, at least one.
        clusters: Cluster of each query. Shape (n_queries,).
        bootstrap: How intervals of the means are made.
        standard_errors: How many of them a smaller size may be behind; 0: the best.

    Returns:
        A row per size, ascending: name, size, mean, lower, upper (None below two clusters), behind (the best one's mean
        less this one's, 0 or more), standard_error (of that; None below two clusters), is_best, is_chosen (one row
        each).

    References:
        Breiman, Friedman, Olshen and Stone, Classification and Regression Trees, 1984, section 3.4.3.
    """
    ordered = sorted(sizes, key=lambda one: (one.size, one.name))
    kept = ~np.isnan(np.column_stack([one.values for one in ordered])).any(axis=1)
    values = [one.values[kept] for one in ordered]
    means = [float(found.mean()) if found.size else float("nan") for found in values]
    best = int(np.nanargmax(means)) if np.isfinite(means).any() else 0
    rows: list[dict[str, Any]] = []
    for one, found, mean in zip(ordered, values, means, strict=True):
        behind, error = means[best] - mean, _standard_error(values[best] - found, clusters[kept])
        ends = interval(found, clusters[kept], bootstrap) if error is not None else (None, None)
        row = {"name": one.name, "size": one.size, "mean": mean, "lower": ends[0], "upper": ends[1]}
        rows.append(row | {"behind": behind, "standard_error": error, "is_best": False, "is_chosen": False})
    rows[best]["is_best"] = True
    near = (at for at, row in enumerate(rows) if row["behind"] <= standard_errors * (row["standard_error"] or 0.0))
    rows[next(near, best)]["is_chosen"] = True
    return rows


def is_more_worth_it(
    half: FloatArray,
    whole: FloatArray,
    clusters: NDArray[Any],
    bootstrap: Bootstrap,
    *,
    min_clusters: int = VerdictRule.min_clusters,
) -> dict[str, Any]:
    """Say whether the last doubling of the training queries has paid, and so whether another one may.

    Args:
        half: The metric of each test query after training on half of the queries. Shape (n_queries,).
        whole: The same after training on all. Shape (n_queries,).
        clusters: Cluster of each query. Shape (n_queries,).
        bootstrap: How the interval is made.
        min_clusters: Query clusters that an answer takes, as a verdict does.

    Returns:
        mean, lower, upper of the paired gain; answer: "yes" where the whole interval is above 0; "no" where even its
        upper end is no more than a hundredth of the metric's mean; else "not distinguishable"; "too few queries" where
        there are fewer clusters.
    """
    kept = ~np.isnan(half) & ~np.isnan(whole)
    gain, groups = (whole - half)[kept], clusters[kept]
    if len(np.unique(groups)) < 2:
        return {"mean": float(gain.mean()) if gain.size else None, "lower": None, "upper": None, "answer": TOO_FEW}
    lower, upper = interval(gain, groups, bootstrap)
    answer = MORE if lower > 0 else ENOUGH if upper <= 0.01 * float(whole[kept].mean()) else SAME
    if len(np.unique(groups)) < min_clusters:
        answer = TOO_FEW
    return {"mean": float(gain.mean()), "lower": lower, "upper": upper, "answer": answer}


def _standard_error(differences: FloatArray, clusters: NDArray[Any]) -> float | None:
    deviation = clustered_sd(differences, clusters)
    return None if deviation is None else deviation / float(np.sqrt(len(differences)))
