"""Features: mustache templates of queries, and expressions over the values of other features."""

from __future__ import annotations

import ast
import json
import re

import numpy as np

from ltr_node.refusals import bad, illegal, of_shards, only_keys

_PLACE = re.compile(r"\{\{(.*?)\}\}")
_CHOICE = re.compile(r"(.*?)\?(.*?):(.*)", re.DOTALL)
_OPERATORS = {ast.Add: np.add, ast.Sub: np.subtract, ast.Mult: np.multiply, ast.Div: np.divide}
_FUNCTIONS = {"ln": np.log, "log10": np.log10, "sqrt": np.sqrt, "abs": np.abs, "min": np.minimum, "max": np.maximum}


def check_features(features: list[dict]) -> None:
    """Refuse what the plugin refuses when a set is stored, with `validation` or without."""
    names: list[str] = []
    for feature in features:
        only_keys(feature, {"name", "params", "template_language", "template"}, "feature")
        if feature["name"] in names:
            words = f"Feature [{feature['name']}] defined twice in this set: feature names must be unique in a set."
            outer = ("x_content_parse_exception", "[1:293] [storable_elements] failed to parse field [featureset]")
            raise bad("parsing_exception", words).inside(outer)
        names.append(feature["name"])
        if feature["template_language"] == "mustache":
            _check_places(feature)
    known = {*names, *(param for feature in features for param in feature.get("params", []))}
    for feature in features:
        if feature["template_language"] == "derived_expression":
            _check_expression(feature, known)


def render(feature: dict, params: dict) -> dict:
    """Return the query of a mustache feature for the parameters of a search."""
    missing = [name for name in feature.get("params", []) if name not in params]
    if missing:
        words = f"Missing required param(s): [{','.join(missing)}]"
        raise of_shards(
            ("query_shard_exception", f"failed to create query: {words}"), ("illegal_argument_exception", words)
        )
    template = feature["template"]
    text = template if isinstance(template, str) else json.dumps(template)
    return json.loads(_PLACE.sub(lambda found: json.dumps(str(params.get(found[1].strip(), "")))[1:-1], text))


def names_in(expression: str) -> set[str]:
    return {node.id for node in ast.walk(_parse(expression)) if isinstance(node, ast.Name)} - set(_FUNCTIONS)


def evaluate(expression: str, values: dict[str, float]) -> float:
    """Compute in 64 bits as Java does: a division by zero is no error."""
    with np.errstate(all="ignore"):
        return float(_value(_parse(expression).body, values))


def _check_places(feature: dict) -> None:
    template = feature["template"]
    text = template if isinstance(template, str) else json.dumps(template)
    for place in _PLACE.findall(text):
        name = place.strip()
        if not re.fullmatch(r"\w+", name) or name not in feature.get("params", []):
            raise illegal(f"Feature [{feature['name']}]: template refers to unknown parameter [{name}]")


def _check_expression(feature: dict, known: set[str]) -> None:
    for name in sorted(names_in(feature["template"])):
        if name not in known:
            raise illegal(f"Derived feature [{feature['name']}] refers to unknown feature or parameter: [{name}]")


def _parse(expression: str) -> ast.Expression:
    try:
        return ast.parse(_CHOICE.sub(r"(\2) if (\1) else (\3)", expression), mode="eval")
    except SyntaxError as exc:
        words = f"invalid sequence of tokens near '{(exc.text or '')[(exc.offset or 1) - 1 :][:1]}'"
        # The innermost cause of a real node has no reason.
        innermost = bad("no_viable_alt_exception", None)
        raise innermost.inside(("script_exception", "compile error"), ("parse_exception", words)) from exc


def _value(node: ast.expr, values: dict[str, float]) -> float:
    match node:
        case ast.BinOp():
            return _OPERATORS[type(node.op)](_value(node.left, values), _value(node.right, values))
        case ast.UnaryOp(op=ast.USub()):
            return -_value(node.operand, values)
        case ast.UnaryOp(op=ast.UAdd()):
            return _value(node.operand, values)
        case ast.Constant():
            return np.float64(node.value)
        case ast.IfExp():
            return _value(node.body if _value(node.test, values) else node.orelse, values)
        case ast.Compare(left=left, ops=[ast.LtE()], comparators=[right]):
            return _value(left, values) <= _value(right, values)
        case ast.Call(func=ast.Name(id=name)):
            return _FUNCTIONS[name](*(_value(argument, values) for argument in node.args))
        case ast.Name(id=name):
            return values[name]
    raise illegal(f"cannot evaluate {ast.unparse(node)}")
