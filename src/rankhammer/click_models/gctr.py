"""The global click-through model: the lowest floor."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rankhammer.click_models.baselines import BaselineModel

if TYPE_CHECKING:
    from rankhammer.click_models.base import CountedSerps, Shared
    from rankhammer.click_models.types import Floats


class Gctr(BaselineModel):
    """Global click-through rate: every position of every page is clicked equally often. It cannot order documents.

    P(C = 1) = clicks / impressions of the corpus (the random click model); it is the relevance of every document.

    Args:
        options: None.

    References:
        A. Chuklin, I. Markov, M. de Rijke: Click Models for Web Search, 2015, section 3.1.
    """

    def predict(self, serps: CountedSerps, shared: Shared) -> Floats:
        """Return the same for every cell."""
        return np.full(len(serps.pair), float(shared["click_through_prior"]))

    def sum_by_pair(self, serps: CountedSerps, shared: Shared) -> Floats:
        """Return impressions times the one rate."""
        return serps.per_pair(serps.cell_weight) * float(shared["click_through_prior"])
