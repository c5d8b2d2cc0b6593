"""The smallest feature set that a forest needs: the features that its trees ask for, and what those build on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rankhammer.errors import ExportError
from rankhammer.feature_sets import Expression, FeatureSet, Match, Phrase
from rankhammer.feature_sets.expressions import expression_names

if TYPE_CHECKING:
    from rankhammer.feature_sets import Feature


def needed_features(feature_set: FeatureSet, used: set[str]) -> FeatureSet:
    """Leave out what no tree asks for.

    Args:
        feature_set: What the ranker was trained on.
        used: Names that the trees ask for.

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


def operands(feature: Feature) -> set[str]:
    """Return the names of the features that an expression computes with; nothing for other features."""
    return set(expression_names(feature.expression)) if isinstance(feature, Expression) else set()


def refuse_two_analyzers(feature_set: FeatureSet, target: str) -> None:
    """Check that no field is searched with two analyzers, for engines that take the field's own.

    Raises:
        ExportError: Two text features of one field have different analyzers.
    """
    seen: dict[str, Match | Phrase] = {}
    for feature in feature_set.features:
        if not isinstance(feature, Match | Phrase):
            continue
        other = seen.setdefault(feature.field, feature)
        if other.analyzer != feature.analyzer:
            raise ExportError(
                f"{target}: features {other.name!r} and {feature.name!r} search field {feature.field!r} with analyzers "
                f"{other.analyzer} and {feature.analyzer}, but the engine uses the field's own.",
                hint=f"Index the text in two fields, name the second one in {feature.name!r}, and train again.",
                feature=feature.name,
            )


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
