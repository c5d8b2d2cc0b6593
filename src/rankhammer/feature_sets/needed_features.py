"""The smallest feature set that a ranker needs: the features that change its scores, and what those build on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rankhammer.errors import ExportError
from rankhammer.feature_sets import Expression, FeatureSet, for_engine
from rankhammer.feature_sets.expressions import expression_names

if TYPE_CHECKING:
    from rankhammer.feature_sets import Feature, TextFields


def needed_features(feature_set: FeatureSet, used: set[str]) -> FeatureSet:
    """Leave out what changes no score.

    Args:
        feature_set: What the ranker was trained on.
        used: Names of the features that trees ask for, or that have a weight.

    Returns:
        The used features and, all the way down, the operands of used expressions, in the set's order, which is an
        order of dependency. A ranker that asks for nothing keeps the first feature, because a set must not be empty.
    """
    needed = set(used)
    for feature in reversed(feature_set.features):
        if feature.name in needed:
            needed |= operands(feature)
    kept = tuple(feature for feature in feature_set.features if feature.name in needed)
    return FeatureSet(name=feature_set.name, features=kept or feature_set.features[:1])


def located_features(feature_set: FeatureSet, used: set[str], text_fields: TextFields, engine: str) -> FeatureSet:
    """Return the features that a ranker needs, with the engine's names of the text fields and its own queries.

    Args:
        feature_set: What the ranker was trained on.
        used: Names of the features that it uses, as in `needed_features`.
        text_fields: Options that say how the engine names them.
        engine: Whose own queries count: "opensearch", "elasticsearch" or "solr".

    Raises:
        ConfigError: Two features search one of the engine's fields by two analyzers, or a feature is a query of other
            engines alone.
    """
    needed = needed_features(feature_set, used)
    return text_fields.locate(for_engine(needed, engine))


def operands(feature: Feature) -> set[str]:
    """Return the names of the features that an expression computes with; nothing for other features."""
    return set(expression_names(feature.expression)) if isinstance(feature, Expression) else set()


def refuse_absent_operands(feature_set: FeatureSet, reason: str) -> None:
    """Check that no expression computes with a feature that may be absent.

    Args:
        feature_set: What the engine will compute.
        reason: What the engine would make of it; ends the sentence "..., which may be absent: ".

    Raises:
        ExportError: One does; it is named with its operands.
    """
    absent = {feature.name for feature in feature_set.features if feature.absent == "keep"}
    for feature in feature_set.features:
        wrong = sorted(operands(feature) & absent)
        if wrong:
            raise ExportError(
                f"Feature {feature.name!r} computes with {wrong}, which may be absent: {reason}.",
                hint=f"Set absent: zero for {', '.join(wrong)} and train again.",
                feature=feature.name,
            )
