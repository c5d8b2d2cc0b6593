"""Clicks over expected clicks."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rankhammer.click_models.independent import IndependentClicks
from rankhammer.click_models.position_parameters import at_position, sum_over_positions
from rankhammer.click_models.rates import RateModel
from rankhammer.click_models.rctr import click_through_by_position

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rankhammer.click_models.base import CorpusFit, CountedSerps, Shared
    from rankhammer.click_models.types import Floats


class Coec(IndependentClicks, RateModel):
    """COEC (Zhang & Jones 2007): clicks / clicks that the positions where a document was shown would have got anyway.

    With x_r = click-through at position r / click-through at the best position, attractiveness =
    (clicks + k m) / (sum of x_r over impressions + k): COEC in units of the best position's click-through, so that it
    is the click-through expected there, and P(C_r = 1) = x_r x attractiveness. Relevance = attractiveness. Where clicks
    have weights, a click counts as much of one as it is worth; positions go by all clicks.

    Args:
        options: See PriorOptions.

    References:
        V. Zhang, R. Jones: Comparing click logs and editorial labels for training query rewriting, WWW 2007 workshop on
        query log analysis.
    """

    uses_click_weights: ClassVar[bool] = True

    def shared_parameters(self, serps: CountedSerps) -> Shared:
        """Estimate the click-through of every position."""
        return {"click_through_by_position": click_through_by_position(serps)}

    def count(self, serps: CountedSerps, shared: Shared) -> tuple[Floats, Floats]:
        """Weight each impression by its position's click-through rate."""
        trials = sum_over_positions(serps, _promises(shared))
        return serps.per_pair(serps.cell_weight * serps.worth), trials

    def predict_clicks(self, serps: CountedSerps, parameters: Mapping[str, Floats], corpus: CorpusFit) -> Floats:
        """P(C_r = 1) = x_r a; see `ClickModel.predict_clicks`."""
        return at_position(_promises(corpus.parameters), serps.position) * parameters["attractiveness"][serps.pair]


def _promises(shared: Shared) -> list[float]:
    """Return x of every position."""
    rates = shared["click_through_by_position"]
    return [rate / max(rates) for rate in rates]
