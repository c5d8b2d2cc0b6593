"""Parameters of the training stage; conf/base/parameters/training.yml holds the values."""

from __future__ import annotations

from typing import Any, Self

from pydantic import Field, field_validator, model_validator

from rankhammer import plugins
from rankhammer.errors import ConfigError
from rankhammer.pipelines.params import StageParams
from rankhammer.plugins import Choice  # noqa: TC001 - pydantic resolves it at run time
from rankhammer.ranking_metrics import parse_metric
from rankhammer.tuning.space import SearchSpace, parse_space
from rankhammer.tuning.tune import Budget


class TrainingParams(StageParams):
    """What is trained, how long its parameters are searched, and how it is measured."""

    ranker: Choice = Field(description="learning algorithm (`rankhammer plugins`) with its options")
    search_space: dict[str, dict[str, dict[str, list[Any]]]] = Field(
        max_length=100,
        description="ranker to parameter to one function and its arguments; a ranker without trains with its options",
    )
    n_trials: int = Field(ge=1, le=10_000, description="trials a corpus; the first one is the ranker's defaults")
    batch_size: int = Field(ge=1, le=1000, description="trials a corpus that run together")
    n_startup_trials: int = Field(ge=1, le=10_000, description="trials drawn at random before the search learns")
    n_rounds: int = Field(ge=1, le=100_000, description="largest number of boosting rounds")
    early_stopping_rounds: int = Field(ge=1, le=10_000, description="rounds without a better NDCG before a fit stops")
    metric_k: int = Field(ge=1, le=100, description="NDCG looks down to this rank")
    metrics: tuple[str, ...] = Field(min_length=1, max_length=20, description="metrics of the test split")
    baseline_feature: str = Field(description="feature whose order alone is the baseline")
    n_sample_vectors: int = Field(ge=1, le=100_000, description="feature vectors kept with a ranker for the export")
    n_resamples: int = Field(ge=100, le=100_000, description="resamples of the clusters for the intervals")
    confidence: float = Field(gt=0.5, lt=1, description="coverage of the intervals")

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
        """Find an unknown name before anything runs."""
        self.space()
        for metric in self.metrics:
            parse_metric(metric)
        if self.headline not in self.metrics:
            raise ValueError(f"metrics must hold {self.headline}, which metric_k = {self.metric_k} tunes for")
        return self

    @property
    def headline(self) -> str:
        """The metric that the search maximises and the summary shows."""
        return f"ndcg@{self.metric_k}"

    def space(self) -> SearchSpace:
        """Return the chosen ranker's checked search space.

        Raises:
            PluginError: The ranker or one of its options is unknown.
            ConfigError: A searched parameter, or a function, is unknown or has no range.
        """
        known = plugins.create("rankers", self.ranker).default_params()
        return parse_space(self.search_space.get(self.ranker.name, {}), known=known)

    def budget(self) -> Budget:
        """Return how much the search may try: one trial where there is nothing to search."""
        return Budget(
            n_trials=self.n_trials if self.space().dimensions else 1,
            batch_size=self.batch_size,
            n_startup_trials=self.n_startup_trials,
            n_rounds=self.n_rounds,
            early_stopping_rounds=self.early_stopping_rounds,
            metric_k=self.metric_k,
        )


def _without_null(values: Any, *, levels: int) -> Any:
    if not isinstance(values, dict) or not levels:
        return values
    return {key: _without_null(value, levels=levels - 1) for key, value in values.items() if value is not None}
