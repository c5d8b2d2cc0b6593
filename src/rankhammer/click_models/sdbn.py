"""The simplified dynamic Bayesian network click model."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np
from pydantic import BaseModel, Field

from rankhammer.click_models.dbn import Dbn, DbnExpectations
from rankhammer.click_models.patient_cascade import PatientOptions, examined_by

if TYPE_CHECKING:
    from rankhammer.click_models.base import Shared
    from rankhammer.click_models.cascade_em import CascadeData
    from rankhammer.click_models.em import Pairs


class SdbnOptions(PatientOptions):
    """Options of the SDBN."""

    satisfaction_strength: float = Field(
        default=8.0, gt=0, le=1000, description="prior_strength of the satisfaction: it is seen at clicks only"
    )
    satisfaction_floor: float = Field(default=0.05, gt=0, lt=1, description="least prior mean of satisfaction")

    continuation_strength: ClassVar[float] = 0.0

    @property
    def continuation(self) -> float:
        """The continuation is 1: only satisfaction ends the search."""
        return 1.0


class Sdbn(Dbn):
    """SDBN (Chapelle & Zhang 2009): the DBN with continuation 1, so people read on until they are satisfied.

    Estimator last_click is the paper's: attractiveness = clicks / times shown at or above the last click,
    satisfaction = last clicks / clicks, both smoothed by their priors. Estimator likelihood maximises the model's own
    likelihood.

    Args:
        options: See SdbnOptions.

    References:
        O. Chapelle, Y. Zhang: A dynamic Bayesian network click model for web search ranking, WWW 2009, section 4.
    """

    Options: ClassVar[type[BaseModel]] = SdbnOptions

    def e_step(self, data: CascadeData, pairs: Pairs, shared: Shared) -> DbnExpectations:
        """E-step of the chosen estimator."""
        exact = self.exact(data, pairs, shared)
        last_click = self.options.estimator == "last_click"
        satisfied = data.suffixes.has_click.astype(np.float64) if last_click else exact.satisfied
        return DbnExpectations(examined_by(self.options, data.suffixes, exact.examined), exact.evidence, satisfied)
