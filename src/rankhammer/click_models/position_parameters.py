"""Parameters that all clusters share, one per position."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rankhammer.click_models.counts.sequences import add_up

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rankhammer.click_models.base import CountedSerps
    from rankhammer.click_models.types import Floats, Ints


def at_position(values: Sequence[float], position: Ints) -> Floats:
    """Look up the value of each position; positions deeper than any that was fitted have the deepest one's.

    Args:
        values: From position 1 on, at least one.
        position: 1-based, any shape.
    """
    found: Floats = np.asarray(values, np.float64)[np.minimum(position, len(values)) - 1]
    return found


def sum_over_positions(serps: CountedSerps, values: Sequence[float]) -> Floats:
    """Add up the value of each position where a pair was shown, shape (n_pairs,).

    Impressions are counted first and values added in the order of positions, so that the order of pages does not matter
    to the last bit.

    Args:
        serps: Pages.
        values: From position 1 on, at least one.
    """
    n = int(serps.length.max(initial=1))
    keys, cell = np.unique(serps.pair * n + serps.position - 1, return_inverse=True)
    shown = add_up(cell, serps.cell_weight, len(keys))
    return add_up(keys // n, shown * at_position(values, keys % n + 1), serps.n_pairs)


def smoothed_shares(successes: Floats, trials: Floats) -> list[float]:
    """Return (successes + 1/2) / (trials + 1) of each position (Jeffreys' prior): never 0 or 1, 1/2 without trials."""
    shares: list[float] = ((successes + 0.5) / (trials + 1.0)).tolist()
    return shares
