"""A search that varies one group of parameters after the other, each from the best point so far."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from rankhammer.training.search import HyperparameterSearch, Strategy, Trial, best_of, seed_of
from rankhammer.training.search_space import SearchSpace

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class StagedSearch:
    """One corpus's trials, group by group: the others' values are those of the best trial when a group begins.

    Trial 0 is the ranker's defaults. The other trials are shared equally among the groups, by their numbers alone, so
    that batches may reach over the end of a group: what a trial sees are the batches before.

    Args:
        corpus: Whose search it is.
        spaces: What to vary, group by group, as `split_space` returns it.
        defaults: Value of each searched parameter in trial 0.
        strategy: Of each group's search; the estimator learns within a group.
        random_state: The run's seed.
        n_trials: How many trials it proposes in all.
        ranker: Registered name of what is searched.
    """

    def __init__(
        self,
        corpus: str,
        spaces: Sequence[SearchSpace],
        *,
        defaults: Mapping[str, Any],
        strategy: Strategy,
        random_state: int,
        n_trials: int,
        ranker: str = "",
    ) -> None:
        self.corpus = corpus
        self.ranker = ranker
        self.trials: list[Trial] = []
        self._spaces = list(spaces)
        self._defaults = {one.name: defaults[one.name] for space in spaces for one in space.dimensions}
        self._strategy = replace(strategy, algorithm="tpe")
        self._random_state = random_state
        self._n_trials = n_trials
        self._n_suggested = 0
        self._group = -1
        self._base: dict[str, Any] = self._defaults
        self._inner: HyperparameterSearch | None = None
        self._inner_numbers: dict[int, tuple[HyperparameterSearch, Trial]] = {}

    @property
    def best(self) -> Trial | None:
        """See `HyperparameterSearch`."""
        return best_of(self.trials)

    def suggest(self, n: int) -> list[Trial]:
        """See `HyperparameterSearch`."""
        last = min(self._n_suggested + n, self._n_trials)
        proposed = [self._propose(number) for number in range(self._n_suggested, last)]
        self._n_suggested = last
        return proposed

    def record(self, trial: Trial) -> None:
        """See `HyperparameterSearch`."""
        self.trials.append(trial)
        if trial.number in self._inner_numbers:
            search, inner = self._inner_numbers.pop(trial.number)
            search.record(replace(trial, number=inner.number, params=inner.params))

    def _propose(self, number: int) -> Trial:
        if number == 0:
            return Trial(self.corpus, 0, self._defaults, ranker=self.ranker)
        group = min((number - 1) * len(self._spaces) // max(self._n_trials - 1, 1), len(self._spaces) - 1)
        if self._inner is None or group != self._group:
            self._group, self._inner = group, self._begin(group)
        (inner,) = self._inner.suggest(1)
        self._inner_numbers[number] = self._inner, inner
        return Trial(self.corpus, number, dict(sorted({**self._base, **inner.params}.items())), ranker=self.ranker)

    def _begin(self, group: int) -> HyperparameterSearch:
        """Return the search of a group, which knows the point that it begins at as its first trial."""
        best = self.best
        self._base = dict(best.params) if best else self._defaults
        search = HyperparameterSearch(
            self.corpus,
            self._spaces[group],
            defaults=self._base,
            strategy=self._strategy,
            random_state=seed_of(self._random_state, "group", group),
        )
        (first,) = search.suggest(1)
        search.record(replace(first, loss=best.loss if best else None))
        return search


def split_space(space: SearchSpace, groups: Sequence[Sequence[str]]) -> list[SearchSpace]:
    """Cut a space into those of its groups, in their order.

    Args:
        space: At least one dimension.
        groups: Names of parameters, no parameter in two of them. Those without a dimension are left out; dimensions
            that no group names are the last group.
    """
    of_name = {dimension.name: dimension for dimension in space.dimensions}
    rest = [name for name in of_name if not any(name in group for group in groups)]
    found = [tuple(of_name[name] for name in sorted(group) if name in of_name) for group in (*groups, rest)]
    return [SearchSpace(dimensions) for dimensions in found if dimensions]
