"""A feature set as Elasticsearch's query extractors: one query template per feature, by construction never absent."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

from rankhammer.errors import ExportError
from rankhammer.feature_sets import Expression, FieldValue, QueryLength, Raw, TextFeature
from rankhammer.feature_sets.dialects.expression_text import INFIX, LARGEST, Spelling
from rankhammer.feature_sets.dialects.ltr_features import length_param, query_template
from rankhammer.feature_sets.expressions import parse_expression
from rankhammer.feature_sets.needed_features import operands, refuse_absent_operands

if TYPE_CHECKING:
    from collections.abc import Callable

    from rankhammer.feature_sets import Feature, FeatureSet

_PAINLESS = Spelling(
    {
        **INFIX,
        "ln": "Math.log({0})",
        "log10": "Math.log10({0})",
        "sqrt": "Math.sqrt({0})",
        "abs": "Math.abs({0})",
        "min": "Math.min({0}, {1})",
        "max": "Math.max({0}, {1})",
        "finite": f"Math.abs({{0}}) <= {LARGEST} ? {{0}} : 0",
    }
)


def feature_extractors(feature_set: FeatureSet) -> list[dict[str, Any]]:
    """Write each feature as a query extractor.

    Args:
        feature_set: What the trees ask for, and what expressions compute with.

    Returns:
        One extractor per feature, in order.

    Raises:
        ExportError: Elasticsearch cannot compute a feature the way the ranker was trained on it.
    """
    refuse_absent_operands(feature_set, "a script would compute with 0")
    features = {feature.name: feature for feature in feature_set.features}
    return [
        {"query_extractor": {"feature_name": name, "query": _query(feature, features)}}
        for name, feature in features.items()
    ]


def _query(feature: Feature, features: dict[str, Feature]) -> dict[str, Any]:
    if not isinstance(feature, Expression):
        return query_template(feature)
    needed = [other for name, other in features.items() if name in _all_operands(feature, features)]
    texts = [other for other in needed if isinstance(other, TextFeature | Raw)]
    if len(texts) <= 1:
        return _script(feature, needed, query_template(texts[0]) if texts else {"match_all": {}})
    query = _compound(parse_expression(feature.expression), features)
    if query is None:
        raise ExportError(
            f"Feature {feature.name!r} computes with {[text.name for text in texts]}: Elasticsearch can add up several "
            "queries, multiply them by constants and take the largest, and nothing else.",
            hint=f"Train without {feature.name!r}, or compute with at most one match or phrase.",
            feature=feature.name,
        )
    return query


def _script(feature: Expression, needed: list[Feature], query: dict[str, Any]) -> dict[str, Any]:
    variables, operand_texts = _operand_texts(needed)
    value = _PAINLESS.expression(feature.expression, operand_texts)
    # A score is neither negative nor infinite; a result that is not finite counts as absent, that is 0.
    source = " ".join([*variables, f"double v = {value}; return v > 0 && v <= {LARGEST} ? v : 0;"])
    names = {length_param(other) for other in needed if isinstance(other, QueryLength)}
    params = {name: f"{{{{{name}}}}}" for name in sorted(names)}
    return {"script_score": {"query": query, "script": {"source": source, "params": params}}}


def _compound(node: ast.expr, features: dict[str, Feature]) -> dict[str, Any] | None:
    """Write an expression as a query of queries that match every document; None where there is no such query."""
    match node:
        case ast.Name(id=name):
            feature = features[name]
            if isinstance(feature, Expression):
                return _compound(parse_expression(feature.expression), features)
            return query_template(feature)
        case ast.Constant(value=int() | float() as value):
            return {"match_all": {"boost": float(value)}}
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _of_two(lambda queries: {"bool": {"must": queries}}, left, right, features)
        case ast.Call(func=ast.Name(id="max"), args=[left, right]):
            return _of_two(lambda queries: {"dis_max": {"queries": queries}}, left, right, features)
        case ast.BinOp(left=ast.Constant(value=factor), op=ast.Mult(), right=inner):
            return _boosted(inner, factor, features)
        case ast.BinOp(left=inner, op=ast.Mult(), right=ast.Constant(value=factor)):
            return _boosted(inner, factor, features)
    return None


def _of_two(
    join: Callable[[list[Any]], dict[str, Any]], left: ast.expr, right: ast.expr, features: dict[str, Feature]
) -> dict[str, Any] | None:
    queries = [_compound(left, features), _compound(right, features)]
    return None if None in queries else join(queries)


def _boosted(inner: ast.expr, factor: Any, features: dict[str, Feature]) -> dict[str, Any] | None:
    query = _compound(inner, features)
    return None if query is None else {"bool": {"must": [query], "boost": float(factor)}}


def _all_operands(feature: Feature, features: dict[str, Feature]) -> set[str]:
    direct = operands(feature)
    return direct.union(*(_all_operands(features[name], features) for name in direct))


def _operand_texts(needed: list[Feature]) -> tuple[list[str], dict[str, str]]:
    """Write each operand in Painless, in the set's order, in which expressions come after what they compute with.

    Returns:
        Statements that set a variable for each number that guards itself, and feature name to its text.
    """
    statements: list[str] = []
    texts: dict[str, str] = {}
    for feature in needed:
        text = _operand_text(feature, texts)
        if isinstance(feature, Expression | FieldValue):
            name = f"v{len(statements)}"
            statements.append(f"double {name} = {text}; {name} = {_PAINLESS.finite(name)};")
            text = name
        texts[feature.name] = text
    return statements, texts


def _operand_text(feature: Feature, texts: dict[str, str]) -> str:
    if isinstance(feature, Expression):
        return _PAINLESS.expression(feature.expression, texts)
    if isinstance(feature, QueryLength):
        return f"Double.parseDouble(params.{length_param(feature)})"
    if isinstance(feature, FieldValue):
        return _PAINLESS.field_value(feature, _document_number(feature))
    return "_score"


def _document_number(feature: FieldValue) -> str:
    field = "'" + feature.field.replace("\\", "\\\\").replace("'", "\\'") + "'"
    return f"(doc[{field}].size() == 0 ? {feature.missing!r} : doc[{field}].value)"
