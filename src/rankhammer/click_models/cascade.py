"""Walks down a page for models of the cascade family: attractiveness, satisfaction, one continuation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from rankhammer.click_models.base import Bools, CountedSerps, Floats, Ints


def marginal_clicks(serps: CountedSerps, a: Floats, s: Floats, g: float) -> Floats:
    """Return P(C_r = 1) of every cell: eps_r a_r, eps_1 = 1, eps_{r+1} = eps_r g (1 - a_r s_r).

    Args:
        serps: Pages; their clicks are not looked at.
        a: Attractiveness of each pair.
        s: Satisfaction of each pair.
        g: Continuation.
    """
    attractive, satisfying = a[serps.pair], s[serps.pair]
    examined = np.ones(len(serps.length))
    clicks = np.empty(len(serps.pair))
    for rows, cells in _ranks(serps):
        clicks[cells] = examined[rows] * attractive[cells]
        examined[rows] *= g * (1 - attractive[cells] * satisfying[cells])
    return clicks


def conditional_clicks(serps: CountedSerps, a: Floats, s: Floats, g: float) -> Floats:
    """Return P(C_r = 1 | C_<r) = a_r e_r of every cell; arguments as in `marginal_clicks`.

    e_1 = 1; e_{r+1} = g (1 - s_r) after a click, else g (1 - a_r) e_r / (1 - a_r e_r).
    """
    probability, _ = _walk(serps, a, s, g, lambda cells, _: serps.clicked[cells])
    return probability


def draw_clicks(serps: CountedSerps, a: Floats, s: Floats, g: float, uniform: Floats) -> Bools:
    """Draw clicks top to bottom: C_r = 1 where uniform_r < P(C_r = 1 | C_<r); arguments as in `marginal_clicks`."""
    _, clicked = _walk(serps, a, s, g, lambda cells, p: uniform[cells] < p)
    return clicked


def _walk(
    serps: CountedSerps, a: Floats, s: Floats, g: float, decide: Callable[[Ints, Floats], Bools]
) -> tuple[Floats, Bools]:
    attractive, satisfying = a[serps.pair], s[serps.pair]
    examined = np.ones(len(serps.length))
    probability, clicked = np.empty(len(serps.pair)), np.zeros(len(serps.pair), bool)
    for rows, cells in _ranks(serps):
        p = attractive[cells] * examined[rows]
        click = decide(cells, p)
        skipped = examined[rows] * (1 - attractive[cells]) / np.maximum(1 - p, 1e-12)
        examined[rows] = g * np.where(click, 1 - satisfying[cells], skipped)
        probability[cells], clicked[cells] = p, click
    return probability, clicked


def _ranks(serps: CountedSerps) -> list[tuple[Ints, Ints]]:
    """For each position: the pages that reach it and their cells there."""
    deepest = int(serps.length.max()) if len(serps.length) else 0
    reaching = [np.flatnonzero(serps.length > depth) for depth in range(deepest)]
    return [(rows, serps.start[rows] + depth) for depth, rows in enumerate(reaching)]
