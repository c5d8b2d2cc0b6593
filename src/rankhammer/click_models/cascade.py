"""The cascade click model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rankhammer.click_models.cascade_prediction import ranks
from rankhammer.click_models.rates import RateModel

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rankhammer.click_models.base import CorpusFit, CountedSerps, Shared
    from rankhammer.click_models.types import Bools, Floats


class Cascade(RateModel):
    """Cascade (Craswell et al. 2008): people read down, click the first document that attracts them, and leave.

    P(C_r = 1 | no click above) = attractiveness = (first clicks + k m) / (times shown at or above the first click + k).
    Relevance = attractiveness. The model has no place for a second click; to be comparable on any log, clicks below the
    first one have a rate of their own, `later_click`, that all clusters share and that says nothing of a document.

    Args:
        options: See PriorOptions.

    References:
        N. Craswell, O. Zoeter, M. Taylor, B. Ramsey: An experimental comparison of click position-bias models,
        WSDM 2008.
    """

    def shared_parameters(self, serps: CountedSerps) -> Shared:
        """Estimate the rate of clicks below the first one."""
        below = serps.cell_weight * (serps.previous_click > 0)
        return {"later_click": float(((below * serps.clicked).sum() + 0.5) / (below.sum() + 1.0))}

    def count(self, serps: CountedSerps, shared: Shared) -> tuple[Floats, Floats]:  # noqa: ARG002
        """Only what stands at or above the first click was examined."""
        examined = serps.cell_weight * (serps.previous_click == 0)
        return serps.per_pair(examined * serps.clicked), serps.per_pair(examined)

    def predict_clicks(self, serps: CountedSerps, parameters: Mapping[str, Floats], corpus: CorpusFit) -> Floats:
        """P(C_r = 1) = n_r a_r + (1 - n_r) later_click, n_r being P(no click above r); see the protocol."""
        a, later = parameters["attractiveness"][serps.pair], corpus.parameters["later_click"]
        silent, clicks = np.ones(len(serps.length)), np.empty(len(serps.pair))
        for rows, cells in ranks(serps):
            clicks[cells] = silent[rows] * a[cells] + (1 - silent[rows]) * later
            silent[rows] *= 1 - a[cells]
        return clicks

    def predict_conditional_clicks(
        self, serps: CountedSerps, parameters: Mapping[str, Floats], corpus: CorpusFit
    ) -> Floats:
        """P(C_r = 1 | C_<r): attractiveness down to the first click, `later_click` below it."""
        a = parameters["attractiveness"][serps.pair]
        return np.where(serps.previous_click == 0, a, corpus.parameters["later_click"])

    def sample(
        self, serps: CountedSerps, parameters: Mapping[str, Floats], corpus: CorpusFit, uniform: Floats
    ) -> Bools:
        """Draw each click from P(C_r = 1 | C_<r), top to bottom; see `ClickModel.sample`."""
        a, later = parameters["attractiveness"][serps.pair], corpus.parameters["later_click"]
        silent, clicked = np.ones(len(serps.length), bool), np.zeros(len(serps.pair), bool)
        for rows, cells in ranks(serps):
            clicked[cells] = uniform[cells] < np.where(silent[rows], a[cells], later)
            silent[rows] &= ~clicked[cells]
        return clicked
