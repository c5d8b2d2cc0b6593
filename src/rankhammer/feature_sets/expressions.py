"""Arithmetic over feature values: a small grammar that every engine's expression language shares."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

_OPERATORS: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: np.divide,
}
_SIGNS: dict[type[ast.unaryop], Callable[[Any], Any]] = {ast.USub: np.negative, ast.UAdd: np.positive}
_ONE_ARGUMENT: dict[str, Callable[..., Any]] = {"ln": np.log, "log10": np.log10, "sqrt": np.sqrt, "abs": np.abs}
_TWO_ARGUMENTS: dict[str, Callable[..., Any]] = {"min": np.minimum, "max": np.maximum}
FUNCTIONS = frozenset({*_ONE_ARGUMENT, *_TWO_ARGUMENTS})
"""Names that an expression may call; no feature may bear one of them."""


def parse_expression(text: str) -> ast.expr:
    """Parse an expression and refuse everything outside the shared grammar.

    Args:
        text: `+ - * / ( )`, decimal numbers, names, and ln, log10, sqrt, abs (one argument), min, max (two).

    Returns:
        The syntax tree: only BinOp, UnaryOp, Constant, Name and Call nodes.

    Raises:
        ValueError: Not an expression, or a part of it is not in the grammar; the message quotes that part.
    """
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, RecursionError, MemoryError) as exc:
        raise ValueError(f"{text!r} is not an arithmetic expression") from exc
    _check(tree)
    return tree


def expression_names(text: str) -> tuple[str, ...]:
    """Return the feature names that an expression reads, each once, in order of appearance."""
    tree = parse_expression(text)
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    names = [node for node in ast.walk(tree) if isinstance(node, ast.Name) and id(node) not in called]
    names.sort(key=lambda node: (node.lineno, node.col_offset))
    return tuple(dict.fromkeys(node.id for node in names))


def evaluate_expression(text: str, values: Mapping[str, NDArray[np.float64]]) -> NDArray[np.float64]:
    """Evaluate an expression for many rows at once.

    Division by zero and logarithms of zero give infinities or NaN, as in the engines; nothing is raised.

    Args:
        text: An expression that `parse_expression` accepts.
        values: Feature name to its float64 values, shape (n_rows,) each.

    Returns:
        float64, shape (n_rows,), or shape () where the expression names no feature.
    """
    with np.errstate(all="ignore"):
        return np.asarray(_evaluate(parse_expression(text), values), dtype=np.float64)


def _check(node: ast.expr) -> None:
    for child in _children(node):
        _check(child)


def _children(node: ast.expr) -> list[ast.expr]:
    """Return the operands of an allowed node; refuse any other."""
    match node:
        case ast.BinOp(op=op) if type(op) in _OPERATORS:
            return [node.left, node.right]
        case ast.UnaryOp(op=sign) if type(sign) in _SIGNS:
            return [node.operand]
        case ast.Constant(value=value) if type(value) in (int, float):
            return []
        case ast.Name():
            return []
        case ast.Call(func=ast.Name(id=name), keywords=[]):
            return _arguments(name, node)
    raise ValueError(
        f"{ast.unparse(node)!r} is not allowed in an expression; use + - * / ( ), numbers, earlier names and "
        f"{', '.join(sorted(FUNCTIONS))}"
    )


def _arguments(name: str, call: ast.Call) -> list[ast.expr]:
    if name not in FUNCTIONS:
        raise ValueError(f"unknown function {name!r}; known: {', '.join(sorted(FUNCTIONS))}")
    expected = 1 if name in _ONE_ARGUMENT else 2
    if len(call.args) != expected:
        raise ValueError(f"{ast.unparse(call)!r}: {name} takes {expected} argument(s), got {len(call.args)}")
    return call.args


def _evaluate(node: ast.expr, values: Mapping[str, NDArray[np.float64]]) -> Any:
    match node:
        case ast.BinOp():
            return _OPERATORS[type(node.op)](_evaluate(node.left, values), _evaluate(node.right, values))
        case ast.UnaryOp():
            return _SIGNS[type(node.op)](_evaluate(node.operand, values))
        case ast.Constant(value=int() | float() as value):
            return np.float64(value)
        case ast.Call(func=ast.Name(id=name)):
            function = _ONE_ARGUMENT.get(name) or _TWO_ARGUMENTS[name]
            return function(*(_evaluate(argument, values) for argument in node.args))
        case ast.Name(id=name):
            return values[name]
    raise ValueError(f"{ast.unparse(node)!r} cannot be evaluated")
