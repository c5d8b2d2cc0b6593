"""How low and how high a forest can score, and what lifts that, for engines that refuse negative scores."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from rankhammer.exporters.trees import Forest


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
