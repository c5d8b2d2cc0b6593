"""The document click-through model: the floor that every other model has to beat."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from rankhammer.click_models.base import ClusterFit, CorpusFit, Relevance, bounded_probability
from rankhammer.click_models.evidence import pooled_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rankhammer.click_models.base import Bools, CountedSerps, Floats


class DctrOptions(BaseModel):
    """Options of the document click-through model."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    prior_strength: float = Field(
        default=5.0, gt=0, le=1000, description="pseudo-impressions that pull an estimate towards the corpus mean"
    )


class Dctr:
    """Document click-through rate, smoothed: position and the rest of the page do not matter.

    click_through = (clicks + strength x mean) / (impressions + strength); it is the relevance, too.

    Args:
        options: See DctrOptions.

    References:
        N. Craswell, O. Zoeter, M. Taylor, B. Ramsey: An experimental comparison of click position-bias models,
        WSDM 2008 (the baseline hypothesis).
    """

    Options: ClassVar[type[BaseModel]] = DctrOptions
    parameter_names: ClassVar[tuple[str, ...]] = ("click_through",)

    def __init__(self, options: DctrOptions) -> None:
        self.options = options

    def fit_corpus(self, serps: CountedSerps) -> CorpusFit:
        """Estimate the mean of the prior, in closed form; see `ClickModel.fit_corpus`."""
        clicks, shown = _count(serps)
        mean = float(np.clip(pooled_mean(clicks, shown, self.options.prior_strength), 1e-4, 1 - 1e-4))
        rate = self._rate(clicks, shown, mean)
        return CorpusFit(
            parameters={"click_through_prior": mean},
            n_iter=1,
            converged=True,
            log_likelihood=_log_likelihood(clicks, shown, rate) / max(float(shown.sum()), 1.0),
            n_serps=int(serps.weight.sum()),
        )

    def fit(self, serps: CountedSerps, corpus: CorpusFit) -> ClusterFit:
        """Estimate the click-through of every pair; see `ClickModel.fit`."""
        clicks, shown = _count(serps)
        rate = self._rate(clicks, shown, corpus.parameters["click_through_prior"])
        return ClusterFit(
            parameters={"click_through": rate},
            n_examined=shown,
            evidence={},
            n_iter=np.ones(serps.n_pairs, np.int64),
            converged=np.ones(serps.n_pairs, bool),
            log_likelihood=_log_likelihood(clicks, shown, rate),
        )

    def unseen(self, corpus: CorpusFit) -> Mapping[str, float]:
        """Return the prior mean; see `ClickModel.unseen`."""
        return {"click_through": corpus.parameters["click_through_prior"]}

    def predict_clicks(
        self,
        serps: CountedSerps,
        parameters: Mapping[str, Floats],
        corpus: CorpusFit,  # noqa: ARG002 - the protocol's argument
    ) -> Floats:
        """P(C_r = 1) = click_through; see `ClickModel.predict_clicks`."""
        return parameters["click_through"][serps.pair]

    def predict_conditional_clicks(
        self, serps: CountedSerps, parameters: Mapping[str, Floats], corpus: CorpusFit
    ) -> Floats:
        """Clicks are independent, so this is `predict_clicks`."""
        return self.predict_clicks(serps, parameters, corpus)

    def sample(
        self, serps: CountedSerps, parameters: Mapping[str, Floats], corpus: CorpusFit, uniform: Floats
    ) -> Bools:
        """Draw every click on its own; see `ClickModel.sample`."""
        return uniform < self.predict_clicks(serps, parameters, corpus)

    def predict_relevance(
        self,
        fit: ClusterFit,
        corpus: CorpusFit,  # noqa: ARG002 - the protocol's argument
    ) -> Relevance:
        """Return the Beta posterior of the click-through rate."""
        rate, strength = fit.parameters["click_through"], self.options.prior_strength
        known = fit.n_examined + strength
        return Relevance(mean=rate, sd=np.sqrt(rate * (1 - rate) / (known + 1)), prior_share=strength / known)

    def _rate(self, clicks: Floats, shown: Floats, mean: float) -> Floats:
        return (clicks + self.options.prior_strength * mean) / (shown + self.options.prior_strength)


def _count(serps: CountedSerps) -> tuple[Floats, Floats]:
    return serps.per_pair(serps.cell_weight * serps.clicked), serps.per_pair(serps.cell_weight)


def _log_likelihood(clicks: Floats, shown: Floats, rate: Floats) -> float:
    bounded = bounded_probability(rate)
    return float((clicks * np.log(bounded) + (shown - clicks) * np.log1p(-bounded)).sum())
