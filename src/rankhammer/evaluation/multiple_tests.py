"""Tests of many paired differences at once: a randomisation test for each, and Holm's correction over all."""

from __future__ import annotations

from math import erfc, sqrt
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]

_MAX_SIGNS = 4_000_000
"""Random signs held at once: 32 MB, however many clusters."""


def randomisation_p(differences: FloatArray, clusters: NDArray[Any], *, n_draws: int, random_state: int) -> float:
    """Return how often chance alone shows a mean difference as large as the one that was seen.

    Where two orders are equally good, it is chance which of them a cluster of queries favours: each draw turns the sign
    of every cluster's differences at random. p = (1 + draws at least as extreme) / (1 + draws), two-sided.

    Args:
        differences: One per query, NaN where it has none. Shape (n_queries,).
        clusters: Cluster of each query; its queries share a sign. Shape (n_queries,).
        n_draws: Random assignments.
        random_state: Seed.

    Returns:
        Above 0, up to 1; 1 where there is no difference at all. Where no draw is as extreme, they say only that p is
        below 1 / n_draws, which no correction for many comparisons would leave significant: then that of the normal
        distribution which the draws have in the limit, but no less than 2 / 2^clusters, which is the least there is.

    References:
        Smucker, Allan and Carterette, A comparison of statistical significance tests for information retrieval
        evaluation, CIKM 2007.
    """
    kept = ~np.isnan(differences)
    if not kept.any():
        return 1.0
    _, group = np.unique(clusters[kept], return_inverse=True)
    sums: FloatArray = np.bincount(group, weights=differences[kept]).astype(np.float64)
    rng = np.random.default_rng(random_state)
    # Rounding must not make a draw that is equal look smaller.
    seen = abs(float(sums.sum())) * (1.0 - 1e-12)
    step, n_extreme = max(1, _MAX_SIGNS // len(sums)), 0
    for start in range(0, n_draws, step):
        signs = rng.integers(0, 2, size=(min(step, n_draws - start), len(sums))) * 2.0 - 1.0
        n_extreme += int((np.abs(signs @ sums) >= seen).sum())
    return (1.0 + n_extreme) / (1.0 + n_draws) if n_extreme else min(1.0 / (1.0 + n_draws), _tail(sums))


def _tail(sums: FloatArray) -> float:
    """Two-sided p of the sum where each addend's sign is as likely + as -: mean 0, variance sum of squares."""
    normal = erfc(abs(float(sums.sum())) / sqrt(2.0 * float((sums**2).sum())))
    return max(normal, 2.0 ** (1 - len(sums)))


def holm(p_values: Sequence[float]) -> list[float]:
    """Correct p values for how many of them there are: the chance of any false discovery stays at alpha.

    The i-th smallest of m is multiplied by m - i + 1; none becomes smaller than one before it, or larger than 1.

    Args:
        p_values: One per comparison, 0 to 1.

    Returns:
        The corrected values, in the same order.

    References:
        Holm, A simple sequentially rejective multiple test procedure, Scandinavian Journal of Statistics 1979.
    """
    found = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(found, kind="stable")
    corrected = np.empty(len(found))
    corrected[order] = np.minimum(1.0, np.maximum.accumulate(found[order] * np.arange(len(found), 0, -1)))
    values: list[float] = corrected.tolist()
    return values
