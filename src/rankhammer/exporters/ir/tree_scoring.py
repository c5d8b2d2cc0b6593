"""Scores many vectors at once on a forest, by an engine's rules; how low and how high a forest can score."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rankhammer.exporters.ir.trees import Forest

Absent = Literal["zero", "right", "default"]
"""What an absent feature (NaN) means to an engine: 0.0, always right, or each node's default direction."""

_CELLS = 2_000_000
"""(vector, tree) pairs walked at once: 16 MB a working array."""


def leaf_places(forest: Forest, features: NDArray[np.float32], absent: Absent = "default") -> NDArray[np.int64]:
    """Return the leaf that each vector reaches in each tree.

    Args:
        forest: The trees.
        features: float32, shape (n_rows, n_features), columns as `forest.feature_names`.
        absent: What NaN means.

    Returns:
        Places in the forest's arrays, shape (n_trees, n_rows).
    """
    rows = max(1, _CELLS // max(1, forest.n_trees))
    parts = [_walk(forest, features[start : start + rows], absent) for start in range(0, len(features), rows)]
    return np.concatenate(parts, axis=1) if parts else np.zeros((forest.n_trees, 0), np.int64)


def sum_leaves(
    forest: Forest, leaves: NDArray[np.int64], *, kind: type[np.float32] | type[np.float64] = np.float32
) -> NDArray[Any]:
    """Add up the base and leaf values, tree after tree.

    Args:
        forest: The trees.
        leaves: What `leaf_places` returned.
        kind: Floats to add up in: float32 as XGBoost and most engines do, or float64.

    Returns:
        One score per row, shape (n_rows,).
    """
    total = np.full(leaves.shape[1], forest.base, kind)
    for places in leaves:
        total += forest.value[places]
    return total


def _walk(forest: Forest, features: NDArray[np.float32], absent: Absent) -> NDArray[np.int64]:
    if absent == "zero":
        features = np.nan_to_num(features, nan=0.0, posinf=np.inf, neginf=-np.inf)
    by_default = absent == "default" and bool(np.isnan(features).any())
    n_rows, n_features = features.shape
    flat, offset = np.ascontiguousarray(features).ravel(), np.arange(n_rows) * n_features
    place = np.repeat(forest.roots[:, None], n_rows, axis=1)
    for _ in range(int(forest.depth.max(initial=0))):
        # A leaf's feature is -1; whatever is read there, both of its children are the leaf itself.
        value = flat[np.maximum(forest.feature[place], 0) + offset] if n_features else np.zeros(place.shape, np.float32)
        goes_left = value < forest.threshold[place]
        if by_default:
            goes_left |= np.isnan(value) & forest.default_left[place]
        place = np.where(goes_left, forest.left[place], forest.right[place])
    return place


def lifting_constant(lowest: float) -> float:
    """Return the smallest whole number that lifts a score to zero or above.

    Args:
        lowest: The lowest score that a document can reach.
    """
    return float(math.ceil(-lowest)) if lowest < 0 else 0.0


def score_bounds(forest: Forest) -> tuple[float, float]:
    """Return numbers that no score is below or above: the sums of each tree's smallest and largest leaf.

    Both leave room for what adding up in float32 can lose: half a unit in the last place for every addition.
    """
    values = forest.value[forest.leaves].astype(np.float64)
    owner = np.searchsorted(forest.roots, forest.leaves, side="right") - 1
    starts = np.flatnonzero(np.diff(owner, prepend=-1))
    size = abs(forest.base) + np.maximum.reduceat(np.abs(values), starts).sum()
    lost = (forest.n_trees + 1) * 2.0**-24 * size
    lowest = forest.base + np.minimum.reduceat(values, starts).sum() - lost
    return float(lowest), float(forest.base + np.maximum.reduceat(values, starts).sum() + lost)
