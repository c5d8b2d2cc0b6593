"""What engines do that have no values below zero, and whether a ranker can live with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rankhammer.errors import ExportError
from rankhammer.feature_sets import FieldValue

if TYPE_CHECKING:
    from rankhammer.exporters.trees import Forest
    from rankhammer.feature_sets import FeatureSet


def refuse_negative_splits(forest: Forest, clamped: set[str], target: str) -> None:
    """Check features whose values below zero reach the trees as 0: splits above zero send both the same way.

    Args:
        forest: The trees.
        clamped: Names of those features.
        target: Name of the target, for the message.

    Raises:
        ExportError: A tree tells values below zero from 0; the feature, tree and node are named.
    """
    for place in forest.splits[forest.threshold[forest.splits] <= 0].tolist():
        feature = forest.feature_names[forest.feature[place]]
        if feature in clamped:
            tree, node = forest.tree_and_node(place)
            raise ExportError(
                f"{target}: a query cannot score below zero, but tree {tree}, node {node} compares {feature!r} with "
                f"{float(forest.threshold[place]):g}.",
                hint=f"Change {feature!r} so that it is never negative, and train again.",
                feature=feature,
                tree=tree,
                node=node,
            )


def negative_value_warnings(forest: Forest, feature_set: FeatureSet) -> list[str]:
    """Say which document numbers were negative in training, for engines that answer such a document with an error."""
    asked = forest.splits[forest.threshold[forest.splits] <= 0]
    names = {forest.feature_names[feature] for feature in forest.feature[asked].tolist()}
    return [
        f"The trees tell values of {feature.name!r} below zero apart, but the engine answers a search with an error "
        f"when field {feature.field!r} of a document is negative. Store a number that is never negative."
        for feature in feature_set.features
        if isinstance(feature, FieldValue) and feature.name in names
    ]
