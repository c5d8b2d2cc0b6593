"""A feature set in Vespa's terms: a rank feature or a function of the rank profile each."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rankhammer.errors import ExportError, did_you_mean
from rankhammer.feature_sets import Expression, FieldValue, Match, QueryLength
from rankhammer.feature_sets.dialects.expression_text import INFIX, LARGEST, Spelling
from rankhammer.feature_sets.dialects.ltr_features import length_param
from rankhammer.feature_sets.needed_features import refuse_absent_operands

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rankhammer.feature_sets import Feature, FeatureSet

_RANKING_EXPRESSION = Spelling(
    {
        **INFIX,
        "ln": "log({0})",
        "log10": "log10({0})",
        "sqrt": "sqrt({0})",
        "abs": "fabs({0})",
        "min": "min({0}, {1})",
        "max": "max({0}, {1})",
        "finite": f"if (fabs({{0}}) <= {LARGEST}, {{0}}, 0)",
    }
)


@dataclass(frozen=True)
class VespaFeatures:
    """What a rank profile has to declare.

    Args:
        names: Feature name to the name that the trees ask for.
        functions: Function name to its expression, in order of dependency.
        inputs: Names of the query's inputs, numbers all.
    """

    names: Mapping[str, str]
    functions: Mapping[str, str]
    inputs: tuple[str, ...]


def vespa_features(feature_set: FeatureSet, rank_features: Mapping[str, str]) -> VespaFeatures:
    """Find a rank feature or write a function for each feature.

    Args:
        feature_set: What the trees ask for, and what expressions compute with.
        rank_features: Feature name to the rank feature that is to stand for it.

    Raises:
        ExportError: A feature has no counterpart in Vespa, and `rank_features` names none.
    """
    refuse_absent_operands(feature_set, "a function would compute with 0")
    names: dict[str, str] = {}
    functions: dict[str, str] = {}
    for feature in feature_set.features:
        if feature.name not in rank_features and isinstance(feature, FieldValue | Expression):
            functions[f"ltr_{feature.name}"] = _RANKING_EXPRESSION.finite(_function(feature, names))
            names[feature.name] = f"ltr_{feature.name}"
        else:
            names[feature.name] = rank_features.get(feature.name) or _rank_feature(feature)
    _refuse_same_names(names)
    inputs = [length_param(feature) for feature in feature_set.features if isinstance(feature, QueryLength)]
    return VespaFeatures(names, functions, tuple(dict.fromkeys(inputs)))


def refuse_unknown_names(rank_features: Mapping[str, str], feature_set: FeatureSet) -> None:
    """Check the keys of the option `rank_features`.

    Raises:
        ExportError: One is no feature of the set the ranker was trained on.
    """
    for name in rank_features:
        if name not in feature_set.names:
            raise ExportError(
                f"Option rank_features names {name!r}, which is not in the feature set.",
                hint=did_you_mean(name, feature_set.names),
                feature=name,
            )


def _refuse_same_names(names: Mapping[str, str]) -> None:
    for name, theirs in names.items():
        first = next(other for other, same in names.items() if same == theirs)
        if first != name:
            raise ExportError(
                f"Features {first!r} and {name!r} would both be {theirs} in Vespa, but have values of their own.",
                hint=f"Name another rank feature for {name!r} in the option rank_features.",
                feature=name,
            )


def _rank_feature(feature: Feature) -> str:
    if isinstance(feature, Match):
        return f"bm25({_plain(feature.name, feature.field)})"
    if isinstance(feature, QueryLength):
        return f"query({length_param(feature)})"
    raise ExportError(
        f"Feature {feature.name!r} is of type {feature.type!r}, for which Vespa has no rank feature.",
        hint=f"Name one for {feature.name!r} in the option rank_features, trained on its values, or train without.",
        feature=feature.name,
    )


def _function(feature: FieldValue | Expression, names: Mapping[str, str]) -> str:
    if not isinstance(feature, FieldValue):
        return _RANKING_EXPRESSION.expression(feature.expression, names)
    attribute = f"attribute({_plain(feature.name, feature.field)})"
    # A feature that may be absent is 0 to the trees, whatever `missing` says.
    missing = 0.0 if feature.absent == "keep" else feature.missing
    return _RANKING_EXPRESSION.field_value(feature, f"if (isNan({attribute}) == 1, {missing!r}, {attribute})")


def _plain(name: str, field: str) -> str:
    if not re.fullmatch(r"[A-Za-z_]\w*", field):
        raise ExportError(
            f"Feature {name!r}: {field!r} is no name of a field in Vespa.",
            hint=f"Name the rank feature for {name!r} in the option rank_features.",
            feature=name,
        )
    return field
