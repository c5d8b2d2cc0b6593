"""What every engine does alike once it has a document's numbers and the query's scores: the last step to a value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from rankhammer.feature_sets.expressions import evaluate_expression

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from rankhammer.feature_sets.model import Expression, Feature, FieldValue

MODIFIERS: dict[str, Callable[[Any], Any]] = {
    "none": np.positive,
    "log1p": lambda values: np.log10(values + 1.0),
    "ln1p": np.log1p,
    "sqrt": np.sqrt,
}
"""As in the engines' field_value_factor, where log1p is the base-10 logarithm."""


def finish(feature: Feature, values: NDArray[np.float64]) -> NDArray[np.float32]:
    """Round once to 32 bits; what is absent, or beyond 32 bits, becomes 0.0 or NaN as the feature says.

    Args:
        feature: Whose values they are.
        values: NaN where the feature does not match, any shape.
    """
    with np.errstate(over="ignore"):
        rounded = values.astype(np.float32)
    return np.where(np.isfinite(rounded), rounded, np.float32("nan" if feature.absent == "keep" else 0.0))


def as_trained(values: NDArray[np.float64], keep: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Round what an engine gave to what a ranker was trained on; see `finish`.

    Args:
        values: NaN where a feature does not match, shape (n_rows, n_features).
        keep: True where a feature may be absent, shape (n_features,).
    """
    with np.errstate(over="ignore"):
        rounded = values.astype(np.float32)
    return np.where(np.isfinite(rounded), rounded, np.where(keep, np.float32("nan"), np.float32(0)))


def field_value(feature: FieldValue, numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return modified numbers; a document without one has `missing`, or nothing where absent numbers are kept.

    Args:
        feature: Names the modifier.
        numbers: As stored, NaN where the document has none, any shape.
    """
    if feature.absent == "zero":
        numbers = np.where(np.isfinite(numbers), numbers, feature.missing)
    with np.errstate(all="ignore"):
        modified: NDArray[np.float64] = MODIFIERS[feature.modifier](numbers)
    return modified


def expression(feature: Expression, values: Mapping[str, NDArray[np.float32]], n: int) -> NDArray[np.float64]:
    """Evaluate an expression over the finished values of earlier features.

    Args:
        feature: The expression.
        values: Earlier feature's name to its values, each of shape (n,).
        n: Number of pairs.

    Returns:
        Shape (n,).
    """
    operands = {name: column.astype(np.float64) for name, column in values.items()}
    return np.broadcast_to(evaluate_expression(feature.expression, operands), n)
