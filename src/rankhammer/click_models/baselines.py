"""Click models that know nothing of a document: what any other has to beat."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from rankhammer.click_models.base import CorpusFit, Relevance, closed_form_fit, log_likelihood
from rankhammer.click_models.em import count_pairs
from rankhammer.click_models.independent import IndependentClicks
from rankhammer.strict_model import StrictModel

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import BaseModel

    from rankhammer.click_models.base import ClusterFit, CountedSerps, Shared
    from rankhammer.click_models.types import Floats


class BaselineOptions(StrictModel):
    """A floor has no options."""


class BaselineModel(IndependentClicks):
    """A model whose predictions do not look at the document.

    Args:
        options: None.
    """

    Options: ClassVar[type[BaseModel]] = BaselineOptions
    parameter_names: ClassVar[tuple[str, ...]] = ("click_through",)
    judges_documents: ClassVar[bool] = False

    def __init__(self, options: BaselineOptions) -> None:
        self.options = options

    @abstractmethod
    def predict(self, serps: CountedSerps, shared: Shared) -> Floats:
        """Return P(C_r = 1) of every cell."""

    @abstractmethod
    def sum_by_pair(self, serps: CountedSerps, shared: Shared) -> Floats:
        """Add up the predictions of each pair, shape (n_pairs,)."""

    def shared_parameters(self, serps: CountedSerps) -> Shared:
        """Estimate the click-through of the corpus."""
        clicks, shown = (serps.cell_weight * serps.clicked).sum(), serps.cell_weight.sum()
        return {"click_through_prior": float((clicks + 0.5) / (shown + 1.0))}

    def fit_corpus(self, serps: CountedSerps) -> CorpusFit:
        """Count clicks; see `ClickModel.fit_corpus`."""
        shared = self.shared_parameters(serps)
        mean = log_likelihood(serps, self.predict(serps, shared))
        return CorpusFit(shared, n_iter=1, converged=True, log_likelihood=mean, n_serps=int(serps.weight.sum()))

    def fit(
        self,
        serps: CountedSerps,
        corpus: CorpusFit,
        start: Mapping[str, Floats] | None = None,  # noqa: ARG002 - the protocol's argument
    ) -> ClusterFit:
        """Average the predictions over where each document was shown; see `ClickModel.fit`."""
        shown, total = count_pairs(serps).impressions, self.sum_by_pair(serps, corpus.parameters)
        rate = np.full(serps.n_pairs, float(corpus.parameters["click_through_prior"]))
        parameters = {"click_through": np.divide(total, shown, out=rate, where=shown > 0)}
        return closed_form_fit(serps, parameters, shown, self.predict(serps, corpus.parameters))

    def prior_parameters(self, corpus: CorpusFit) -> Mapping[str, float]:
        """Return the corpus' click-through; see `ClickModel.prior_parameters`."""
        return {"click_through": float(corpus.parameters["click_through_prior"])}

    def predict_clicks(
        self,
        serps: CountedSerps,
        parameters: Mapping[str, Floats],  # noqa: ARG002 - the protocol's argument
        corpus: CorpusFit,
    ) -> Floats:
        """P(C_r = 1); see `ClickModel.predict_clicks`."""
        return self.predict(serps, corpus.parameters)

    def predict_relevance(
        self,
        fit: ClusterFit,
        corpus: CorpusFit,  # noqa: ARG002 - the protocol's argument
    ) -> Relevance:
        """Return the rate with the spread of one observation: all of it is prior."""
        rate = fit.parameters["click_through"]
        return Relevance(mean=rate, sd=np.sqrt(rate * (1 - rate) / 2), prior_share=np.ones(len(rate)))
