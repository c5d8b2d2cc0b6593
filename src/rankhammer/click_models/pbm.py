"""The position-based click model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rankhammer.click_models.examination_em import EXAMINATION, ExaminationModel
from rankhammer.click_models.independent import IndependentClicks
from rankhammer.click_models.position_parameters import at_position

if TYPE_CHECKING:
    from rankhammer.click_models.base import CorpusFit, CountedSerps
    from rankhammer.click_models.em import Pairs
    from rankhammer.click_models.types import Floats, Ints


class Pbm(IndependentClicks, ExaminationModel):
    """PBM (Craswell et al. 2008): whether a document is looked at depends on its position alone.

    P(C_r = 1) = examination_r x attractiveness. Relevance = attractiveness.

    Args:
        options: See EmOptions.

    References:
        N. Craswell, O. Zoeter, M. Taylor, B. Ramsey: An experimental comparison of click position-bias models,
        WSDM 2008.
    """

    def contexts(self, position: Ints, previous_click: Ints) -> Ints:  # noqa: ARG002
        """The context is the position."""
        return position - 1

    def guess_examination(self, n_contexts: int) -> Floats:
        """Begin at 1 / position."""
        return np.asarray(0.95 / np.arange(1, n_contexts + 1), np.float64)

    def predict_clicks(self, serps: CountedSerps, parameters: Pairs, corpus: CorpusFit) -> Floats:
        """P(C_r = 1); see `ClickModel.predict_clicks`."""
        return at_position(corpus.parameters[EXAMINATION], serps.position) * parameters["attractiveness"][serps.pair]
