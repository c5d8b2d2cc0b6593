"""The rank click-through model: a floor that knows positions and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rankhammer.click_models.baselines import BaselineModel
from rankhammer.click_models.counts.sequences import add_up
from rankhammer.click_models.position_parameters import at_position, smoothed_shares, sum_over_positions

if TYPE_CHECKING:
    from rankhammer.click_models.base import CountedSerps, Shared
    from rankhammer.click_models.types import Floats


class Rctr(BaselineModel):
    """Rank click-through rate: clicks depend on the position alone. Its labels are the logged order.

    P(C_r = 1) = click-through of position r; the relevance of a document is the mean over where it was shown.

    Args:
        options: None.

    References:
        A. Chuklin, I. Markov, M. de Rijke: Click Models for Web Search, 2015, section 3.1.
    """

    def shared_parameters(self, serps: CountedSerps) -> Shared:
        """Estimate the click-through of every position."""
        return {**super().shared_parameters(serps), "click_through_by_position": click_through_by_position(serps)}

    def predict(self, serps: CountedSerps, shared: Shared) -> Floats:
        """Return the click-through of each cell's position."""
        return at_position(shared["click_through_by_position"], serps.position)

    def sum_by_pair(self, serps: CountedSerps, shared: Shared) -> Floats:
        """Add up the click-through of the positions where each document was shown."""
        return sum_over_positions(serps, shared["click_through_by_position"])


def click_through_by_position(serps: CountedSerps) -> list[float]:
    """Return clicks / impressions at every position from 1 on, smoothed by half a click and half a skip."""
    n = int(serps.length.max(initial=1))
    shown = add_up(serps.position - 1, serps.cell_weight, n)
    return smoothed_shares(add_up(serps.position - 1, np.where(serps.clicked, serps.cell_weight, 0.0), n), shown)
