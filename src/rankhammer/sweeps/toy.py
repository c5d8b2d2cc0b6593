"""Points of three classes in a plane, on which a model can be too small or larger than it has to be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]

CLASSES = ("cross", "ring", "background")
HALF = 1.5
"""Points lie in the square from -HALF to HALF on both axes, but for the jitter's few."""
_ROTATION = np.pi / 4
_ARM, _RADIUS = 0.9, 1.1


@dataclass(frozen=True)
class Points:
    """Points with their classes.

    Args:
        xy: Shape (n, 2).
        classes: Numbers in `CLASSES`, shape (n,).
    """

    xy: FloatArray
    classes: NDArray[np.int64]

    def split(self, share: float, seed: int) -> tuple[Points, Points]:
        """Set a share of the points aside, drawn by a seed.

        Args:
            share: Above 0, below 1.
            seed: Of the draw.

        Returns:
            (those to train on, those set aside).
        """
        order = np.random.default_rng([seed, 1]).permutation(len(self.classes))
        n_aside = round(share * len(order))
        aside, rest = np.sort(order[:n_aside]), np.sort(order[n_aside:])
        return Points(self.xy[rest], self.classes[rest]), Points(self.xy[aside], self.classes[aside])


def make_points(n: int, *, seed: int, jitter: float = 0.12) -> Points:
    """Make points: a cross, a ring around it and a background, all turned by 45 degrees.

    Args:
        n: How many; a third of each class, the first classes one more where that does not go into it.
        seed: Of everything that is drawn.
        jitter: Standard deviation of what is added to each coordinate, in units of the plane.
    """
    drawn = np.random.default_rng([seed, 0])
    counts = [n // 3 + (place < n % 3) for place in range(3)]
    cross, ring = _cross(drawn, counts[0]), _ring(drawn, counts[1])
    background = drawn.uniform(-HALF, HALF, (counts[2], 2))
    xy = np.concatenate([cross, ring, background])
    xy[: counts[0] + counts[1]] += drawn.normal(0.0, jitter, (counts[0] + counts[1], 2))
    return Points(xy @ _turn(_ROTATION).T, np.repeat(np.arange(3), counts))


def _cross(drawn: np.random.Generator, n: int) -> FloatArray:
    along, is_upright = drawn.uniform(-_ARM, _ARM, n), drawn.random(n) < 0.5
    return np.where(is_upright[:, None], np.column_stack([0 * along, along]), np.column_stack([along, 0 * along]))


def _ring(drawn: np.random.Generator, n: int) -> FloatArray:
    angle = drawn.uniform(0.0, 2 * np.pi, n)
    return _RADIUS * np.column_stack([np.cos(angle), np.sin(angle)])


def _turn(angle: float) -> FloatArray:
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def grid(n: int) -> FloatArray:
    """Return the points of a square grid over the plane, rows from the top down, each from left to right.

    Args:
        n: Points along each side.

    Returns:
        Shape (n * n, 2).
    """
    ends = np.linspace(-HALF, HALF, n)
    return np.column_stack([np.tile(ends, n), np.repeat(ends[::-1], n)])
