"""Parameters of the labeling stage; conf/base/parameters/labeling.yml holds the values."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from rankhammer.click_models import check_cuts
from rankhammer.click_models.evaluation import Criterion  # noqa: TC001 - pydantic resolves annotations at run time
from rankhammer.click_models.grading import GradedBy, GradingMethod, Weighting  # noqa: TC001 - pydantic resolves annotations at run time
from rankhammer.errors import ConfigError
from rankhammer.pipelines.params import StageParams
from rankhammer.plugins import PluginSpec, of_group

AUTO = "auto"
"""Stands for one of `held_out.models`, chosen by `held_out.criterion`."""


class GradingParams(StageParams):
    """How a relevance in [0, 1] becomes a grade."""

    graded_by: GradedBy = Field(description="end of the posterior that is graded: mean or lower_bound")
    method: GradingMethod = Field(description="quantiles, thresholds or rounding")
    max_grade: int = Field(ge=1, le=31, description="best grade; the worst is 0")
    cuts: tuple[float, ...] = Field(description="where the grades from 1 on begin; empty: the method's own rule")

    @model_validator(mode="after")
    def _cuts_fit(self) -> Self:
        check_cuts(self.method, max_grade=self.max_grade, cuts=self.cuts)
        return self


class HeldOutParams(StageParams):
    """How click models are measured on pages that they were not fitted on."""

    enabled: bool = Field(description="false leaves the measurement out")
    models: tuple[Annotated[PluginSpec, of_group("click_models")], ...] = Field(
        description="click models to measure beside the chosen one"
    )
    criterion: Criterion = Field(
        default="labels",
        description="how auto chooses. labels: by the prediction of held-out clicks, among the first model and those "
        "whose labels surely order held-out clicks better; clicks: by the prediction alone",
    )
    test_share: float = Field(gt=0, lt=1, description="share of the result pages to measure on")
    max_serps: int = Field(ge=1000, le=5_000_000, description="result pages of a corpus to use, by whole clusters")


class LabelingParams(StageParams):
    """How clicks become judgments."""

    @model_validator(mode="after")
    def _auto_can_measure(self) -> Self:
        chosen, measured = self.click_model, self.held_out
        if chosen.name == AUTO and not (measured.enabled and measured.models and not chosen.options):
            raise ConfigError(
                "labeling.click_model: auto has no options and picks among held_out.models, enabled and not empty.",
                hint="Set held_out: {enabled: true, models: [{name: dbn}, {name: ubm}]}, each with its own options.",
            )
        return self

    click_model: Annotated[PluginSpec, of_group("click_models", AUTO)] = Field(
        description="click_models plugin and its options; auto: chosen among held_out.models"
    )
    sample_serps: int = Field(
        ge=1000, le=5_000_000, description="result pages of a corpus that shared parameters are fitted on"
    )
    min_examined: float = Field(ge=0, le=1e6, description="expected examinations that a graded document needs")
    grading: GradingParams = Field(description="from relevance to grade")
    weighting: Weighting = Field(description="training weight of a judgment: equal or evidence")
    held_out: HeldOutParams = Field(description="measure of fit in the report")
