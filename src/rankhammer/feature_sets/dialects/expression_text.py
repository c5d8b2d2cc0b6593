"""Expressions of a feature set in another language's spelling."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rankhammer.feature_sets.expressions import parse_expression

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rankhammer.feature_sets import FieldValue

_OPERATORS: dict[type[ast.operator], str] = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}
_MODIFIED = {"none": "value", "log1p": "log10(1 + value)", "ln1p": "ln(1 + value)", "sqrt": "sqrt(value)"}


LARGEST = "3.4028235e+38"
"""Of a 32-bit float; what is beyond it, or no number, was 0.0 in training."""


@dataclass(frozen=True)
class Spelling:
    """How a language spells arithmetic: a template with `{0}` and `{1}` for each operator and function.

    Args:
        templates: For `+ - * /`, `negate`, each function of expressions, and `finite`: `{0}`, or 0 where that is beyond
            `LARGEST` or no number.
    """

    templates: Mapping[str, str]

    def finite(self, written: str) -> str:
        """Let what is written guard itself: an engine has what the ranker was trained on, also where it divides by 0.

        Args:
            written: An expression or a number in this language.
        """
        return self.templates["finite"].format(written)

    def expression(self, text: str, operands: Mapping[str, str]) -> str:
        """Write an expression.

        Args:
            text: An expression of the feature set.
            operands: Feature name to how the language spells its value.
        """
        return self._write(parse_expression(text), operands)

    def field_value(self, feature: FieldValue, value: str) -> str:
        """Write a document's number, modified as the feature says.

        Args:
            feature: The feature.
            value: How the language spells the number, with the feature's `missing` where there is none.
        """
        return self.expression(_MODIFIED[feature.modifier], {"value": value})

    def _write(self, node: ast.expr, operands: Mapping[str, str]) -> str:
        match node:
            case ast.BinOp(left=left, op=op, right=right):
                return self._fill(_OPERATORS[type(op)], (left, right), operands)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return self._fill("negate", (operand,), operands)
            case ast.UnaryOp(operand=operand):
                return self._write(operand, operands)
            case ast.Call(func=ast.Name(id=name), args=arguments):
                return self._fill(name, tuple(arguments), operands)
            case ast.Name(id=name):
                return operands[name]
            case ast.Constant(value=int() | float() as value):
                return repr(float(value))
        raise ValueError(f"{ast.unparse(node)!r} is not in the grammar of expressions")

    def _fill(self, name: str, arguments: tuple[ast.expr, ...], operands: Mapping[str, str]) -> str:
        return self.templates[name].format(*(self._write(argument, operands) for argument in arguments))


INFIX = {"+": "({0} + {1})", "-": "({0} - {1})", "*": "({0} * {1})", "/": "({0} / {1})", "negate": "(-{0})"}
"""Operators of most languages."""
