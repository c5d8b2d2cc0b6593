"""One corpus's hyperparameter search: what was tried, and what was best."""

from __future__ import annotations

import hashlib
import math
import statistics
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rankhammer.training.curves import Curve
    from rankhammer.training.search_space import SearchSpace

Algorithm = Literal["tpe", "staged", "random", "grid"]
"""How points of a space are chosen: by a model of what was seen, of all parameters or of one group after the other; by
chance; or one after the other."""


TrialRule = Literal["mean", "one_standard_error"]
"""Which trial is taken: the highest mean NDCG over folds; or the smallest model among those at most one standard error
behind that."""


@dataclass(frozen=True)
class Strategy:
    """How a search chooses what to try.

    Args:
        n_startup_trials: Trials drawn at random before the estimator is used.
        algorithm: How points are chosen after that.
    """

    n_startup_trials: int
    algorithm: Algorithm = "tpe"


Group = tuple[float, int]
"""Sum of the metric over a group's queries, and how many they are."""


@dataclass(frozen=True)
class Standing:
    """How far a candidate's best trial is behind the best candidate's, over the same validation queries.

    Args:
        ranker: The candidate's name.
        ndcg: Mean over all validation queries.
        behind: The best candidate's mean minus this one's, 0 or above.
        standard_error: Of `behind`, paired by query; 0 for the best candidate.
        chosen: Whether the corpus gets it.
    """

    ranker: str
    ndcg: float
    behind: float
    standard_error: float
    chosen: bool = False


@dataclass(frozen=True)
class Trial:
    """One tried point of the search space.

    Args:
        corpus: Whose search it belongs to.
        number: 0-based place in that search.
        params: The searched parameters' values.
        loss: Minus the mean NDCG over folds; None when it failed, and an estimate when it was pruned.
        n_rounds: Mean best number of rounds over folds; None when it failed.
        duration_s: Seconds of worker time.
        error: Why it failed; empty when it did not.
        ranker: Registered name of what was trained.
        groups: Groups of the validation queries of all folds: (sum of their NDCG, how many), see `choice.group_sums`.
        standing: Of a candidate's best trial, once all are compared; None for the others.
        fold_ndcg: Mean NDCG of each fold's validation queries, in the order of folds; empty when it failed.
        is_pruned: Whether it was given up after some of its folds, see `pruning`.
        fold_rounds: Best number of rounds of each fold, in the order of folds; empty when it failed.
        curves: The validation metric of each fold by round, in the order of folds; empty when it failed.
        model_size: Mean over folds of `rankers.model_size`, the rounds of a model whose size is not known; None when it
            failed.
        behind_best: By how much it is behind the best trial of its search, paired by query, once all ended. The best
            is that over folds, so this may be below 0. None when it was pruned or failed.
        behind_best_se: Standard error of that.
    """

    corpus: str
    number: int
    params: Mapping[str, Any]
    loss: float | None = None
    n_rounds: int | None = None
    duration_s: float = 0.0
    error: str = ""
    ranker: str = ""
    groups: tuple[Group, ...] = ()
    standing: Standing | None = None
    fold_ndcg: tuple[float, ...] = ()
    is_pruned: bool = False
    fold_rounds: tuple[int, ...] = ()
    curves: tuple[Curve, ...] = ()
    model_size: float | None = None
    behind_best: float | None = None
    behind_best_se: float | None = None

    @property
    def standard_error(self) -> float | None:
        """Standard error of the mean NDCG over folds; None below two folds.

        Folds share most of their training rows, so it is a rough one: of the mean over these folds, not over new data.
        """
        return standard_error(self.fold_ndcg)

    @property
    def status(self) -> str:
        """How it ended: "ok", "pruned" or "fail"."""
        return "fail" if self.loss is None else "pruned" if self.is_pruned else "ok"


class HyperparameterSearch:
    """One corpus's trials: by a tree-structured Parzen estimator, by chance, or point by point of a grid.

    Trial 0 is the ranker's defaults, so a search never ends worse than them. Each later trial has a seed of
    its own, made from the run's seed, the corpus and the trial's number: no other corpus and no number of
    workers changes it. Points that are still running count as bad ones, so a batch spreads: over 12 seeds of a known
    function, batches of 4 came to 0.60 above the minimum so, and to 1.15 where running points were not seen.

    Args:
        corpus: Whose search it is.
        space: What to vary.
        defaults: Value of each searched parameter in trial 0.
        strategy: How to choose what to try.
        random_state: The run's seed.
        ranker: Registered name of what is searched.
        n_trials: How many trials it proposes in all; None: as many as are wanted, and of a grid as many as it has.

    References:
        J. Bergstra, R. Bardenet, Y. Bengio, B. Kegl, "Algorithms for Hyper-Parameter Optimization", NIPS, 2011.
    """

    def __init__(
        self,
        corpus: str,
        space: SearchSpace,
        *,
        defaults: Mapping[str, Any],
        strategy: Strategy,
        random_state: int,
        ranker: str = "",
        n_trials: int | None = None,
    ) -> None:
        self.corpus = corpus
        self.ranker = ranker
        self.trials: list[Trial] = []
        self._space = space
        self._defaults = {dimension.name: defaults[dimension.name] for dimension in space.dimensions}
        self._strategy = strategy
        self._random_state = random_state
        self._expressions = space.expressions()
        # hyperopt cannot hold an empty space; such a search never asks it.
        asked: tuple[Any, Any] = _asked(self._expressions) if space.dimensions else (None, None)
        self._domain, self._history = asked
        self._n_suggested = 0
        # The defaults come before the grid's points.
        of_grid = space.n_points + 1 if strategy.algorithm == "grid" and space.dimensions else None
        self._n_trials = min(filter(None, (n_trials, of_grid)), default=None)

    @property
    def best(self) -> Trial | None:
        """The trial with the lowest loss of all folds, the earliest of equals; None while none succeeded."""
        return best_of(self.trials)

    def suggest(self, n: int) -> list[Trial]:
        """Propose the next trials, to be run together; fewer than n where there are no more."""
        end = self._n_suggested + n
        last = end if self._n_trials is None else min(end, self._n_trials)
        proposed = [replace(self._propose(number), ranker=self.ranker) for number in range(self._n_suggested, last)]
        self._n_suggested += len(proposed)
        return proposed

    def record(self, trial: Trial) -> None:
        """Remember how a proposed trial ended."""
        self.trials.append(trial)
        if self._history is None:
            return
        from rankhammer.training.light_hyperopt import hyperopt

        for document in self._history.trials:
            if document["tid"] == trial.number:
                document["state"] = hyperopt.JOB_STATE_DONE
                document["result"] = {"status": "fail" if trial.loss is None else "ok", "loss": trial.loss}

    def _propose(self, number: int) -> Trial:
        if not self._space.dimensions:
            return Trial(self.corpus, number, {})
        if number == 0:
            return self._propose_defaults()
        if self._strategy.algorithm == "grid":
            return Trial(self.corpus, number, self._space.point(number - 1))
        from rankhammer.training.light_hyperopt import hyperopt

        asked = ([number], self._domain, self._history, seed_of(self._random_state, self.corpus, number))
        if self._strategy.algorithm == "random":
            documents = hyperopt.rand.suggest(*asked)
        else:
            documents = hyperopt.tpe.suggest(*asked, n_startup_jobs=self._strategy.n_startup_trials, verbose=False)
        self._remember(documents)
        values = {name: found[0] for name, found in documents[0]["misc"]["vals"].items()}
        return Trial(self.corpus, number, self._space.to_python(hyperopt.space_eval(self._expressions, values)))

    def _propose_defaults(self) -> Trial:
        """Defaults outside the search space are tried, too, but the estimator cannot learn from them."""
        positions = self._space.positions(self._defaults)
        if positions is not None:
            misc = {"tid": 0, "cmd": self._domain.cmd, "workdir": self._domain.workdir}
            misc["idxs"] = {name: [0] for name in positions}
            misc["vals"] = {name: [value] for name, value in positions.items()}
            self._remember(self._history.new_trial_docs([0], [None], [self._domain.new_result()], [misc]))
        return Trial(self.corpus, 0, self._defaults)

    def _remember(self, documents: list[dict[str, Any]]) -> None:
        self._history.insert_trial_docs(documents)
        self._history.refresh()


def _asked(expressions: dict[str, Any]) -> tuple[Any, Any]:
    """Return hyperopt's form of a search: its space, and the trials so far."""
    from rankhammer.training.light_hyperopt import hyperopt

    return hyperopt.Domain(lambda point: point, expressions), hyperopt.Trials()


def best_of(trials: Sequence[Trial]) -> Trial | None:
    """Return the trial with the lowest loss of all folds, the earliest of equals; None where none succeeded."""
    done = [trial for trial in trials if trial.loss is not None and not trial.is_pruned]
    return min(done, key=lambda trial: (trial.loss or 0.0, trial.number), default=None)


def standard_error(values: Sequence[float]) -> float | None:
    """Return the standard error of a mean, the values being independent; None below two of them."""
    return statistics.stdev(values) / math.sqrt(len(values)) if len(values) > 1 else None


def seed_of(random_state: int, *content: object) -> int:
    """Make a 31-bit seed that depends on what it is for, not on the order of work."""
    text = "/".join(map(str, (random_state, *content)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") >> 1
