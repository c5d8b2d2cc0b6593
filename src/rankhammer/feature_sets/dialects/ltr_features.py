"""A feature set in the LTR plugin's terms: one query template per feature, by construction never absent."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

from rankhammer.analyzers import analyze
from rankhammer.errors import ExportError
from rankhammer.feature_sets import Expression, FieldValue, QueryLength, Raw, TextFeature, own_query
from rankhammer.feature_sets.dialects.expression_text import LARGEST
from rankhammer.feature_sets.dialects.text_queries import require_plain_field, text_query
from rankhammer.feature_sets.expressions import parse_expression
from rankhammer.feature_sets.needed_features import refuse_absent_operands
from rankhammer.feature_sets.raw_queries import has_keywords

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rankhammer.feature_sets import Feature, FeatureSet

KEYWORDS = "keywords"
"""Name of the parameter that holds the user's query."""
_LENGTH = "query_length_"


def plugin_features(feature_set: FeatureSet) -> list[dict[str, Any]]:
    """Write each feature as the plugin stores it.

    Args:
        feature_set: What the ranker needs, in order of dependency.

    Returns:
        One object per feature: name, params, template_language, template.

    Raises:
        ExportError: The plugin cannot compute a feature the way the ranker was trained on it.
    """
    refuse_absent_operands(feature_set, "the plugin logs such a value as one number and scores with another")
    _refuse_absent_expressions(feature_set)
    return [_plugin_feature(feature) for feature in feature_set.features]


def query_template(feature: TextFeature | FieldValue | QueryLength | Raw) -> dict[str, Any]:
    """Write the query whose score is the feature, as a mustache template.

    Raises:
        ExportError: The engine cannot give the value that the ranker was trained on.
    """
    if isinstance(feature, TextFeature | FieldValue):
        require_plain_field(feature)
    if isinstance(feature, FieldValue):
        return _field_value(feature)
    if isinstance(feature, QueryLength):
        # Every document matches and scores its boost: a number that is the same for all documents of a query.
        return {"match_all": {"boost": f"{{{{{length_param(feature)}}}}}"}}
    query = own_query(feature) if isinstance(feature, Raw) else text_query(feature, f"{{{{{KEYWORDS}}}}}")
    return query if feature.absent == "keep" else {"bool": {"must": [{"match_all": {"boost": 0}}], "should": [query]}}


def query_params(feature_set: FeatureSet) -> dict[str, Any]:
    """Return an example value for each parameter that a search must send."""
    params: dict[str, Any] = {}
    for feature in feature_set.features:
        if _reads_keywords(feature):
            params[KEYWORDS] = "an example query"
        if isinstance(feature, QueryLength):
            params[length_param(feature)] = 3
    return params


def search_params(names: Iterable[str], query: str) -> dict[str, Any]:
    """Return what a search for a query must send, under the names that `query_params` gives.

    Args:
        names: Of the parameters.
        query: As typed.
    """
    return {name: query if name == KEYWORDS else _query_length(name, query) for name in names}


def length_param(feature: QueryLength) -> str:
    """Name the parameter by which the client says how many terms the query has after this analyzer."""
    return f"{_LENGTH}{feature.analyzer}"


def text_fields(feature_set: FeatureSet) -> list[str]:
    """Return the text fields that the features search, each once, in order."""
    texts = (feature for feature in feature_set.features if isinstance(feature, TextFeature))
    return list(dict.fromkeys(feature.field for feature in texts))


def first_query(feature_set: FeatureSet) -> dict[str, Any]:
    """Write an example of the search whose best documents a ranker reranks: the words in any of the text fields."""
    fields = text_fields(feature_set)
    keywords = query_params(feature_set).get(KEYWORDS)
    return {"multi_match": {"query": keywords, "fields": fields}} if fields else {"match_all": {}}


def _query_length(name: str, query: str) -> int:
    return len(analyze([query], name.removeprefix(_LENGTH)).term)


def _plugin_feature(feature: Feature) -> dict[str, Any]:
    if isinstance(feature, Expression):
        # Written again from its syntax tree: the engine does not know all of our ways to spell a number.
        text = ast.unparse(parse_expression(feature.expression))
        report_user_errors = f"abs({text}) <= {LARGEST} ? {text} : 0"
        return _stored(feature.name, [], report_user_errors, language="derived_expression")
    return _stored(feature.name, _params(feature), query_template(feature))


def _params(feature: TextFeature | FieldValue | QueryLength | Raw) -> list[str]:
    if isinstance(feature, QueryLength):
        return [length_param(feature)]
    return [KEYWORDS] if _reads_keywords(feature) else []


def _reads_keywords(feature: Feature) -> bool:
    return isinstance(feature, TextFeature) or (isinstance(feature, Raw) and has_keywords(own_query(feature)))


def _refuse_absent_expressions(feature_set: FeatureSet) -> None:
    for feature in feature_set.features:
        if isinstance(feature, Expression) and feature.absent == "keep":
            raise ExportError(
                f"Feature {feature.name!r} is an expression that may be absent: the plugin gives a number in any case.",
                hint=f"Set absent: zero for {feature.name!r} and train again.",
                feature=feature.name,
            )


def _stored(name: str, params: list[str], template: Any, *, language: str = "mustache") -> dict[str, Any]:
    return {"name": name, "params": params, "template_language": language, "template": template}


def _field_value(feature: FieldValue) -> dict[str, Any]:
    if feature.missing < 0:
        raise ExportError(
            f"Feature {feature.name!r}: missing is {feature.missing:g}, but the engine refuses scores below zero.",
            hint="Use missing: 0 and train again.",
            feature=feature.name,
        )
    factor = {"field": feature.field, "modifier": feature.modifier, "missing": feature.missing}
    query = {"exists": {"field": feature.field}} if feature.absent == "keep" else {"match_all": {}}
    return {"function_score": {"query": query, "boost_mode": "replace", "field_value_factor": factor}}
