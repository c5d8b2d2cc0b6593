"""The predicting verbs of a model in which clicks do not depend on each other."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rankhammer.click_models.base import CorpusFit, CountedSerps
    from rankhammer.click_models.types import Bools, Floats


class IndependentClicks(ABC):
    """A model whose clicks are independent, given its parameters; the model says how likely each is."""

    @abstractmethod
    def predict_clicks(self, serps: CountedSerps, parameters: Mapping[str, Floats], corpus: CorpusFit) -> Floats:
        """P(C_r = 1); see `ClickModel.predict_clicks`."""

    def predict_conditional_clicks(
        self, serps: CountedSerps, parameters: Mapping[str, Floats], corpus: CorpusFit
    ) -> Floats:
        """Clicks above tell nothing, so this is `predict_clicks`."""
        return self.predict_clicks(serps, parameters, corpus)

    def sample(
        self, serps: CountedSerps, parameters: Mapping[str, Floats], corpus: CorpusFit, uniform: Floats
    ) -> Bools:
        """Draw every click on its own; see `ClickModel.sample`."""
        return uniform < self.predict_clicks(serps, parameters, corpus)
