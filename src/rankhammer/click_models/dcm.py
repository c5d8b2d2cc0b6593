"""The dependent click model."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from rankhammer.click_models import cascade_em, cascade_prediction
from rankhammer.click_models.cascade_em import CascadeData, CascadeExpectations
from rankhammer.click_models.counts.sequences import add_up
from rankhammer.click_models.em import EmModel
from rankhammer.click_models.patient_cascade import PatientOptions, examined_by
from rankhammer.click_models.position_parameters import at_position, smoothed_shares
from rankhammer.click_models.priors import pair_prior, pooled_prior

if TYPE_CHECKING:
    from pydantic import BaseModel

    from rankhammer.click_models.base import CorpusFit, CountedSerps, Shared
    from rankhammer.click_models.em import Pairs
    from rankhammer.click_models.types import Floats


class Dcm(cascade_prediction.CascadePrediction, EmModel[CascadeData, CascadeExpectations]):
    """DCM (Guo et al. 2009): people read down; after a click at position r they look further with probability l_r.

    E_1 = 1; P(C_r = 1 | E_r = 1) = attractiveness; P(E_{r+1} = 1 | C_r = 1) = l_r, and 1 after a skip.
    Relevance = attractiveness.

    Estimator last_click is the paper's lower bound: attractiveness = clicks / times shown at or above the last click,
    l_r = 1 - last clicks at r / clicks at r.

    Args:
        options: See PatientOptions.

    References:
        F. Guo, C. Liu, Y. M. Wang: Efficient multiple-click models in web search, WSDM 2009.
    """

    Options: ClassVar[type[BaseModel]] = PatientOptions

    def prepare(self, serps: CountedSerps) -> CascadeData:
        """Count pages, tails by the position of their last click."""
        return cascade_em.prepare(serps, by_position=True)

    def initial_parameters(self, data: CascadeData) -> Shared:
        """Begin as if every page was examined down to its last click."""
        attractive = float(np.clip(data.clicks.sum() / max(data.n_sure.sum(), 1.0), 0.01, 0.5))
        return {"attractiveness_prior": attractive, "continuation_after_click": [0.5] * len(data.n_continued)}

    def e_step(self, data: CascadeData, pairs: Pairs, shared: Shared) -> CascadeExpectations:
        """E-step of the chosen estimator, with c_l = l at the position of the last click."""
        exact = self._exact(data, pairs, shared)
        return CascadeExpectations(examined_by(self.options, data.suffixes, exact.examined), exact.evidence)

    def m_step(
        self,
        data: CascadeData,
        pairs: Pairs,  # noqa: ARG002
        shared: Shared,
        expected: CascadeExpectations,
    ) -> dict[str, Floats]:
        """a = (clicks + k m) / (examinations + k), with k the prior's strength."""
        k, examined = self.options.prior_strength, data.n_sure + data.sum_cells(expected.examined)
        prior = pair_prior(shared, "attractiveness", data.mean_position)
        return {"attractiveness": (data.clicks + k * prior) / (examined + k)}

    def update_shared(self, data: CascadeData, pairs: Pairs, shared: Shared, expected: CascadeExpectations) -> Shared:  # noqa: ARG002
        """Estimate l at each position: looked further / could look further; what is below the page is left out."""
        suffixes, n = data.suffixes, len(data.n_continued)
        examined = data.n_sure + data.sum_cells(expected.examined)
        looked = expected.looked_further(suffixes)
        clicked = np.flatnonzero(suffixes.has_click[: len(looked)])
        place, weight = suffixes.last_position[clicked] - 1, suffixes.weight[clicked]
        further = data.n_continued + add_up(place, weight * looked[clicked], n)
        return {
            **pooled_prior("attractiveness", data.clicks, examined, data.mean_position, self.options),
            "continuation_after_click": smoothed_shares(further, data.n_continued + add_up(place, weight, n)),
        }

    def log_likelihood(self, data: CascadeData, pairs: Pairs, shared: Shared) -> float:
        """Return ln P(clicks) of the whole log."""
        onward = at_position(shared["continuation_after_click"], np.arange(1, len(data.n_continued) + 1))
        return cascade_em.log_likelihood(
            data,
            pairs["attractiveness"],
            self._exact(data, pairs, shared).evidence,
            continued=float((data.n_continued * np.log(onward)).sum()),
            after_skip=1.0,
        )

    def count_evidence(self, data: CascadeData, pairs: Pairs, expected: CascadeExpectations) -> dict[str, Floats]:  # noqa: ARG002
        """Count what was observed of each pair."""
        return cascade_em.count_evidence(data, expected.examined)

    def behaviour(
        self, serps: CountedSerps, parameters: Pairs, corpus: CorpusFit
    ) -> cascade_prediction.CascadeProbabilities:
        """Look further with l_r after a click at r, always after a skip."""
        onward = at_position(corpus.parameters["continuation_after_click"], serps.position)
        return cascade_prediction.CascadeProbabilities(parameters["attractiveness"][serps.pair], onward, 1.0)

    def _exact(self, data: CascadeData, pairs: Pairs, shared: Shared) -> CascadeExpectations:
        onward = at_position(shared["continuation_after_click"], np.maximum(data.suffixes.last_position, 1))
        return cascade_em.e_step(data.suffixes, pairs["attractiveness"], onward, 1.0)
