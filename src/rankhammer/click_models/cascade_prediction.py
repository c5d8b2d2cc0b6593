"""Walks down a page for the cascade family: whether a position is examined depends on what happened at the one above.

Every such model is three numbers per position: attractiveness a_r = P(C_r = 1 | E_r = 1), and the probabilities to look
further after a click, c_r = P(E_{r+1} = 1 | C_r = 1), and after a skip, g = P(E_{r+1} = 1 | E_r = 1, C_r = 0).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from rankhammer.click_models.base import CorpusFit, CountedSerps
    from rankhammer.click_models.types import Bools, Floats, Ints


@dataclass(frozen=True)
class CascadeProbabilities:
    """What people do at each cell of some pages.

    Args:
        attractiveness: a of each cell, shape (n_cells,).
        after_click: c of each cell, shape (n_cells,).
        after_skip: g, the same everywhere.
    """

    attractiveness: Floats
    after_click: Floats
    after_skip: float


class CascadePrediction(ABC):
    """The predicting verbs of a model that walks down the page; the model says what people do at each cell."""

    @abstractmethod
    def behaviour(
        self, serps: CountedSerps, parameters: Mapping[str, Floats], corpus: CorpusFit
    ) -> CascadeProbabilities:
        """Return what people do at each cell, by the parameters of its pair and its position."""

    def predict_clicks(self, serps: CountedSerps, parameters: Mapping[str, Floats], corpus: CorpusFit) -> Floats:
        """P(C_r = 1); see `ClickModel.predict_clicks`."""
        return marginal_clicks(serps, self.behaviour(serps, parameters, corpus))

    def predict_conditional_clicks(
        self, serps: CountedSerps, parameters: Mapping[str, Floats], corpus: CorpusFit
    ) -> Floats:
        """P(C_r = 1 | C_<r); see `ClickModel.predict_conditional_clicks`."""
        return conditional_clicks(serps, self.behaviour(serps, parameters, corpus))

    def sample(
        self, serps: CountedSerps, parameters: Mapping[str, Floats], corpus: CorpusFit, uniform: Floats
    ) -> Bools:
        """Draw each click from P(C_r = 1 | C_<r), top to bottom; see `ClickModel.sample`."""
        return draw_clicks(serps, self.behaviour(serps, parameters, corpus), uniform)


def marginal_clicks(serps: CountedSerps, how: CascadeProbabilities) -> Floats:
    """Return P(C_r = 1) of every cell: eps_r a_r, eps_1 = 1, eps_{r+1} = eps_r (a_r c_r + (1 - a_r) g).

    Args:
        serps: Pages; their clicks are not looked at.
        how: What people do.
    """
    onward = how.attractiveness * how.after_click + (1 - how.attractiveness) * how.after_skip
    examined = np.ones(len(serps.length))
    clicks = np.empty(len(serps.pair))
    for rows, cells in ranks(serps):
        clicks[cells] = examined[rows] * how.attractiveness[cells]
        examined[rows] *= onward[cells]
    return clicks


def conditional_clicks(serps: CountedSerps, how: CascadeProbabilities) -> Floats:
    """Return P(C_r = 1 | C_<r) = a_r e_r of every cell.

    e_1 = 1; e_{r+1} = c_r after a click, else g (1 - a_r) e_r / (1 - a_r e_r).

    Args:
        serps: Pages with their clicks.
        how: What people do.
    """
    probability, _ = _walk(serps, how, lambda cells, _: serps.clicked[cells])
    return probability


def draw_clicks(serps: CountedSerps, how: CascadeProbabilities, uniform: Floats) -> Bools:
    """Draw clicks top to bottom: C_r = 1 where uniform_r < P(C_r = 1 | C_<r).

    Args:
        serps: Pages; their clicks are not looked at.
        how: What people do.
        uniform: One number in [0, 1) a cell.
    """
    _, clicked = _walk(serps, how, lambda cells, p: uniform[cells] < p)
    return clicked


def ranks(serps: CountedSerps) -> list[tuple[Ints, Ints]]:
    """For each position: the pages that reach it and their cells there."""
    deepest = int(serps.length.max()) if len(serps.length) else 0
    reaching = [np.flatnonzero(serps.length > depth) for depth in range(deepest)]
    return [(rows, serps.start[rows] + depth) for depth, rows in enumerate(reaching)]


def _walk(
    serps: CountedSerps, how: CascadeProbabilities, decide: Callable[[Ints, Floats], Bools]
) -> tuple[Floats, Bools]:
    examined = np.ones(len(serps.length))
    probability, clicked = np.empty(len(serps.pair)), np.zeros(len(serps.pair), bool)
    for rows, cells in ranks(serps):
        attractive = how.attractiveness[cells]
        p = attractive * examined[rows]
        click = decide(cells, p)
        skipped = examined[rows] * (1 - attractive) / np.maximum(1 - p, 1e-12)
        examined[rows] = np.where(click, how.after_click[cells], how.after_skip * skipped)
        probability[cells], clicked[cells] = p, click
    return probability, clicked
