"""What a neural ranker makes of raw features before it learns: which ones it takes a logarithm of, means, spreads."""

from __future__ import annotations

import fnmatch
from typing import TYPE_CHECKING

import numpy as np

from rankhammer.errors import DataError, did_you_mean
from rankhammer.neural_model import Input, transform

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from rankhammer.rankers.base import Batches

AUTO = "auto"
_SAMPLE_ROWS = 1 << 16
"""Rows that the shape of a feature's values is judged by, evenly spread over all."""
_HEAVY = 30.0
"""So many times the median of its values other than 0 is the 99.9th percentile of a feature with a heavy tail."""


def choose_inputs(batches: Batches, log: Sequence[str]) -> tuple[Input, ...]:
    """Measure each feature; two passes over the rows, one batch in memory at a time.

    Args:
        batches: Whole queries each, at least one row.
        log: Features, or patterns of names, whose logarithm is taken; ("auto",): those with a heavy tail.

    Returns:
        The features whose values differ between rows, in column order; where none do, the first one.

    Raises:
        DataError: A value is infinite, or a pattern fits no feature.
    """
    names = batches[0].feature_names
    marked = _named(log, names) if tuple(log) != (AUTO,) else heavy_tailed(_sample(batches))
    mean, spread = _moments(batches, marked)
    kept = [place for place in range(len(names)) if spread[place] > 0] or [0]
    return tuple(
        Input(names[place], bool(marked[place]), float(mean[place]), float(spread[place]) or 1.0) for place in kept
    )


def heavy_tailed(values: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Mark the columns whose largest values are many times as large as the usual ones; shape (n_columns,).

    Args:
        values: Shape (n_rows, n_columns); values that are 0 or absent do not count.
    """
    found = np.zeros(values.shape[1], np.bool_)
    for place in range(values.shape[1]):
        sizes = np.abs(values[:, place].astype(np.float64))
        sizes = sizes[(sizes > 0) & np.isfinite(sizes)]
        if len(sizes):
            usual, large = np.quantile(sizes, [0.5, 0.999])
            found[place] = large > _HEAVY * usual and large > 1
    return found


def _named(patterns: Sequence[str], names: Sequence[str]) -> NDArray[np.bool_]:
    unused = [pattern for pattern in patterns if not any(fnmatch.fnmatchcase(name, pattern) for name in names)]
    if unused:
        raise DataError(
            f"Option log of neural names {unused[0]!r}, which no feature of the set fits.",
            hint=did_you_mean(unused[0], names),
            pattern=unused[0],
        )
    return np.array([any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns) for name in names], np.bool_)


def _sample(batches: Batches) -> NDArray[np.float32]:
    n_rows = sum(len(batches[place].qid) for place in range(len(batches)))
    step = max(1, -(-n_rows // _SAMPLE_ROWS))
    # Copied: what is only looked at would keep each file's pages in memory.
    return np.concatenate([np.array(batches[place].features[::step]) for place in range(len(batches))])


def _moments(batches: Batches, log: NDArray[np.bool_]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return mean and standard deviation of each column, as 32-bit floats, by the means of batches put together."""
    n_rows, mean, squares = 0, np.zeros(len(log)), np.zeros(len(log))
    for place in range(len(batches)):
        values = transform(_finite(batches, place), log).astype(np.float64)
        own = values.mean(axis=0)
        apart = own - mean
        total = n_rows + len(values)
        squares += np.square(values - own).sum(axis=0) + np.square(apart) * n_rows * len(values) / total
        mean += apart * len(values) / total
        n_rows = total
    spread = np.sqrt(squares / n_rows)
    # What is the same everywhere has no spread but that of rounding.
    spread[spread <= 1e-6 * np.abs(mean)] = 0.0
    return mean.astype(np.float32), spread.astype(np.float32)


def _finite(batches: Batches, place: int) -> NDArray[np.float32]:
    batch = batches[place]
    infinite = np.isinf(batch.features).sum(axis=0)
    if infinite.any():
        name = batch.feature_names[int(np.argmax(infinite))]
        raise DataError(
            f"Feature {name!r} is infinite in {infinite.max()} rows; a weighted sum needs numbers.",
            hint="Bound the feature, for example by min(..., 1000) in an expression.",
            feature=name,
        )
    return np.asarray(batch.features)
