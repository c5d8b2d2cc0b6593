"""Chooses features by how much they say about the grades and how little they repeat each other: mRMR.

Every feature becomes buckets of equal size, so scale, outliers and signs do not matter; an absent value (NaN) has a
bucket of its own. All that is needed are counts of pairs of buckets.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Codes = NDArray[np.uint8]
    FloatArray = NDArray[np.float64]

N_BUCKETS = 64
"""Buckets per feature, one of them for absent values; 64 x 64 counts stay in a processor's nearest cache."""
EDGE_ROWS = 100_000
"""Rows that say where buckets end: a share of the rows is exact to a fifth of a hundredth."""
_CHUNK = 1 << 16


@dataclass(frozen=True)
class ChosenFeature:
    """One step of a selection.

    Args:
        feature: Its name.
        relevance: Mutual information with the grade, in nats, 0 or more.
        redundancy: Mean mutual information with the features chosen before it, in nats.
    """

    feature: str
    relevance: float
    redundancy: float


def bucket(features: NDArray[np.float32], *, n_threads: int = 1, n_buckets: int = N_BUCKETS) -> list[Codes]:
    """Put each feature into buckets that hold about equally many rows.

    Args:
        features: Shape (n_rows, n_features); NaN where absent.
        n_threads: Threads to use; the result does not depend on it.
        n_buckets: Buckets, 2 to 256; the last one is for absent values.

    Returns:
        Bucket of each row, one array per feature. Shape (n_rows,) each.
    """
    step = max(1, len(features) // EDGE_ROWS)

    def code(place: int) -> Codes:
        column = np.ascontiguousarray(features[:, place])
        seen = column[::step]
        known = seen[~np.isnan(seen)]
        shares = np.linspace(0.0, 1.0, n_buckets)[1:-1]
        edges = np.unique(np.quantile(known, shares, method="lower")) if known.size else known
        codes = np.searchsorted(edges, column, side="left").astype(np.uint8)
        codes[np.isnan(column)] = n_buckets - 1
        return codes

    with ThreadPoolExecutor(n_threads) as threads:
        return list(threads.map(code, range(features.shape[1])))


def mutual_information(left: Codes, right: Codes) -> float:
    """Return how much two bucketed columns say about each other, in nats, 0 or more.

    The estimate from n rows is too high by about (cells - rows - columns + 1) / 2n, occupied ones: it is taken away.

    Args:
        left: Buckets below 256. Shape (n_rows,).
        right: The same of another column.

    References:
        Cover and Thomas, Elements of Information Theory, 2006; the correction: Miller, Note on the bias of information
        estimates, 1955.
    """
    width = int(right.max(initial=0)) + 1
    height = int(left.max(initial=0)) + 1
    counts = np.zeros(height * width, dtype=np.int64)
    # A chunk's codes stay in the cache between the steps.
    for start in range(0, len(left), _CHUNK):
        pairs = left[start : start + _CHUNK].astype(np.uint16) * np.uint16(width) + right[start : start + _CHUNK]
        counts += np.bincount(pairs, minlength=len(counts))
    return _information(counts.reshape(height, width))


def select(
    features: NDArray[np.float32],
    grades: NDArray[np.float32],
    names: Sequence[str],
    *,
    n_features: int,
    n_threads: int = 1,
) -> list[ChosenFeature]:
    """Choose features one after the other: relevance less mean redundancy with those that are chosen is largest.

    The result does not depend on the order of the rows where buckets are the same, nor on threads; equal features are
    taken in the order of the columns. A feature that says nothing of the grades by itself is never chosen before one
    that does; constants are last.

    Args:
        features: Shape (n_rows, n_features); NaN where absent.
        grades: Whole numbers from 0 to 31. Shape (n_rows,).
        names: Of the features, in column order.
        n_features: How many to choose; all where there are fewer.
        n_threads: Threads to use.

    Returns:
        The chosen ones, the first one first.

    References:
        Peng, Long and Ding, Feature selection based on mutual information: criteria of max-dependency, max-relevance,
        and min-redundancy, IEEE TPAMI 2005.
    """
    codes = bucket(features, n_threads=n_threads)
    labels = grades.astype(np.uint8)
    with ThreadPoolExecutor(n_threads) as threads:
        relevance = np.array(list(threads.map(lambda code: mutual_information(code, labels), codes)))
        redundancy, left = np.zeros(len(codes)), list(range(len(codes)))
        chosen: list[ChosenFeature] = []
        while left and len(chosen) < n_features:
            mean = redundancy / max(1, len(chosen))
            best = max(left, key=lambda at: (relevance[at] > 0, relevance[at] - mean[at], -at))
            chosen.append(ChosenFeature(names[best], float(relevance[best]), float(mean[best])))
            left.remove(best)
            if len(chosen) == n_features:
                break
            newest = codes[best]
            found = threads.map(lambda at, newest=newest: mutual_information(codes[at], newest), left)
            for at, shared in zip(left, found, strict=True):
                redundancy[at] += shared
    return chosen


def stability(selections: Sequence[Sequence[str]]) -> float | None:
    """Return how alike the selections of several folds are: the mean Jaccard index of all pairs, 0 to 1.

    Args:
        selections: Names chosen in each fold.

    Returns:
        None below two selections.
    """
    sets = [set(names) for names in selections]
    pairs = [(one, other) for at, one in enumerate(sets) for other in sets[:at]]
    if not pairs:
        return None
    return sum(len(one & other) / (len(one | other) or 1) for one, other in pairs) / len(pairs)


def redundancy_map(features: NDArray[np.float32], names: Sequence[str], *, n_threads: int = 1) -> list[dict[str, Any]]:
    """Say how much each two features repeat each other: 0 for independent ones, 1 where one is a function of the other.

    Args:
        features: Shape (n_rows, n_features).
        names: Of the features, some dozens: all pairs are computed.
        n_threads: Threads to use.

    Returns:
        A row per pair, the most redundant first: feature, other, shared (mutual information over the smaller entropy).
    """
    codes = bucket(features, n_threads=n_threads)
    pairs = [(one, other) for one in range(len(codes)) for other in range(one)]
    with ThreadPoolExecutor(n_threads) as threads:
        own = list(threads.map(lambda code: mutual_information(code, code), codes))
        shared = list(threads.map(lambda pair: mutual_information(codes[pair[0]], codes[pair[1]]), pairs))
    rows = [
        {"feature": names[other], "other": names[one], "shared": _part(found, min(own[one], own[other]))}
        for (one, other), found in zip(pairs, shared, strict=True)
    ]
    return sorted(rows, key=lambda row: (-row["shared"], row["feature"], row["other"]))


def _part(shared: float, whole: float) -> float:
    return min(1.0, shared / whole) if whole > 0 else 0.0


def _information(counts: NDArray[np.int64]) -> float:
    total = int(counts.sum())
    if not total:
        return 0.0
    rows, columns = counts.sum(axis=1), counts.sum(axis=0)
    found = (_sum_log(counts) - _sum_log(rows) - _sum_log(columns)) / total + float(np.log(total))
    n_cells, n_rows, n_columns = (int(np.count_nonzero(part)) for part in (counts, rows, columns))
    return max(0.0, found - (n_cells - n_rows - n_columns + 1) / (2.0 * total))


def _sum_log(counts: NDArray[np.int64]) -> float:
    """Sum of n log n over the counts that are not 0."""
    used = counts[counts > 0].astype(np.float64)
    return float((used * np.log(used)).sum())
