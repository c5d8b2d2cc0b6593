"""Plots: plain values that a script draws as lines and points, and shapes that stand in the page as SVG."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LINE, POINTS, BOTH = "line", "points", "both"
N_COLOURS = 8
"""Colours of the style sheet, `c0` to `c7`; each series has a dash and a shape of its own, too."""


@dataclass(frozen=True)
class Series:
    """One line, or one kind of points.

    Args:
        name: For the legend.
        points: x to y, or to (y, lower, upper) where it has an interval.
        mode: `LINE`, `POINTS` or `BOTH`.
        names: x to what a point is, for the table of its numbers.
    """

    name: str
    points: Mapping[float, float | tuple[float, float, float]]
    mode: str = BOTH
    names: Mapping[float, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Plot:
    """A plot with two axes.

    Args:
        title: What is shown.
        x: Name of the horizontal axis with its unit.
        y: Name of the vertical axis with its unit.
        series: What is drawn, each with a colour of its own.
        is_time: Whether x is seconds since 1970.
        is_log: Whether x is drawn by its logarithm.
    """

    title: str
    x: str
    y: str
    series: Sequence[Series]
    is_time: bool = False
    is_log: bool = False

    def for_script(self) -> dict[str, Any]:
        """Return what the page's script draws: one row of x for all series, null where a series has no point."""
        places = sorted({place for one in self.series for place in one.points})
        drawn = [{"name": one.name, "mode": one.mode, **_columns(one, places)} for one in self.series]
        axes = {"title": self.title, "x": self.x, "y": self.y, "time": self.is_time, "log": self.is_log}
        return {**axes, "at": places, "series": drawn}

    def rows(self) -> list[tuple[str, float, float, str]]:
        """Return the numbers for a table: series, x, y and interval."""
        return [(one.name, at, *_y_and_interval(one.points[at])) for one in self.series for at in sorted(one.points)]


def _columns(one: Series, places: Sequence[float]) -> dict[str, Any]:
    found = [one.points.get(place) for place in places]
    triples = [point if isinstance(point, tuple) else (point, None, None) for point in found]
    ys, lows, highs = ([triple[k] for triple in triples] for k in range(3))
    return {"y": ys, "low": lows, "high": highs} if any(low is not None for low in lows) else {"y": ys}


def _y_and_interval(point: float | tuple[float, float, float]) -> tuple[float, str]:
    if isinstance(point, tuple):
        return point[0], f"{point[1]:.3f} to {point[2]:.3f}"
    return point, ""


@dataclass(frozen=True)
class Span:
    """From where to where bars and intervals of one table are drawn.

    Args:
        low: Value at the left end.
        high: Value at the right end.
    """

    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float], *, zero: bool = False) -> Span:
        """Span some values, with a twentieth to spare; `zero` keeps 0 in it."""
        every = [*values, 0.0] if zero or not values else list(values)
        low, high = min(every), max(every)
        spare = (high - low) / 20 or 0.05
        return cls(low - (0 if zero and low == 0 else spare), high + spare)

    def place(self, value: float) -> float:
        """Return where a value is, in percent of the width."""
        return round(100 * min(1.0, max(0.0, (value - self.low) / (self.high - self.low))), 2)


def bar(value: float, span: Span) -> tuple[float, float]:
    """Return start and width of a bar from zero, in percent."""
    zero, end = span.place(0.0), span.place(value)
    return min(zero, end), round(abs(end - zero), 2)


def parallel(
    rows: Sequence[Mapping[str, float]], axes: Sequence[str]
) -> tuple[list[str], dict[str, tuple[float, float]]]:
    """Lay out parallel coordinates with one axis below the other, as a narrow screen needs them.

    Args:
        rows: Each with a value for every axis.
        axes: Names, from top to bottom.

    Returns:
        Points of a polyline for each row, x from 0 to 100 and y the number of the axis; each axis' ends.
    """
    ends = {axis: (min(row[axis] for row in rows), max(row[axis] for row in rows)) for axis in axes} if rows else {}
    lines = [
        " ".join(f"{_place(row[axis], *ends[axis])},{place + 0.5}" for place, axis in enumerate(axes)) for row in rows
    ]
    return lines, ends


def _place(value: float, low: float, high: float) -> float:
    return 50.0 if high == low else round(1 + 98 * (value - low) / (high - low), 2)


def row_runs(levels: Sequence[Sequence[int]]) -> list[tuple[int, int, int, int]]:
    """Join equal neighbours of a grid's rows.

    Args:
        levels: Rows from top to bottom.

    Returns:
        (x, y, width, level) of each rectangle.
    """
    found: list[tuple[int, int, int, int]] = []
    for y, row in enumerate(levels):
        start = 0
        for x in range(1, len(row) + 1):
            if x == len(row) or row[x] != row[start]:
                found.append((start, y, x - start, row[start]))
                start = x
    return found
