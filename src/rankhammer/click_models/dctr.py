"""The document click-through model: the floor that every other model has to beat."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rankhammer.click_models.independent import IndependentClicks
from rankhammer.click_models.rates import RateModel

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rankhammer.click_models.base import CorpusFit, CountedSerps, Shared
    from rankhammer.click_models.types import Floats


class Dctr(IndependentClicks, RateModel):
    """Document click-through rate, smoothed: position and the rest of the page do not matter.

    P(C = 1) = click_through = (clicks + k m) / (impressions + k); it is the relevance, too. Where clicks have weights,
    a click counts as much of one as it is worth.

    Args:
        options: See PriorOptions.

    References:
        N. Craswell, O. Zoeter, M. Taylor, B. Ramsey: An experimental comparison of click position-bias models,
        WSDM 2008 (the baseline hypothesis).
    """

    parameter_names: ClassVar[tuple[str, ...]] = ("click_through",)
    uses_click_weights: ClassVar[bool] = True

    def shared_parameters(self, serps: CountedSerps) -> Shared:  # noqa: ARG002
        """Nothing but the prior is shared."""
        return {}

    def count(self, serps: CountedSerps, shared: Shared) -> tuple[Floats, Floats]:  # noqa: ARG002
        """Every impression is a trial."""
        return serps.per_pair(serps.cell_weight * serps.worth), serps.per_pair(serps.cell_weight)

    def predict_clicks(self, serps: CountedSerps, parameters: Mapping[str, Floats], corpus: CorpusFit) -> Floats:  # noqa: ARG002
        """P(C_r = 1) = click_through; see `ClickModel.predict_clicks`."""
        return parameters["click_through"][serps.pair]
