"""Click models in closed form: clicks per trial of each pair, smoothed by a prior."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from rankhammer.click_models.base import CorpusFit, Relevance, closed_form_fit
from rankhammer.click_models.em import count_pairs
from rankhammer.click_models.priors import PriorOptions, pair_prior, pooled_prior

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import BaseModel

    from rankhammer.click_models.base import ClusterFit, CountedSerps, Shared
    from rankhammer.click_models.types import Floats


class RateModel(ABC):
    """A model whose attractiveness is (clicks + k m) / (trials + k); it says what counts as a click and as a trial.

    Args:
        options: A `PriorOptions` or more.
    """

    Options: ClassVar[type[BaseModel]] = PriorOptions
    parameter_names: ClassVar[tuple[str, ...]] = ("attractiveness",)

    def __init__(self, options: Any) -> None:
        self.options = options

    @abstractmethod
    def shared_parameters(self, serps: CountedSerps) -> Shared:
        """Estimate what all clusters share, the prior left out."""

    @abstractmethod
    def count(self, serps: CountedSerps, shared: Shared) -> tuple[Floats, Floats]:
        """Return clicks and trials of each pair."""

    @abstractmethod
    def predict_conditional_clicks(
        self, serps: CountedSerps, parameters: Mapping[str, Floats], corpus: CorpusFit
    ) -> Floats:
        """P(C_r = 1 | C_<r); see `ClickModel.predict_conditional_clicks`."""

    def fit_corpus(self, serps: CountedSerps) -> CorpusFit:
        """Estimate what all clusters share, in closed form; see `ClickModel.fit_corpus`."""
        shared = dict(self.shared_parameters(serps))
        clicks, trials = self.count(serps, shared)
        shared |= pooled_prior(self.parameter_names[0], clicks, trials, count_pairs(serps).mean_position, self.options)
        corpus = CorpusFit(shared, n_iter=1, converged=True, log_likelihood=0.0, n_serps=int(serps.weight.sum()))
        mean = self.fit(serps, corpus).log_likelihood / max(float(serps.cell_weight.sum()), 1.0)
        return CorpusFit(shared, 1, converged=True, log_likelihood=mean, n_serps=corpus.n_serps)

    def fit(
        self,
        serps: CountedSerps,
        corpus: CorpusFit,
        start: Mapping[str, Floats] | None = None,  # noqa: ARG002 - the protocol's argument
    ) -> ClusterFit:
        """Estimate every pair; see `ClickModel.fit`."""
        [name] = self.parameter_names
        clicks, trials = self.count(serps, corpus.parameters)
        k, prior = self.options.prior_strength, pair_prior(corpus.parameters, name, count_pairs(serps).mean_position)
        parameters = {name: np.clip((clicks + k * prior) / (trials + k), 1e-9, 1 - 1e-9)}
        conditional = self.predict_conditional_clicks(serps, parameters, corpus)
        return closed_form_fit(serps, parameters, trials, conditional)

    def prior_parameters(self, corpus: CorpusFit) -> Mapping[str, float]:
        """Return the prior mean; see `ClickModel.prior_parameters`."""
        [name] = self.parameter_names
        return {name: float(corpus.parameters[f"{name}_prior"])}

    def predict_relevance(
        self,
        fit: ClusterFit,
        corpus: CorpusFit,  # noqa: ARG002 - the protocol's argument
    ) -> Relevance:
        """Return the Beta posterior of the rate."""
        [name] = self.parameter_names
        rate, known = fit.parameters[name], fit.n_examined + self.options.prior_strength
        sd = np.sqrt(rate * (1 - rate) / (known + 1))
        return Relevance(mean=rate, sd=sd, prior_share=self.options.prior_strength / known)
