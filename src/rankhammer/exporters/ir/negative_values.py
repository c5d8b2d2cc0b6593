"""What engines do that have no values below zero, and whether a ranker can live with it."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from rankhammer.errors import ExportError
from rankhammer.feature_sets import Expression, FieldValue
from rankhammer.feature_sets.expressions import parse_expression

if TYPE_CHECKING:
    from rankhammer.exporters.ir.base import ModelIR
    from rankhammer.feature_sets import FeatureSet


def refuse_negative_values(form: ModelIR, clamped: set[str], target: str) -> None:
    """Check features whose values below zero reach the model as 0: it must not tell the two apart.

    Args:
        form: What the ranker is made of.
        clamped: Names of those features.
        target: Name of the target, for the message.

    Raises:
        ExportError: It tells them apart; the feature and where it does so are named.
    """
    for feature, where in form.below_zero().items():
        if feature in clamped:
            raise ExportError(
                f"{target}: a query cannot score below zero, but {where}.",
                hint=f"Change {feature!r} so that it is never negative, and train again.",
                feature=feature,
            )


def negative_value_warnings(form: ModelIR, feature_set: FeatureSet) -> list[str]:
    """Say which document numbers were negative in training, for engines that answer such a document with an error."""
    names = form.below_zero()
    return [
        f"The ranker tells values of {feature.name!r} below zero apart, but the engine answers a search with an error "
        f"when field {feature.field!r} of a document is negative. Store a number that is never negative."
        for feature in feature_set.features
        if isinstance(feature, FieldValue) and feature.name in names
    ]


def never_negative(feature_set: FeatureSet) -> set[str]:
    """Return the names of the features that are 0 or above for every document.

    Queries score so, and engines that refuse negative scores refuse negative numbers of a document, too; an expression
    is so where its form shows it.
    """
    sure: set[str] = set()
    for feature in feature_set.features:
        if not isinstance(feature, Expression) or _is_sure(parse_expression(feature.expression), sure):
            sure.add(feature.name)
    return sure


def _is_sure(node: ast.expr, sure: set[str]) -> bool:
    match node:
        case ast.Constant(value=int() | float() as value):
            return value >= 0
        case ast.Name(id=name):
            return name in sure
        case ast.BinOp(left=left, op=ast.Add() | ast.Mult() | ast.Div(), right=right):
            return _is_sure(left, sure) and _is_sure(right, sure)
        case ast.Call(func=ast.Name(id="sqrt" | "abs")):
            return True
        case ast.Call(func=ast.Name(id="max"), args=arguments):
            return any(_is_sure(argument, sure) for argument in arguments)
        case ast.Call(func=ast.Name(id="min"), args=arguments):
            return all(_is_sure(argument, sure) for argument in arguments)
        case ast.Call(func=ast.Name(id="ln" | "log10"), args=[ast.BinOp(left=left, op=ast.Add(), right=right)]):
            return any(_is_one(one) and _is_sure(other, sure) for one, other in ((left, right), (right, left)))
    return False


def _is_one(node: ast.expr) -> bool:
    """Say whether it is a constant of 1 or more, whose logarithm is not below zero."""
    return isinstance(node, ast.Constant) and isinstance(node.value, int | float) and node.value >= 1
