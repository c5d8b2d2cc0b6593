"""A feature set in terms of Solr's feature store: one feature class with parameters each."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from rankhammer.errors import ExportError
from rankhammer.feature_sets import Expression, FieldValue, Match, MatchedTerms, Phrase, QueryLength, Raw, own_query
from rankhammer.feature_sets.dialects.expression_text import LARGEST, Spelling
from rankhammer.feature_sets.dialects.ltr_features import KEYWORDS, length_param, search_params
from rankhammer.feature_sets.needed_features import operands

if TYPE_CHECKING:
    from collections.abc import Collection

    from rankhammer.feature_sets import Feature, FeatureSet

QUOTED_KEYWORDS = "keywords_quoted"
"""Name of the parameter that holds the user's query with a backslash before each backslash and apostrophe."""
_MAX_FUNCTION = 50_000
_FEATURE = "org.apache.solr.ltr.feature."
_FUNCTIONS = Spelling(
    {
        "+": "sum({0},{1})",
        "-": "sub({0},{1})",
        "*": "product({0},{1})",
        "/": "div({0},{1})",
        "negate": "product(-1,{0})",
        "ln": "ln({0})",
        "log10": "log({0})",
        "sqrt": "sqrt({0})",
        "abs": "abs({0})",
        "min": "min({0},{1})",
        "max": "max({0},{1})",
        "finite": f"if(lte(abs({{0}}),{LARGEST}),{{0}},0)",
    }
)


def solr_features(feature_set: FeatureSet, *, quoted: bool) -> list[dict[str, Any]]:
    """Write each feature as the feature store takes it, without the store's name.

    Args:
        feature_set: What the trees ask for, and what expressions compute with.
        quoted: Expressions may compute with text features, which then read the parameter `keywords_quoted`.

    Returns:
        One object per feature: name, class, params.

    Raises:
        ExportError: Solr cannot compute a feature, or a field's name cannot stand in a query.
    """
    functions: dict[str, str] = {}
    stored = []
    for feature in feature_set.features:
        if isinstance(feature, Match | Phrase):
            functions |= {feature.name: _text_function(feature)} if quoted and feature.absent == "zero" else {}
        elif not isinstance(feature, MatchedTerms | Raw):
            functions[feature.name] = _function(feature, functions)
        kind, params = _class_and_params(feature, functions)
        stored.append({"name": feature.name, "class": _FEATURE + kind, "params": params})
    return stored


def read_params(features: list[dict[str, Any]]) -> list[str]:
    """Return the names of the parameters (`efi`) that stored features read, each once, in order of appearance."""
    return list(dict.fromkeys(re.findall(r"\$\{(\w+)\}", json.dumps(features))))


def quoted(text: str) -> str:
    """Return a user's text as `keywords_quoted` takes it: a backslash before each backslash and apostrophe."""
    return text.replace("\\", "\\\\").replace("'", "\\'")


def solr_params(names: Collection[str], query: str) -> dict[str, Any]:
    """Return what a search must send under the names that `read_params` gives.

    Args:
        names: Of the parameters.
        query: As typed.
    """
    plain = search_params([name for name in names if name != QUOTED_KEYWORDS], query)
    return {**plain, QUOTED_KEYWORDS: quoted(query)} if QUOTED_KEYWORDS in names else plain


def function_features(feature_set: FeatureSet) -> set[str]:
    """Return the names of the features that are function queries, whose values are never below zero."""
    return {
        feature.name
        for feature in feature_set.features
        if isinstance(feature, Expression) or (isinstance(feature, FieldValue) and feature.modifier != "none")
    }


def plain_field(feature: Match | Phrase | FieldValue) -> str:
    """Return a field's name.

    Raises:
        ExportError: It holds characters that have a meaning in a query.
    """
    if not re.fullmatch(r"[\w.-]+", feature.field):
        raise ExportError(
            f"Feature {feature.name!r}: Solr's query parsers cannot take field {feature.field!r}.",
            hint="Use a field whose name has letters, digits, `_`, `.` and `-` only.",
            feature=feature.name,
        )
    return feature.field


def _class_and_params(feature: Feature, functions: dict[str, str]) -> tuple[str, dict[str, Any]]:
    if isinstance(feature, Match):
        # No operator of the simple parser is on, so that any text of a user is only words.
        return "SolrFeature", {"q": f"{{!simple qf={plain_field(feature)} q.operators='' q.op=OR}}${{{KEYWORDS}}}"}
    if isinstance(feature, Phrase):
        return "SolrFeature", {"q": f"{{!field f={plain_field(feature)}}}${{{KEYWORDS}}}"}
    if isinstance(feature, Raw):
        return "SolrFeature", {"q": own_query(feature)}
    if isinstance(feature, MatchedTerms):
        raise ExportError(
            f"Feature {feature.name!r}: Solr has no query that counts the terms of a user's text that a field has.",
            hint="Train without it, or add it to the feature set as `raw` with a query of Solr that comes near.",
            feature=feature.name,
        )
    if isinstance(feature, QueryLength):
        return "ValueFeature", {"value": functions[feature.name], "required": True}
    if isinstance(feature, FieldValue) and feature.modifier == "none":
        return "FieldValueFeature", {"field": plain_field(feature), "defaultValue": _missing(feature)}
    return "SolrFeature", {"q": f"{{!func}}max(0,{functions[feature.name]})"}


def _text_function(feature: Match | Phrase) -> str:
    """The text stands between quotes, where only a quote and a backslash have a meaning.

    `def` and not query's own default: to Solr a query that does not match has no value, whatever stands for it, and
    `max` leaves out every argument that has none, sums with one among them.
    """
    parser = f"simple qf={plain_field(feature)} q.operators='' q.op=OR"
    parser = parser if isinstance(feature, Match) else f"field f={plain_field(feature)}"
    return f"def(query({{!{parser} v='${{{QUOTED_KEYWORDS}}}'}}),0)"


def _function(feature: FieldValue | QueryLength | Expression, functions: dict[str, str]) -> str:
    if isinstance(feature, QueryLength):
        return f"${{{length_param(feature)}}}"
    if isinstance(feature, FieldValue):
        number = f'def(field("{plain_field(feature)}"),{_missing(feature)})'
        return number if feature.modifier == "none" else _FUNCTIONS.finite(_FUNCTIONS.field_value(feature, number))
    unknown = sorted(operands(feature) - functions.keys())
    if unknown:
        raise ExportError(
            f"Feature {feature.name!r} computes with {unknown}: Solr has no feature over other features, and a "
            "function query takes a user's text between quotes only.",
            hint=f"Set the option quoted_keywords (the client then quotes the text) or train without {feature.name!r}.",
            feature=feature.name,
        )
    return _short_enough(feature, _FUNCTIONS.finite(_FUNCTIONS.expression(feature.expression, functions)))


def _short_enough(feature: Expression, function: str) -> str:
    """A function query has no variables: what a guard names twice stands there twice."""
    if len(function) > _MAX_FUNCTION:
        raise ExportError(
            f"Feature {feature.name!r}: its function query has {len(function):,} characters, more than "
            f"{_MAX_FUNCTION:,}, because expressions in it compute with expressions.",
            hint=f"Compute {feature.name!r} from fewer other expressions, and train again.",
            feature=feature.name,
        )
    return function


def _missing(feature: FieldValue) -> float:
    """A feature that may be absent is 0 to Solr's trees, whatever `missing` says."""
    return 0.0 if feature.absent == "keep" else feature.missing
