"""Search spaces: what may be written, and what comes out of them."""

from __future__ import annotations

import json
import math

import pytest
from hyperopt import space_eval
from hyperopt.pyll.stochastic import sample

from rankhammer.errors import ConfigError
from rankhammer.training.search_space import parse_space

KNOWN = ("depth", "rate", "kind")


def _one(function: str, arguments: list, *, name: str = "depth"):
    return parse_space({name: {function: arguments}}, known=KNOWN).dimensions[0]


@pytest.mark.parametrize(
    ("function", "arguments", "low", "high"),
    [
        ("uniform", [0.5, 1.0], 0.5, 1.0),
        ("loguniform", [0.03, 0.3], 0.03, 0.3),
        ("quniform", [3, 8, 1], 3, 8),
        ("quniform", [1, 10, 4], 1, 10),
        ("qloguniform", [1, 100, 10], 1, 100),
        ("randint", [2, 5], 2, 4),
    ],
)
def test_every_drawn_value_lies_within_the_written_bounds(function, arguments, low, high):
    dimension = _one(function, arguments)
    space = {"depth": dimension.expression()}
    drawn = [dimension.to_python(sample(space)["depth"]) for _ in range(200)]
    assert low <= min(drawn)
    assert max(drawn) <= high
    assert len(set(drawn)) > 1


def test_log_scales_take_bounds_of_the_value_itself():
    dimension = _one("loguniform", [0.01, 1.0])
    space = {"depth": dimension.expression()}
    drawn = sorted(sample(space)["depth"] for _ in range(400))
    assert drawn[200] == pytest.approx(math.sqrt(0.01 * 1.0), rel=0.6)


def test_whole_arguments_give_whole_numbers_and_others_do_not():
    assert type(_one("quniform", [3, 8, 1]).to_python(4.0)) is int
    assert type(_one("quniform", [0.5, 1.0, 0.1]).to_python(0.6)) is float
    assert type(_one("uniform", [1, 3]).to_python(2)) is float


def test_a_point_of_the_space_can_be_written_as_json():
    space = parse_space(
        {"depth": {"quniform": [3, 8, 1]}, "rate": {"loguniform": [0.03, 0.3]}, "kind": {"choice": ["a", 2, None]}},
        known=KNOWN,
    )
    point = space.to_python(space_eval(space.expressions(), {"depth": 4.0, "rate": 0.1, "kind": 1}))
    assert json.dumps(point, sort_keys=True) == '{"depth": 4, "kind": 2, "rate": 0.1}'


def test_the_order_in_the_yaml_changes_nothing():
    first = {"depth": {"randint": [1, 3]}, "rate": {"uniform": [0, 1]}}
    assert parse_space(first, known=KNOWN) == parse_space(dict(reversed(first.items())), known=KNOWN)


def test_a_value_outside_the_space_has_no_position():
    assert _one("choice", ["a", "b"]).position("b") == 1
    assert _one("choice", ["a", "b"]).position("c") is None
    assert _one("uniform", [0.5, 1.0]).position(1.0) == 1.0
    assert _one("uniform", [0.5, 1.0]).position(0.4) is None


def test_an_unknown_function_is_answered_with_the_closest_one():
    with pytest.raises(ConfigError, match=r"unknown function 'logunifrom'") as caught:
        _one("logunifrom", [0.1, 1])
    assert caught.value.hint == "Did you mean 'loguniform'?"


def test_an_unknown_parameter_is_answered_with_the_closest_one():
    with pytest.raises(ConfigError, match="'dept', which the ranker does not have") as caught:
        _one("uniform", [0, 1], name="dept")
    assert caught.value.hint == "Did you mean 'depth'?"


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        ("uniform", [1, 0]),
        ("uniform", [0]),
        ("uniform", ["a", "b"]),
        ("uniform", [False, True]),
        ("loguniform", [0, 1]),
        ("quniform", [0, 1]),
        ("quniform", [0, 1, 0]),
        ("randint", [0.5, 2]),
        ("choice", []),
    ],
)
def test_arguments_that_make_no_range_are_refused(function, arguments):
    with pytest.raises(ConfigError, match=f"{function} got"):
        _one(function, arguments)


def test_two_functions_for_one_parameter_are_refused():
    with pytest.raises(ConfigError, match="expected one function"):
        parse_space({"depth": {"uniform": [0, 1], "randint": [0, 1]}}, known=KNOWN)
