"""The space of a hyperparameter search, as YAML has it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

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
        from rankhammer.training.light_hyperopt import hyperopt

        if self.function == "choice":
            return hyperopt.hp.choice(self.name, list(self.arguments))
        low, high, *step = self.arguments
        if self.function.endswith("loguniform"):
            low, high = math.log(low), math.log(high)
        return getattr(hyperopt.hp, self.function)(self.name, low, high, *step)

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


def parse_space(
    space: Mapping[str, Mapping[str, Sequence[Any]]], *, known: Iterable[str], where: str = "search_space"
) -> SearchSpace:
    """Read a search space from its YAML form.

    Args:
        space: Parameter name to one function and its arguments, e.g. {"max_depth": {"quniform": [3, 8, 1]}}.
        known: The names that the ranker has.
        where: Key that it stands below, for messages.

    Returns:
        The checked space, in name order.

    Raises:
        ConfigError: A parameter or function is unknown, or its arguments make no range.
    """
    names = set(known)
    return SearchSpace(tuple(_dimension(name, space[name], names, where) for name in sorted(space)))


def _dimension(name: str, written: Mapping[str, Sequence[Any]], known: set[str], where: str) -> Dimension:
    if name not in known:
        raise ConfigError(
            f"{where} names {name!r}, which the ranker does not have.",
            hint=did_you_mean(name, known),
            parameter=name,
        )
    if len(written) != 1:
        raise ConfigError(
            f"{where}.{name}: got {dict(written)!r}, expected one function with its arguments.",
            hint=f"For example {name}: {{uniform: [0.5, 1.0]}}.",
            parameter=name,
        )
    (function, arguments), *_ = written.items()
    if function not in ARGUMENTS:
        raise ConfigError(
            f"{where}.{name}: unknown function {function!r}.",
            hint=did_you_mean(function, ARGUMENTS),
            parameter=name,
            function=function,
        )
    if not _is_range(function, arguments):
        raise ConfigError(
            f"{where}.{name}: {function} got {arguments!r}, expected {ARGUMENTS[function]} with low < high.",
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


def require_groups(groups: Sequence[Sequence[str]], *, ranker: str, known: Iterable[str]) -> None:
    """Check the groups of a staged search.

    Args:
        groups: Names of parameters; those that are not searched may be among them.
        ranker: Whose parameters they are.
        known: The names that the ranker has.

    Raises:
        ConfigError: A parameter is unknown, or is in two groups.
    """
    names, seen = set(known), set[str]()
    for name in (name for group in groups for name in group):
        if name not in names:
            raise ConfigError(
                f"search_groups.{ranker} names {name!r}, which the ranker does not have.",
                hint=did_you_mean(name, names),
                parameter=name,
            )
        if name in seen:
            raise ConfigError(
                f"search_groups.{ranker} names {name!r} twice.",
                hint="Each parameter is varied in one group, with the others of it.",
                parameter=name,
            )
        seen.add(name)
