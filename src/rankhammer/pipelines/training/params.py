"""Parameters of the training stage; conf/base/parameters/training.yml holds the values."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import Field, field_validator, model_validator

from rankhammer import plugins
from rankhammer.errors import ConfigError
from rankhammer.evaluation.metrics import parse_metric
from rankhammer.evaluation.verdict import VerdictRule
from rankhammer.pipelines.params import StageParams
from rankhammer.plugins import PluginSpec
from rankhammer.training.choice import Candidate, RankerChoice
from rankhammer.training.search import Algorithm, Strategy
from rankhammer.training.search_space import parse_space, require_grid
from rankhammer.training.tune import Budget

if TYPE_CHECKING:
    from collections.abc import Sequence


AUTO = "auto"
"""Stands for one of `choice.candidates`, chosen corpus by corpus."""
BASELINE = "baseline"


class CandidateParams(PluginSpec):
    """A ranker that `auto` may choose."""

    name: Annotated[str, Field(description="registered name of the ranker")]
    n_trials: int | None = Field(None, ge=1, le=10_000, description="trials of this ranker; null: training.n_trials")
    n_rounds: int | None = Field(
        None,
        ge=1,
        le=100_000,
        description="rounds of each fit, without early stopping; null: training.n_rounds, with it",
    )


class SmallParams(StageParams):
    """What is chosen among where there is little to learn from."""

    below_queries: int = Field(ge=0, le=10_000_000, description="graded training queries below which a corpus is small")
    candidates: tuple[CandidateParams, ...] = Field(max_length=20, description="as choice.candidates, for such corpora")


class ChoiceParams(StageParams):
    """How `auto` chooses: the simplest ranker that cross-validation cannot tell from the best."""

    candidates: tuple[CandidateParams, ...] = Field(
        min_length=1, max_length=20, description="rankers with their options, simplest first"
    )
    below_queries: int = Field(
        ge=0, le=10_000_000, description="graded training queries from which a corpus gets the last candidate unasked"
    )
    standard_errors: float = Field(
        ge=0, le=10, description="how many standard errors behind the best a simpler ranker may be; 0: the best"
    )
    small: SmallParams = Field(description="corpora with few queries")


class TrainingParams(StageParams):
    """What is trained, how long its parameters are searched, and how it is measured."""

    ranker: PluginSpec = Field(
        description="learning algorithm (`rankhammer plugins`) with its options; auto: chosen among choice.candidates"
    )
    choice: ChoiceParams = Field(description="how auto chooses a corpus's ranker")
    search_space: dict[str, dict[str, dict[str, list[Any]]]] = Field(
        max_length=100,
        description="ranker to parameter to one function and its arguments; a ranker without trains with its options",
    )
    search_algorithm: Algorithm = Field(description="how points of the search space are chosen: tpe, random or grid")
    n_trials: int = Field(ge=1, le=10_000, description="trials per corpus; the first one is the ranker's defaults")
    batch_size: int = Field(ge=1, le=1000, description="trials per corpus that run together")
    n_startup_trials: int = Field(ge=1, le=10_000, description="trials drawn at random before the search learns")
    n_rounds: int = Field(ge=1, le=100_000, description="largest number of boosting rounds")
    early_stopping_rounds: int = Field(ge=1, le=10_000, description="rounds without a better NDCG before a fit stops")
    metric_k: int = Field(ge=1, le=100, description="NDCG looks down to this rank")
    metrics: tuple[str, ...] = Field(min_length=1, max_length=20, description="metrics of the test split")
    max_bad_share: float = Field(ge=0, le=1, description="largest share of faulty reference judgments in a corpus")
    baseline_feature: str = Field(description="feature whose order alone is the baseline")
    n_sample_vectors: int = Field(ge=1, le=100_000, description="feature vectors kept with a ranker for the export")
    n_resamples: int = Field(ge=100, le=100_000, description="resamples of the clusters for the intervals")
    confidence: float = Field(gt=0.5, lt=1, description="coverage of the intervals")
    verdict_min_clusters: int = Field(ge=2, le=100_000, description="test query clusters that a verdict takes")

    @field_validator("search_space", mode="before")
    @classmethod
    def _of_rankers(cls, spaces: Any) -> Any:
        """Let null take back what conf/base searches: the keys of an environment are added to those of base.

        Raises:
            ConfigError: A key is no ranker.
        """
        if not isinstance(spaces, dict):
            return spaces
        known = plugins.names("rankers")
        for name in sorted(spaces.keys() - set(known)):
            raise ConfigError(
                f"search_space names {name!r}, which is no ranker.",
                hint=f"Parameters stand below their ranker's name ({', '.join(known)}): "
                "search_space: {xgboost: {max_depth: {quniform: [2, 7, 1]}}}.",
                name=name,
            )
        return _without_null(spaces, levels=3)

    @model_validator(mode="after")
    def _is_possible(self) -> Self:
        """Find an unknown name, or a grid that cannot be tried whole, before anything runs."""
        choice = self.choice_of()
        for candidate in choice.every() if self.search_algorithm == "grid" else ():
            n_trials = candidate.n_trials or self.n_trials
            # One trial is no search: it runs with the options.
            if n_trials > 1:
                require_grid(candidate.space, ranker=candidate.name, n_trials=n_trials)
        for metric in self.metrics:
            parse_metric(metric)
        if self.headline not in self.metrics:
            raise ValueError(f"metrics must hold {self.headline}, which metric_k = {self.metric_k} tunes for")
        return self

    @property
    def headline(self) -> str:
        """The metric that the search maximises and the summary shows."""
        return f"ndcg@{self.metric_k}"

    def verdict_rule(self) -> VerdictRule:
        """Return when a difference to another order counts."""
        return VerdictRule(self.confidence, self.verdict_min_clusters)

    def how_measured(self) -> dict[str, Any]:
        """Return what others have to know to score the test split as the evaluation did."""
        return {
            "metric": self.headline,
            "confidence": self.confidence,
            "verdict_min_clusters": self.verdict_min_clusters,
            "baseline_feature": self.baseline_feature,
            "ranker": self.ranker.model_dump(mode="json"),
        }

    def choice_of(self) -> RankerChoice:
        """Return the rankers among which each corpus's is chosen, with their checked search spaces.

        Raises:
            PluginError: A ranker or one of its options is unknown.
            ConfigError: A searched parameter, or a function, is unknown or has no range; `auto` has options, or a
                candidate twice.
        """
        if self.ranker.name != AUTO:
            return RankerChoice((self._candidate(self.ranker),))
        if self.ranker.options:
            raise ConfigError(
                "training.ranker: auto has no options.",
                hint="Name the ranker whose they are (training.ranker.name: xgboost), or write them into "
                "training.choice.candidates.",
            )
        return RankerChoice(
            self._candidates(self.choice.candidates, "candidates"),
            self._candidates(self.choice.small.candidates, "small.candidates"),
            self.choice.below_queries,
            self.choice.small.below_queries,
            self.choice.standard_errors,
        )

    def _candidates(self, written: Sequence[CandidateParams], where: str) -> tuple[Candidate, ...]:
        names = [found.name for found in written]
        if len(set(names)) < len(names):
            raise ConfigError(
                f"training.choice.{where} names a ranker twice: {', '.join(names)}.",
                hint="Give each ranker one set of options; the search varies them.",
            )
        return tuple(
            replace(self._candidate(found), n_trials=found.n_trials, n_rounds=found.n_rounds) for found in written
        )

    def _candidate(self, spec: PluginSpec) -> Candidate:
        options = spec.options
        if spec.name == BASELINE:
            options = {"feature": self.baseline_feature} | options
        plain = PluginSpec(name=spec.name, options=options)
        known = plugins.create("rankers", plain).default_params()
        return Candidate(plain, parse_space(self.search_space.get(spec.name, {}), known=known))

    def budget(self) -> Budget:
        """Return how much the search of a ranker may try."""
        return Budget(
            n_trials=self.n_trials,
            batch_size=self.batch_size,
            strategy=Strategy(self.n_startup_trials, self.search_algorithm),
            n_rounds=self.n_rounds,
            early_stopping_rounds=self.early_stopping_rounds,
            metric_k=self.metric_k,
        )


def _without_null(values: Any, *, levels: int) -> Any:
    if not isinstance(values, dict) or not levels:
        return values
    return {key: _without_null(value, levels=levels - 1) for key, value in values.items() if value is not None}
