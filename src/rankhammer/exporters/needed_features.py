"""The smallest feature set that a forest needs: the features that its trees ask for, and what those build on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rankhammer.feature_sets import Expression, FeatureSet
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
