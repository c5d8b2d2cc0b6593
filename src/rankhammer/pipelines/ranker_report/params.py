"""Parameters of the ranker report; conf/base/parameters/ranker_report.yml holds the values."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from rankhammer import plugins
from rankhammer.evaluation.bootstrap import Bootstrap
from rankhammer.evaluation.off_policy import OffPolicyRule
from rankhammer.pipelines.params import StageParams
from rankhammer.plugins import PluginSpec, of_group
from rankhammer.training.held_out_curves import Family


class ExplanationParams(StageParams):
    """How much is explained."""

    n_rows: int = Field(ge=10, le=1_000_000, description="test rows of a corpus, whole query clusters")
    n_features: int = Field(ge=0, le=100, description="features whose partial dependence is drawn")


class OffPolicyParams(StageParams):
    """How logged clicks are weighted."""

    max_weight: float = Field(ge=1, le=1e6, description="largest weight of a click; larger ones are cut to it")
    min_effective: float = Field(ge=1, le=1e9, description="effective clicks below which there is no estimate")


class CurveParams(StageParams):
    """Which sizes are fitted on which parts of the training queries."""

    ranker: Annotated[PluginSpec, of_group("rankers")] = Field(description="ranker and its options")
    parameter: str = Field(description="its parameter that grows with capacity")
    values: tuple[float, ...] = Field(min_length=1, max_length=20, description="values of that parameter")
    shares: tuple[float, ...] = Field(max_length=20, description="parts of the training queries, above 0 to 1")
    n_rounds: int = Field(ge=1, le=100_000, description="rounds of each fit, without early stopping")

    @model_validator(mode="after")
    def _is_possible(self) -> Self:
        known = plugins.create("rankers", self.ranker).default_params()
        if self.parameter not in known:
            raise ValueError(
                f"{self.ranker.name} has no parameter {self.parameter!r}; it has {', '.join(sorted(known))}"
            )
        if not all(0 < share <= 1 for share in self.shares):
            raise ValueError("shares are above 0 and at most 1")
        return self


class RankerReportParams(StageParams):
    """What is found out about the rankers of a run beside how good they are."""

    segments: dict[str, str] = Field(max_length=20, description="own segments: name to expression of Spark SQL")
    explanations: ExplanationParams = Field(description="what features add to scores")
    off_policy: OffPolicyParams = Field(description="estimates from logged clicks")
    curves: CurveParams = Field(description="learning curves and sizes")
    n_features: int = Field(ge=1, le=1000, description="features that mRMR chooses for the report")
    metric_k: int = Field(ge=1, le=100, description="rank down to which curves and estimates look")
    n_resamples: int = Field(ge=100, le=100_000, description="resamples of the clusters for the intervals")
    confidence: float = Field(gt=0.5, lt=1, description="coverage of the intervals, and of all comparisons together")

    def bootstrap(self, random_state: int) -> Bootstrap:
        """Return how intervals are made."""
        return Bootstrap(self.n_resamples, self.confidence, random_state)

    def rule(self) -> OffPolicyRule:
        """Return how clicks are weighted."""
        return OffPolicyRule(self.metric_k, self.off_policy.max_weight, self.off_policy.min_effective)

    def family(self) -> Family:
        """Return what learning curves are fitted with."""
        curves = self.curves
        return Family(curves.ranker, curves.parameter, curves.values, curves.n_rounds, self.metric_k)
