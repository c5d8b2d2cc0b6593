"""Means of per-query values with intervals from resampled query clusters, and paired comparisons of systems."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]

_MAX_DRAWS = 4_000_000
"""Draws held at once: 32 MB, however many clusters and resamples."""


@dataclass(frozen=True)
class Bootstrap:
    """How intervals are made.

    Args:
        n_resamples: Resamples of the clusters, with replacement.
        confidence: Coverage of the percentile interval, between 0 and 1.
        random_state: Seed.

    References:
        Efron and Tibshirani, An Introduction to the Bootstrap, 1993; clusters as the unit: Field and Welsh,
        Bootstrapping clustered data, JRSS B 2007.
    """

    n_resamples: int = 1000
    confidence: float = 0.95
    random_state: int = 0


def compare_systems(
    values: Mapping[str, FloatArray], clusters: NDArray[Any], bootstrap: Bootstrap
) -> list[dict[str, Any]]:
    """Sum up one metric of several systems on the same queries.

    Args:
        values: System to one value per query, NaN where it has none. Shape (n_queries,).
        clusters: Ascending cluster numbers, one per query; equal numbers are resampled together. Shape (n_queries,).
        bootstrap: How intervals are made.

    Returns:
        One row a quantity: "mean" of every system; "difference" of "ranker" against "baseline", "logged" and
        "champion"; and "oracle_share" of the ranker against the baseline, (ranker - baseline) / (oracle - baseline).
        Keys: quantity, system, against, mean, lower, upper (None below two clusters), sd (None likewise, and for the
        share; see `clustered_sd`), n_queries, n_clusters.
    """
    columns = dict(_means(values)) | dict(_differences(values)) | dict(_gains(values))
    matrix = np.column_stack(list(columns.values()))
    samples = resampled_means(matrix, clusters, bootstrap)
    rows = []
    for place, (key, column) in enumerate(columns.items()):
        kept = ~np.isnan(column)
        counts = {"n_queries": int(kept.sum()), "n_clusters": len(np.unique(clusters[kept]))}
        mean = column[kept].mean() if kept.any() else np.nan
        # One cluster drawn again and again would show no spread at all.
        drawn = samples[:, place] if counts["n_clusters"] > 1 else np.full(len(samples), np.nan)
        sd = clustered_sd(column[kept], clusters[kept])
        rows.append(_row(key, mean, drawn, bootstrap.confidence) | {"sd": sd} | counts)
    return _with_oracle_share(rows, samples, bootstrap.confidence)


def resampled_means(values: FloatArray, clusters: NDArray[Any], bootstrap: Bootstrap) -> FloatArray:
    """Average each column over the queries of resampled clusters.

    A resample draws as many clusters as there are; the mean is over queries, so a cluster weighs as its queries do.

    Args:
        values: NaN where there is no value. Shape (n_queries, n_columns).
        clusters: Cluster of each query. Shape (n_queries,).
        bootstrap: Number of resamples and seed.

    Returns:
        Shape (n_resamples, n_columns); NaN where no drawn cluster has a value.
    """
    used = ~np.isnan(values).all(axis=1)
    _, group = np.unique(clusters[used], return_inverse=True)
    sums, counts = _cluster_sums(values[used], group)
    rng = np.random.default_rng(bootstrap.random_state)
    means = np.full((bootstrap.n_resamples, values.shape[1]), np.nan)
    step = max(1, _MAX_DRAWS // max(1, len(sums)))
    for start in range(0, bootstrap.n_resamples if len(sums) else 0, step):
        stop = min(start + step, bootstrap.n_resamples)
        weights = _draws(rng, stop - start, len(sums))
        drawn = weights @ counts
        np.divide(weights @ sums, drawn, out=means[start:stop], where=drawn > 0)
    return means


def clustered_sd(values: FloatArray, clusters: NDArray[Any]) -> float | None:
    """Return the standard deviation that one query adds to a mean whose queries come in clusters.

    sd^2 = G / (G - 1) * sum over clusters of (sum of the cluster's deviations from the mean)^2 / n, for G clusters of n
    queries: sd / sqrt(n) is the cluster-robust standard error of the mean. With one query a cluster it is the usual
    sample deviation.

    Args:
        values: One per query, without NaN. Shape (n_queries,).
        clusters: Cluster of each query. Shape (n_queries,).

    Returns:
        In the values' unit; None below two clusters.

    References:
        Liang and Zeger, Longitudinal data analysis using generalized linear models, Biometrika 1986.
    """
    ids, group = np.unique(clusters, return_inverse=True)
    if len(ids) < 2:
        return None
    sums = np.bincount(group, weights=values - values.mean())
    return float(np.sqrt(len(ids) / (len(ids) - 1) * (sums**2).sum() / len(values)))


def _cluster_sums(values: FloatArray, group: NDArray[np.intp]) -> tuple[FloatArray, FloatArray]:
    n_clusters = int(group.max()) + 1 if len(group) else 0
    columns = list(values.T)
    sums = [np.bincount(group, weights=np.nan_to_num(column), minlength=n_clusters) for column in columns]
    counts = [np.bincount(group, weights=~np.isnan(column), minlength=n_clusters) for column in columns]
    return np.column_stack(sums), np.column_stack(counts)


def _draws(rng: np.random.Generator, n_resamples: int, n_clusters: int) -> FloatArray:
    """How often each resample draws each cluster. Shape (n_resamples, n_clusters)."""
    drawn = rng.integers(n_clusters, size=(n_resamples, n_clusters))
    flat = (drawn + n_clusters * np.arange(n_resamples)[:, None]).ravel()
    return np.bincount(flat, minlength=n_resamples * n_clusters).reshape(drawn.shape).astype(np.float64)


_Key = tuple[str, str, str | None]


def _means(values: Mapping[str, FloatArray]) -> Iterator[tuple[_Key, FloatArray]]:
    for system, column in values.items():
        yield ("mean", system, None), column


def _differences(values: Mapping[str, FloatArray]) -> Iterator[tuple[_Key, FloatArray]]:
    for against in ("baseline", "logged", "champion"):
        if "ranker" in values and against in values:
            yield ("difference", "ranker", against), values["ranker"] - values[against]


def _gains(values: Mapping[str, FloatArray]) -> Iterator[tuple[_Key, FloatArray]]:
    """Numerator and denominator of the oracle's share, over the queries that all three systems have."""
    if {"ranker", "baseline", "oracle"} <= set(values):
        baseline, ranker, oracle = values["baseline"], values["ranker"], values["oracle"]
        yield ("gain", "ranker", "baseline"), ranker - baseline + 0.0 * oracle
        yield ("gain", "oracle", "baseline"), oracle - baseline + 0.0 * ranker


def _row(key: _Key, mean: float, samples: FloatArray, confidence: float) -> dict[str, Any]:
    quantity, system, against = key
    lower, upper = _interval(samples, confidence)
    return {"quantity": quantity, "system": system, "against": against} | {
        name: None if np.isnan(value) else float(value)
        for name, value in (("mean", mean), ("lower", lower), ("upper", upper))
    }


def _interval(samples: FloatArray, confidence: float) -> tuple[float, float]:
    """Percentile interval; NaN where the samples are not all numbers."""
    tail = (1.0 - confidence) / 2.0
    lower, upper = np.quantile(samples, [tail, 1.0 - tail])
    return float(lower), float(upper)


def _with_oracle_share(rows: list[dict[str, Any]], samples: FloatArray, confidence: float) -> list[dict[str, Any]]:
    """Replace the two gains by their ratio; null where the oracle gains nothing, so that no share of it exists."""
    if rows[-1]["quantity"] != "gain":
        return rows
    ranker, oracle = rows[-2:]
    possible = oracle["mean"] is not None and oracle["mean"] > 0
    share = ranker["mean"] / oracle["mean"] if possible else np.nan
    ratios = np.full(len(samples), np.nan)
    safe = (samples[:, -1] > 0) & (possible and ranker["n_clusters"] > 1)
    np.divide(samples[:, -2], samples[:, -1], out=ratios, where=safe)
    key = ("oracle_share", "ranker", "baseline")
    counts = {name: ranker[name] for name in ("n_queries", "n_clusters")}
    return [*rows[:-2], _row(key, share, ratios, confidence) | {"sd": None} | counts]
