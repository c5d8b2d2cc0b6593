"""A feature set as Elasticsearch's query extractors: one query template a feature, by construction never absent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rankhammer.errors import ExportError
from rankhammer.exporters.expression_text import INFIX, Spelling
from rankhammer.exporters.ltr_features import length_param, query_template
from rankhammer.exporters.needed_features import operands, refuse_absent_operands
from rankhammer.feature_sets import Expression, FieldValue, QueryLength

if TYPE_CHECKING:
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
    }
)


def feature_extractors(feature_set: FeatureSet) -> list[dict[str, Any]]:
    """Write each feature as a query extractor.

    Args:
        feature_set: What the trees ask for, and what expressions compute with.

    Returns:
        One extractor a feature, in order.

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
    texts = [other for other in needed if not isinstance(other, FieldValue | QueryLength | Expression)]
    if len(texts) > 1:
        raise ExportError(
            f"Feature {feature.name!r} computes with {[text.name for text in texts]}: a script of Elasticsearch sees "
            "the score of one query only.",
            hint=f"Train without {feature.name!r}, or compute with at most one match or phrase.",
            feature=feature.name,
        )
    value = _PAINLESS.expression(feature.expression, _operand_texts(needed))
    # A score is neither negative nor infinite; a result that is not finite counts as absent, that is 0.
    source = f"double v = {value}; return v > 0 && v < Double.POSITIVE_INFINITY ? v : 0;"
    names = {length_param(other) for other in needed if isinstance(other, QueryLength)}
    lengths = {name: f"{{{{{name}}}}}" for name in sorted(names)}
    query = query_template(texts[0]) if texts else {"match_all": {}}
    return {"script_score": {"query": query, "script": {"source": source, "params": lengths}}}


def _all_operands(feature: Feature, features: dict[str, Feature]) -> set[str]:
    direct = operands(feature)
    return direct.union(*(_all_operands(features[name], features) for name in direct))


def _operand_texts(needed: list[Feature]) -> dict[str, str]:
    """Write each operand in Painless, in the set's order, in which expressions come after what they compute with."""
    texts: dict[str, str] = {}
    for feature in needed:
        if isinstance(feature, Expression):
            texts[feature.name] = _PAINLESS.expression(feature.expression, texts)
        elif isinstance(feature, QueryLength):
            texts[feature.name] = f"Double.parseDouble(params.{length_param(feature)})"
        elif isinstance(feature, FieldValue):
            texts[feature.name] = _PAINLESS.field_value(feature, _document_number(feature))
        else:
            texts[feature.name] = "_score"
    return texts


def _document_number(feature: FieldValue) -> str:
    field = "'" + feature.field.replace("\\", "\\\\").replace("'", "\\'") + "'"
    return f"(doc[{field}].size() == 0 ? {feature.missing!r} : doc[{field}].value)"
