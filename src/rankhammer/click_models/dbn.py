"""The dynamic Bayesian network click model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from pydantic import BaseModel, Field

from rankhammer.click_models import cascade_em, cascade_prediction
from rankhammer.click_models.base import Relevance
from rankhammer.click_models.cascade_em import CascadeData
from rankhammer.click_models.em import EmModel, EmOptions, attractiveness_variance, product_sd
from rankhammer.click_models.priors import clipped_mean, pair_prior, pooled_prior

if TYPE_CHECKING:
    from rankhammer.click_models.base import ClusterFit, CorpusFit, CountedSerps, Shared
    from rankhammer.click_models.em import Pairs
    from rankhammer.click_models.types import Floats


class DbnOptions(EmOptions):
    """Options of the DBN."""

    continuation: float | None = Field(
        default=None, gt=0, lt=1, description="probability to look further when not satisfied; null: estimate it"
    )
    continuation_strength: float = Field(
        default=2000.0,
        ge=0,
        le=1e9,
        description="pseudo-observations of users who always continue, against a sparse log that shows few endings",
    )
    satisfaction_strength: float = Field(
        default=8.0, gt=0, le=1000, description="prior_strength of the satisfaction: it is seen at clicks only"
    )
    satisfaction_floor: float = Field(
        default=0.05,
        gt=0,
        lt=1,
        description="least prior mean of satisfaction; a log with one click per page says little",
    )


@dataclass(frozen=True)
class DbnExpectations(cascade_em.CascadeExpectations):
    """What the E-step says of the hidden states: also `satisfied`, P(S_l = 1 | C) of each tail, 0 without a click."""

    satisfied: Floats


class Dbn(cascade_prediction.CascadePrediction, EmModel[CascadeData, DbnExpectations]):
    """DBN (Chapelle & Zhang 2009): people read down, click what attracts, and stop when satisfied or out of patience.

    E_1 = 1; C_r = 1 iff E_r = 1 and A_r = 1; P(A_r = 1) = attractiveness; P(S_r = 1 | C_r = 1) = satisfaction;
    P(E_{r+1} = 1 | E_r = 1, S_r = 0) = continuation, and 0 after satisfaction.
    Relevance = attractiveness x satisfaction.

    Args:
        options: See DbnOptions.

    References:
        O. Chapelle, Y. Zhang: A dynamic Bayesian network click model for web search ranking, WWW 2009.
    """

    Options: ClassVar[type[BaseModel]] = DbnOptions
    parameter_names: ClassVar[tuple[str, ...]] = ("attractiveness", "satisfaction")

    def prepare(self, serps: CountedSerps) -> CascadeData:
        """Count pages; see `EmModel.prepare`."""
        return cascade_em.prepare(serps)

    def initial_parameters(self, data: CascadeData) -> Shared:
        """Begin as if every page was examined down to its last click, and every other click satisfied."""
        attractive = float(np.clip(data.clicks.sum() / max(data.n_sure.sum(), 1.0), 0.01, 0.5))
        return {
            "continuation": self.options.continuation or 0.9,
            "attractiveness_prior": attractive,
            "satisfaction_prior": 0.5,
        }

    def e_step(self, data: CascadeData, pairs: Pairs, shared: Shared) -> DbnExpectations:
        """Exact E-step with c_l = g (1 - s_l); P(S_l = 1 | C) = s_l / Z."""
        return self.exact(data, pairs, shared)

    def exact(self, data: CascadeData, pairs: Pairs, shared: Shared) -> DbnExpectations:
        """Return the exact E-step, whatever the estimator makes of it: the likelihood is always that of the model."""
        a, s, g = pairs["attractiveness"], pairs["satisfaction"], shared["continuation"]
        last = s[data.suffixes.last]
        found = cascade_em.e_step(data.suffixes, a, g * (1 - last), g)
        satisfied = np.where(data.suffixes.has_click, last, 0.0) / found.evidence
        return DbnExpectations(found.examined, found.evidence, satisfied)

    def m_step(self, data: CascadeData, pairs: Pairs, shared: Shared, expected: DbnExpectations) -> dict[str, Floats]:  # noqa: ARG002
        """Compact M-step, over examined documents only: what nobody examined is no missing observation of a.

        a = (clicks + k m_a) / (examinations + k); s = (satisfied + k_s m_s) / (clicks + k_s), k being the strengths.
        """
        k, k_s = self.options.prior_strength, self.options.satisfaction_strength
        m_a = pair_prior(shared, "attractiveness", data.mean_position)
        examined = data.n_sure + data.sum_cells(expected.examined)
        satisfied = data.sum_last(expected.satisfied)
        return {
            "attractiveness": (data.clicks + k * m_a) / (examined + k),
            "satisfaction": (satisfied + k_s * shared["satisfaction_prior"]) / (data.clicks + k_s),
        }

    def update_shared(self, data: CascadeData, pairs: Pairs, shared: Shared, expected: DbnExpectations) -> Shared:  # noqa: ARG002
        """Estimate the continuation, unless it is fixed, and the means of both priors."""
        options = self.options
        examined = data.n_sure + data.sum_cells(expected.examined)
        satisfied = data.sum_last(expected.satisfied)
        satisfying = clipped_mean(satisfied, data.clicks, options.satisfaction_strength)
        return {
            "continuation": options.continuation or _continuation(data, expected, options.continuation_strength),
            **pooled_prior("attractiveness", data.clicks, examined, data.mean_position, options),
            "satisfaction_prior": max(satisfying, options.satisfaction_floor),
        }

    def log_likelihood(self, data: CascadeData, pairs: Pairs, shared: Shared) -> float:
        """Return ln P(clicks) of the whole log."""
        s, g = pairs["satisfaction"], shared["continuation"]
        evidence = self.exact(data, pairs, shared).evidence
        continued = float(((data.clicks - data.n_last) * np.log(g * (1 - s))).sum())
        return cascade_em.log_likelihood(data, pairs["attractiveness"], evidence, continued=continued, after_skip=g)

    def count_evidence(self, data: CascadeData, pairs: Pairs, expected: DbnExpectations) -> dict[str, Floats]:  # noqa: ARG002
        """Count what was observed; a last click with P(satisfied) = z is worth 1 - z (1 - z) / (s (1 - s)), or 0."""
        z = expected.satisfied
        s = z * expected.evidence
        missing = np.divide(z * (1 - z), s * (1 - s), out=np.zeros_like(z), where=data.suffixes.has_click & (s < 1))
        known = np.maximum(data.clicks - data.sum_last(missing), 0.0)
        return {**cascade_em.count_evidence(data, expected.examined), "satisfaction_known": known}

    def behaviour(
        self, serps: CountedSerps, parameters: Pairs, corpus: CorpusFit
    ) -> cascade_prediction.CascadeProbabilities:
        """Look further with g (1 - s) after a click, with g after a skip."""
        g = corpus.parameters["continuation"]
        a, s = parameters["attractiveness"], parameters["satisfaction"]
        return cascade_prediction.CascadeProbabilities(a[serps.pair], g * (1 - s[serps.pair]), g)

    def predict_relevance(self, fit: ClusterFit, corpus: CorpusFit) -> Relevance:  # noqa: ARG002
        """Return the posterior of a x s.

        `prior_share` is the mean of the shares of pseudo-observations in attractiveness and in satisfaction.
        """
        k, k_s, evidence = self.options.prior_strength, self.options.satisfaction_strength, fit.evidence
        a, s = fit.parameters["attractiveness"], fit.parameters["satisfaction"]
        a_variance = attractiveness_variance(a, evidence, k)
        s_variance = s * (1 - s) / (evidence["satisfaction_known"] + k_s + 1)
        share = k / (evidence["clicks"] + evidence["skips"] + k) + k_s / (evidence["satisfaction_known"] + k_s)
        return Relevance(mean=a * s, sd=product_sd(a, a_variance, s, s_variance), prior_share=share / 2)


def _continuation(data: CascadeData, expected: DbnExpectations, strength: float) -> float:
    """Return the share of unsatisfied steps that were taken; what is below the page is never seen, so left out.

    g = (taken + strength) / (possible + strength), where a step is possible after any examined position but the last
    that did not satisfy.
    """
    suffixes = data.suffixes
    examined = suffixes.cell_weight * expected.examined
    n_steps = data.n_skip_steps + data.n_continued.sum()
    without_click = suffixes.weight[~suffixes.has_click].sum()
    after_click = (suffixes.weight * (1 - expected.satisfied))[suffixes.has_click & (suffixes.length > 0)].sum()
    taken = n_steps + examined.sum() - without_click
    possible = n_steps + after_click + examined[~suffixes.at_end].sum()
    return float(np.clip((taken + strength) / max(possible + strength, 1e-9), 0.01, 0.999))
