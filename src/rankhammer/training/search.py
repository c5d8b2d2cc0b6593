"""One corpus's hyperparameter search: the space as YAML has it, what was tried, what was best."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from rankhammer.errors import ConfigError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

ARGUMENTS = {
    "choice": "a list of values",
    "randint": "[low, high], whole numbers, high excluded",
    "uniform": "[low, high]",
    "quniform": "[low, high, step]",
    "loguniform": "[low, high], both above 0",
    "qloguniform": "[low, high, step], both above 0",
}


@dataclass(frozen=True)
class Dimension:
    """One searched parameter.

    Args:
        name: The ranker's name for it.
        function: A key of ARGUMENTS.
        arguments: Bounds of the value itself (not of its logarithm), or the values to choose from.
    """

    name: str
    function: str
    arguments: tuple[Any, ...]

    def expression(self) -> Any:
        """Return hyperopt's expression; hyperopt wants logarithms as bounds of its log scales."""
        from hyperopt import hp

        if self.function == "choice":
            return hp.choice(self.name, list(self.arguments))
        low, high, *step = self.arguments
        if self.function.endswith("loguniform"):
            low, high = math.log(low), math.log(high)
        return getattr(hp, self.function)(self.name, low, high, *step)

    def to_python(self, value: Any) -> Any:
        """Turn a sampled value into plain Python: within the bounds, an int where all arguments are ints.

        hyperopt rounds to the step after drawing, which can leave the bounds by half a step.
        """
        if self.function == "choice":
            return value
        low, high = self.arguments[:2]
        last = high - 1 if self.function == "randint" else high
        bounded = min(max(value, low), last)
        whole = all(isinstance(argument, int) for argument in self.arguments)
        return int(bounded) if whole and self.function in ("randint", "quniform", "qloguniform") else float(bounded)

    def grid(self) -> tuple[Any, ...]:
        """Return every value in ascending order of its place; none where there are infinitely many."""
        if self.function == "choice":
            return self.arguments
        if self.function in ("uniform", "loguniform"):
            return ()
        low, high, *step = self.arguments
        if not step:
            return tuple(range(low, high))
        # A step of 0.1 is no sum of halves: places are counted, not added up.
        n_steps = math.floor((high - low) / step[0] + 1e-9)
        return tuple(self.to_python(low + place * step[0]) for place in range(n_steps + 1))

    def position(self, value: Any) -> Any | None:
        """Return where a value lies for hyperopt (the index of a choice, else the value); None when outside."""
        if self.function == "choice":
            return self.arguments.index(value) if value in self.arguments else None
        return value if self.to_python(value) == value else None


@dataclass(frozen=True)
class SearchSpace:
    """What a search varies.

    Args:
        dimensions: In name order, so that the order in the YAML changes nothing.
    """

    dimensions: tuple[Dimension, ...]

    @property
    def n_points(self) -> int:
        """How many points its grid has; 1 where nothing is searched."""
        return math.prod(len(dimension.grid()) for dimension in self.dimensions)

    def point(self, number: int) -> dict[str, Any]:
        """Return a point of the grid: the last dimension changes first.

        Args:
            number: From 0 to n_points - 1.
        """
        found = {}
        for dimension in reversed(self.dimensions):
            values = dimension.grid()
            number, place = divmod(number, len(values))
            found[dimension.name] = values[place]
        return dict(sorted(found.items()))

    def expressions(self) -> dict[str, Any]:
        """Return hyperopt's form of the whole space."""
        return {dimension.name: dimension.expression() for dimension in self.dimensions}

    def to_python(self, point: Mapping[str, Any]) -> dict[str, Any]:
        """Turn a sampled point (after `hyperopt.space_eval`) into plain Python values that JSON can hold."""
        return {dimension.name: dimension.to_python(point[dimension.name]) for dimension in self.dimensions}

    def positions(self, params: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return where given values lie for hyperopt, or None when one of them is not in the space."""
        found = {dimension.name: dimension.position(params[dimension.name]) for dimension in self.dimensions}
        return None if None in found.values() else found


def parse_space(space: Mapping[str, Mapping[str, Sequence[Any]]], *, known: Iterable[str]) -> SearchSpace:
    """Read a search space from its YAML form.

    Args:
        space: Parameter name to one function and its arguments, e.g. {"max_depth": {"quniform": [3, 8, 1]}}.
        known: The names that the ranker has.

    Returns:
        The checked space, in name order.

    Raises:
        ConfigError: A parameter or function is unknown, or its arguments make no range.
    """
    names = set(known)
    return SearchSpace(tuple(_dimension(name, space[name], names) for name in sorted(space)))


def _dimension(name: str, written: Mapping[str, Sequence[Any]], known: set[str]) -> Dimension:
    if name not in known:
        raise ConfigError(
            f"search_space names {name!r}, which the ranker does not have.",
            hint=did_you_mean(name, known),
            parameter=name,
        )
    if len(written) != 1:
        raise ConfigError(
            f"search_space.{name}: got {dict(written)!r}, expected one function with its arguments.",
            hint=f"For example {name}: {{uniform: [0.5, 1.0]}}.",
            parameter=name,
        )
    (function, arguments), *_ = written.items()
    if function not in ARGUMENTS:
        raise ConfigError(
            f"search_space.{name}: unknown function {function!r}.",
            hint=did_you_mean(function, ARGUMENTS),
            parameter=name,
            function=function,
        )
    if not _is_range(function, arguments):
        raise ConfigError(
            f"search_space.{name}: {function} got {arguments!r}, expected {ARGUMENTS[function]} with low < high.",
            hint="Bounds are values of the parameter itself, on log scales too.",
            parameter=name,
            function=function,
        )
    return Dimension(name, function, tuple(arguments))


def _is_range(function: str, arguments: Sequence[Any]) -> bool:
    if function == "choice":
        return isinstance(arguments, list | tuple) and len(arguments) > 0
    stepped = function.startswith("q")
    kinds = int if function == "randint" else (int, float)
    if len(arguments) != (3 if stepped else 2) or not all(_is_number(value, kinds) for value in arguments):
        return False
    low, high = arguments[:2]
    positive = low > 0 or not function.endswith("loguniform")
    return bool(low < high and positive and (not stepped or arguments[2] > 0))


def _is_number(value: Any, kinds: Any) -> bool:
    return isinstance(value, kinds) and not isinstance(value, bool)


def require_grid(space: SearchSpace, *, ranker: str, n_trials: int) -> None:
    """Check that a search can try every point of a space's grid.

    Args:
        space: What is searched.
        ranker: Whose parameters they are.
        n_trials: Trials that there may be, the first of which runs with the defaults.

    Raises:
        ConfigError: A parameter has infinitely many values, or there are more points than trials.
    """
    endless = [dimension.name for dimension in space.dimensions if not dimension.grid()]
    if endless:
        raise ConfigError(
            f"search_algorithm is grid, and search_space.{ranker}.{endless[0]} has infinitely many values.",
            hint="Name them (choice: [0.05, 0.1, 0.2]) or give a step (quniform: [0.1, 0.5, 0.1]); null takes a "
            "parameter out of the search.",
            parameter=endless[0],
        )
    if space.n_points > n_trials - 1 and space.dimensions:
        sizes = " x ".join(f"{len(dimension.grid())} ({dimension.name})" for dimension in space.dimensions)
        raise ConfigError(
            f"The grid of {ranker} has {sizes} = {space.n_points:,} points, and {n_trials} trials are allowed, the "
            "first of which runs with the defaults.",
            hint=f"Set training.n_trials: {space.n_points + 1}, or name fewer values.",
            n_points=space.n_points,
        )


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
