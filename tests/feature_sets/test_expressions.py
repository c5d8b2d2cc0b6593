from __future__ import annotations

import math

import numpy as np
import pytest

from rankhammer.feature_sets.expressions import evaluate_expression, expression_names, parse_expression


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a + 2 * b", [1 + 2 * 4, 3 + 2 * 0]),
        ("-(a - b) / 2", [-(1 - 4) / 2, -(3 - 0) / 2]),
        ("max(a, b) - min(a, b)", [3, 3]),
        ("ln(a) + log10(a)", [0, math.log(3) + math.log10(3)]),
        ("sqrt(b) + abs(-a)", [2 + 1, 0 + 3]),
    ],
)
def test_expressions_mean_what_they_say(text: str, expected: list[float]) -> None:
    values = {"a": np.array([1.0, 3.0]), "b": np.array([4.0, 0.0])}
    np.testing.assert_allclose(evaluate_expression(text, values), expected)


def test_division_by_zero_raises_nothing() -> None:
    values = evaluate_expression("1 / a", {"a": np.array([0.0, 2.0])})
    assert values.tolist() == [math.inf, 0.5]


def test_names_are_listed_once_in_order_and_functions_are_not_names() -> None:
    assert expression_names("min(b, a) + b * ln(c)") == ("b", "a", "c")


@pytest.mark.parametrize(
    "text",
    [
        *("", "a b", "a ** 2", "a // 2", "a % 2", "a if b else c", "a > b", "'a'", "True", "1j", "a.b", "a[0]"),
        *("exp(a)", "__import__('os')", "ln(a, b)", "min(a)", "max(*a)", "ln(x=a)", "(lambda: 1)()", "[a]", "a; b"),
        *("a := 1", "~a"),
    ],
)
def test_everything_outside_the_grammar_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"not an arithmetic expression|not allowed|unknown function|argument"):
        parse_expression(text)
