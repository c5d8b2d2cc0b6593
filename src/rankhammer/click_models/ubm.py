"""The user browsing click model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rankhammer.click_models.cascade_prediction import ranks
from rankhammer.click_models.examination_em import EXAMINATION, ExaminationModel

if TYPE_CHECKING:
    from rankhammer.click_models.base import CorpusFit, CountedSerps
    from rankhammer.click_models.em import Pairs
    from rankhammer.click_models.types import Bools, Floats, Ints

MAX_POSITION = 40
"""Deeper positions share the examinations of this one, by their distance from the last click: 820 contexts."""


class Ubm(ExaminationModel):
    """UBM (Dupret & Piwowarski 2008): examination depends on the position and on how far above the last click is.

    P(C_r = 1 | C_<r) = examination_{r, r'} x attractiveness, r' being the position of the last click above r, 0 when
    there is none. Relevance = attractiveness.

    `examination` lists the contexts (r, r') in the order (1, 0), (2, 0), (2, 1), (3, 0) ...: (r, r') stands at place
    r (r - 1) / 2 + r', from 0.

    Args:
        options: See EmOptions.

    References:
        G. Dupret, B. Piwowarski: A user browsing model to predict search engine click data from past observations,
        SIGIR 2008.
    """

    def contexts(self, position: Ints, previous_click: Ints) -> Ints:
        """Number (r, r'); below MAX_POSITION the distance from the last click is kept."""
        r = np.minimum(position, MAX_POSITION)
        moved_up = np.maximum(previous_click - (position - r), 1)
        numbered: Ints = r * (r - 1) // 2 + np.where(previous_click > 0, np.minimum(moved_up, r - 1), 0)
        return numbered

    def guess_examination(self, n_contexts: int) -> Floats:
        """Begin at 1 / distance from the last click, or from the top, for every context down to the deepest."""
        deepest = int(np.ceil((np.sqrt(8 * n_contexts + 1) - 1) / 2))
        r = np.repeat(np.arange(1, deepest + 1), np.arange(1, deepest + 1))
        return np.asarray(0.95 / (r - (np.arange(len(r)) - r * (r - 1) // 2)), np.float64)

    def predict_clicks(self, serps: CountedSerps, parameters: Pairs, corpus: CorpusFit) -> Floats:
        """P(C_r = 1) = sum over r' of P(last click above r is r') gamma_{r, r'} a_r; see the protocol."""
        gamma, a = np.asarray(corpus.parameters[EXAMINATION]), parameters["attractiveness"][serps.pair]
        clicks = np.empty(len(serps.pair))
        last_click = np.zeros((len(serps.length), int(serps.length.max(initial=0)) + 1))
        last_click[:, 0] = 1.0
        for depth, (rows, cells) in enumerate(ranks(serps)):
            previous = np.arange(depth + 1)
            examined = self._look_up(gamma, np.full(depth + 1, depth + 1), previous)
            p = last_click[rows, : depth + 1] * examined * a[cells][:, None]
            clicks[cells] = p.sum(axis=1)
            last_click[rows, : depth + 1] -= p
            last_click[rows, depth + 1] = clicks[cells]
        return clicks

    def predict_conditional_clicks(self, serps: CountedSerps, parameters: Pairs, corpus: CorpusFit) -> Floats:
        """P(C_r = 1 | C_<r) = gamma_{r, r'} a_r; see `ClickModel.predict_conditional_clicks`."""
        gamma = self._look_up(np.asarray(corpus.parameters[EXAMINATION]), serps.position, serps.previous_click)
        return gamma * parameters["attractiveness"][serps.pair]

    def sample(self, serps: CountedSerps, parameters: Pairs, corpus: CorpusFit, uniform: Floats) -> Bools:
        """Draw each click from P(C_r = 1 | C_<r), top to bottom; see `ClickModel.sample`."""
        gamma, a = np.asarray(corpus.parameters[EXAMINATION]), parameters["attractiveness"][serps.pair]
        clicked, previous = np.zeros(len(serps.pair), bool), np.zeros(len(serps.length), np.int64)
        for depth, (rows, cells) in enumerate(ranks(serps)):
            position = np.full(len(rows), depth + 1)
            clicked[cells] = uniform[cells] < self._look_up(gamma, position, previous[rows]) * a[cells]
            previous[rows] = np.where(clicked[cells], depth + 1, previous[rows])
        return clicked

    def _look_up(self, gamma: Floats, position: Ints, previous_click: Ints) -> Floats:
        """Return gamma of each (r, r'); positions deeper than any that was fitted have the deepest ones'."""
        deepest = int((np.sqrt(8 * len(gamma) + 1) - 1) / 2)
        r = np.minimum(position, deepest)
        moved_up = np.where(previous_click > 0, np.maximum(previous_click - (position - r), 1), 0)
        found: Floats = gamma[self.contexts(r, np.minimum(moved_up, r - 1))]
        return found
