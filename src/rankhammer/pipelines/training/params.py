"""Parameters of the training stage; conf/base/parameters/training.yml holds the values."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from rankhammer import plugins
from rankhammer.errors import ConfigError
from rankhammer.evaluation.metrics import parse_metric
from rankhammer.evaluation.verdict import VerdictRule
from rankhammer.pipelines.params import StageParams
from rankhammer.plugins import PluginSpec
from rankhammer.training.choice import Candidate, RankerChoice, SizedSearch
from rankhammer.training.curves import MIN_POINTS
from rankhammer.training.pruning import Pruning
from rankhammer.training.search import Algorithm, Strategy, TrialRule
from rankhammer.training.search_space import SearchSpace, parse_space, require_grid, require_groups
from rankhammer.training.staging import Workers
from rankhammer.training.tune import Budget

if TYPE_CHECKING:
    from collections.abc import Sequence


AUTO = "auto"
"""Stands for one of `choice.candidates`, chosen corpus by corpus."""
BASELINE = "baseline"
SELECTED = "selected"
_EXAMPLES = {"search_space": "{max_depth: {quniform: [2, 7, 1]}}", "search_groups": "[[max_depth], [reg_lambda]]"}


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
    trial: TrialRule = Field(
        "mean",
        description="which trial of a ranker is taken: that of the highest mean over folds, or the simplest within one "
        "standard error of it",
    )
    small: SmallParams = Field(description="corpora with few queries")


class SearchSpaceRule(StageParams):
    """How the parameters of corpora up to a size are searched."""

    max_rows: int = Field(ge=1, le=10_000_000_000, description="graded training rows of such a corpus at most")
    n_trials: int | None = Field(None, ge=1, le=10_000, description="trials of such a corpus; null: training.n_trials")
    n_rounds: int | None = Field(
        None, ge=1, le=100_000, description="largest number of rounds, with early stopping; null: training.n_rounds"
    )
    search_space: dict[str, dict[str, dict[str, list[Any]] | None]] = Field(
        max_length=100, description="put over training.search_space, parameter by parameter; null takes one out"
    )

    @field_validator("search_space", mode="before")
    @classmethod
    def _of_rankers(cls, spaces: Any) -> Any:
        return require_rankers(spaces, "search_spaces.search_space")

    def over(self, ranker: str, space: dict[str, dict[str, list[Any]]]) -> dict[str, dict[str, list[Any]]]:
        """Return a ranker's search space for such corpora.

        Args:
            ranker: Its registered name.
            space: That of other corpora.
        """
        both = {**space, **self.search_space.get(ranker, {})}
        return {name: written for name, written in both.items() if written is not None}


class PruningParams(StageParams):
    """When a trial is given up after some of its folds."""

    after_folds: int = Field(ge=0, le=100, description="folds that each trial runs; 0: all of them, nothing is pruned")
    standard_errors: float = Field(
        gt=0, le=100, description="standard errors behind the best of earlier batches that make a trial hopeless"
    )


class FeatureSelectionParams(StageParams):
    """How many features a ranker may use."""

    n_features: int | None = Field(ge=1, le=10_000, description="features that are chosen by mRMR; null: all are used")


class WorkersParams(StageParams):
    """Which corpora's models several tasks train together."""

    number: Annotated[int, Field(ge=1, le=10_000)] | Literal["auto"] = Field(
        description="tasks that train one model together; 1: each model in a task of its own; auto: all slots"
    )
    from_rows: int = Field(ge=0, le=10_000_000_000, description="rows from which a corpus is trained so; 0: each is")

    def staged(self) -> Workers:
        """Return it as the algorithm takes it."""
        return Workers(None if self.number == "auto" else self.number, self.from_rows)


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
    search_spaces: tuple[SearchSpaceRule, ...] = Field(
        (), max_length=100, description="searches of small corpora; the first whose max_rows fits decides"
    )
    search_algorithm: Algorithm = Field(
        description="how points of the search space are chosen: tpe, staged, random or grid"
    )
    search_groups: dict[str, tuple[tuple[str, ...], ...]] = Field(
        max_length=100, description="ranker to the groups of parameters that `staged` varies one after the other"
    )
    n_trials: int = Field(ge=1, le=10_000, description="trials per corpus; the first one is the ranker's defaults")
    batch_size: int = Field(ge=1, le=1000, description="trials per corpus that run together")
    pruning: PruningParams = Field(description="hopeless trials are given up after some of their folds")
    n_startup_trials: int = Field(ge=1, le=10_000, description="trials drawn at random before the search learns")
    n_rounds: int = Field(ge=1, le=100_000, description="largest number of boosting rounds")
    early_stopping_rounds: int = Field(ge=1, le=10_000, description="rounds without a better NDCG before a fit stops")
    feature_selection: FeatureSelectionParams = Field(
        default=FeatureSelectionParams(n_features=None), description="features that rankers learn from"
    )
    rolling_from_rows: int = Field(
        ge=1,
        le=10_000_000_000,
        description="graded rows from which a corpus's trials overlap instead of running in batches",
    )
    rows_on_disk: Literal["auto", "always", "never"] = Field(
        description="whether a task keeps its rows on disk: auto does where they do not fit into its memory"
    )
    workers: WorkersParams = Field(description="large corpora: one model by several tasks together")
    rounds_kept: int = Field(
        50, ge=0, le=10_000, description="rounds of each fold whose metric tuning_trials keeps; 0: none, else 3 or more"
    )
    metric_k: int = Field(ge=1, le=100, description="NDCG looks down to this rank")
    metrics: tuple[str, ...] = Field(min_length=1, max_length=20, description="metrics of the test split")
    max_bad_share: float = Field(ge=0, le=1, description="largest share of faulty reference judgments in a corpus")
    baseline_feature: str = Field(description="feature whose order alone is the baseline")
    n_sample_vectors: int = Field(ge=1, le=100_000, description="feature vectors kept with a ranker for the export")
    n_resamples: int = Field(ge=100, le=100_000, description="resamples of the clusters for the intervals")
    confidence: float = Field(gt=0.5, lt=1, description="coverage of the intervals")
    verdict_min_clusters: int = Field(ge=2, le=100_000, description="test query clusters that a verdict takes")

    @field_validator("search_space", "search_groups", mode="before")
    @classmethod
    def _of_rankers(cls, spaces: Any, info: ValidationInfo) -> Any:
        """Let null take back what conf/base searches: the keys of an environment are added to those of base.

        Raises:
            ConfigError: A key is no ranker.
        """
        return _without_null(require_rankers(spaces, str(info.field_name)), levels=3)

    @field_validator("search_spaces")
    @classmethod
    def _are_in_order(cls, rules: tuple[SearchSpaceRule, ...]) -> tuple[SearchSpaceRule, ...]:
        """Refuse a rule that no corpus would ever come to.

        Raises:
            ConfigError: One stands behind another for as many rows or more.
        """
        for place, (before, rule) in enumerate(pairwise(rules), 1):
            if rule.max_rows <= before.max_rows:
                raise ConfigError(
                    f"training.search_spaces[{place}].max_rows is {rule.max_rows:,}, and the rule before it takes "
                    f"corpora of at most {before.max_rows:,} rows: no corpus would come to it.",
                    hint="Put the rules in the order of max_rows, each size once: the first that fits decides.",
                    max_rows=rule.max_rows,
                )
        return rules

    @model_validator(mode="after")
    def _is_possible(self) -> Self:
        """Find an unknown name, or a grid that cannot be tried whole, before anything runs."""
        choice = self.choice_of()
        sized = [size.applied(candidate) for size in choice.sizes for candidate in choice.every()]
        for candidate in [*choice.every(), *sized] if self.search_algorithm == "grid" else ():
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
        choice = self._choice()
        return replace(choice, trial_rule=self.choice.trial, sizes=self._sizes(choice.every()))

    def _choice(self) -> RankerChoice:
        if self.ranker.name != AUTO:
            return RankerChoice((self._candidate(self.ranker),), standard_errors=self.choice.standard_errors)
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

    def _sizes(self, candidates: Sequence[Candidate]) -> tuple[SizedSearch, ...]:
        return tuple(
            SizedSearch(
                rule.max_rows,
                {found.name: self._space(found, rule, place) for found in candidates},
                rule.n_trials,
                rule.n_rounds,
            )
            for place, rule in enumerate(self.search_spaces)
        )

    def _space(self, candidate: Candidate, rule: SearchSpaceRule, place: int) -> SearchSpace:
        known = plugins.create("rankers", candidate.ranker).default_params()
        space = rule.over(candidate.name, self.search_space.get(candidate.name, {}))
        return parse_space(space, known=known, where=f"search_spaces[{place}].search_space")

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
        groups = self.search_groups.get(spec.name, ())
        require_groups(groups, ranker=spec.name, known=known)
        space = parse_space(self.search_space.get(spec.name, {}), known=known)
        return Candidate(self._with_selection(plain), space, groups=groups, named=spec.name)

    def _with_selection(self, plain: PluginSpec) -> PluginSpec:
        """Let a ranker learn from chosen features alone; the baseline has one, and learns nothing."""
        n_features = self.feature_selection.n_features
        if n_features is None or plain.name in (BASELINE, SELECTED):
            return plain
        return PluginSpec(name=SELECTED, options={"n_features": n_features, "ranker": plain.model_dump(mode="json")})

    def budget(self) -> Budget:
        """Return how much the search of a ranker may try."""
        return Budget(
            n_trials=self.n_trials,
            batch_size=self.batch_size,
            strategy=Strategy(self.n_startup_trials, self.search_algorithm),
            n_rounds=self.n_rounds,
            early_stopping_rounds=self.early_stopping_rounds,
            metric_k=self.metric_k,
            pruning=Pruning(**dict(self.pruning)) if self.pruning.after_folds else None,
            rolling_from_rows=self.rolling_from_rows,
            rounds_kept=max(self.rounds_kept, MIN_POINTS) if self.rounds_kept else 0,
        )


def require_rankers(spaces: Any, key: str) -> Any:
    """Check that the keys of a search space are rankers.

    Args:
        spaces: As written.
        key: Its name in conf.

    Raises:
        ConfigError: One is none.
    """
    if not isinstance(spaces, dict):
        return spaces
    known = plugins.names("rankers")
    for name in sorted(set(map(str, spaces)) - set(known)):
        raise ConfigError(
            f"{key} names {name!r}, which is no ranker.",
            hint=f"Parameters stand below their ranker's name ({', '.join(known)}): "
            f"{key}: {{xgboost: {_EXAMPLES[key.rpartition('.')[2]]}}}.",
            name=name,
        )
    return spaces


def _without_null(values: Any, *, levels: int) -> Any:
    if not isinstance(values, dict) or not levels:
        return values
    return {key: _without_null(value, levels=levels - 1) for key, value in values.items() if value is not None}
