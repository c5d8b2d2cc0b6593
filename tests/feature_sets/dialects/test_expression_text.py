"""Rules of writing expressions in another language."""

from __future__ import annotations

import math

import numpy as np
import pytest

from rankhammer.feature_sets import FieldValue
from rankhammer.feature_sets.dialects.expression_text import INFIX, Spelling
from rankhammer.feature_sets.expressions import FUNCTIONS, evaluate_expression

PYTHON = Spelling(
    {
        **INFIX,
        **{name: f"{name}({{0}})" for name in ("ln", "log10", "sqrt", "abs")},
        **{name: f"{name}({{0}}, {{1}})" for name in ("min", "max")},
    }
)
NAMES = {"ln": math.log, "log10": math.log10, "sqrt": math.sqrt, "abs": abs, "min": min, "max": max}


@pytest.mark.parametrize(
    "text",
    [
        "a - (b - 2)",
        "a - b - 2",
        "a / (b * 3) / 2",
        "-a * -(b + +1)",
        "min(a, max(b, 0.5)) + abs(a - b)",
        "ln(1 + a) * log10(b) / sqrt(1e-3)",
    ],
)
def test_a_written_expression_means_what_ours_means(text: str) -> None:
    values = {"a": 3.25, "b": 7.5}

    written = PYTHON.expression(text, {"a": "(3.25)", "b": "(7.5)"})

    ours = evaluate_expression(text, {name: np.array(value) for name, value in values.items()})
    assert eval(written, dict(NAMES)) == pytest.approx(float(ours), rel=1e-12)


def test_the_spelling_of_the_test_knows_every_function() -> None:
    assert set(NAMES) == FUNCTIONS


@pytest.mark.parametrize(
    ("modifier", "expected"), [("none", 3.0), ("log1p", math.log10(4)), ("ln1p", math.log(4)), ("sqrt", math.sqrt(3))]
)
def test_a_modifier_is_written_out(modifier: str, expected: float) -> None:
    feature = FieldValue.model_validate({"name": "sold", "field": "sold", "modifier": modifier})

    assert eval(PYTHON.field_value(feature, "3.0"), dict(NAMES)) == pytest.approx(expected)
