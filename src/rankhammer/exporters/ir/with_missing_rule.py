"""What an absent feature means to each engine and version, and whether a ranker can live with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rankhammer.errors import ExportError

if TYPE_CHECKING:
    from rankhammer.exporters.ir.tree_scoring import Absent
    from rankhammer.exporters.ir.trees import Forest

RULES: dict[Absent, str] = {
    "zero": "an absent feature reaches the trees as 0.0",
    "right": "an absent feature always goes right; default directions are ignored",
    "default": "an absent feature follows each node's default direction",
}


def opensearch_rule(version: str) -> Absent:
    """Return the rule of the LTR plugin for an OpenSearch version such as "2.19" or "3.6.0"."""
    major, minor = (int(part) for part in version.split(".")[:2])
    if (major, minor) < (3, 2):
        return "zero"
    return "right" if (major, minor) < (3, 8) else "default"


def elasticsearch_rule(version: str) -> Absent:
    """Return the rule of the o19s plugin, by the plugin's own version such as "1.5.10" (not Elasticsearch's)."""
    return "zero" if tuple(int(part) for part in version.split(".")[:3]) < (1, 5, 9) else "default"


def refuse_other_directions(forest: Forest, keep: set[str], rule: Absent, target: str) -> None:
    """Check every node at which a document without the feature that it asks for can arrive.

    Args:
        forest: The trees as they were trained: absent values follow the default direction.
        keep: Names of the features declared `absent: keep`.
        rule: What an absent value means to the engine.
        target: Name of the target, for the message.

    Raises:
        ExportError: The engine would send an absent value the other way at some node; the first one is named.
    """
    nodes = forest.splits
    nodes = nodes[np.isin(np.array(forest.feature_names)[forest.feature[nodes]], sorted(keep))]
    engine_left = {
        "zero": forest.threshold[nodes] > 0,
        "right": np.zeros(len(nodes), np.bool_),
        "default": forest.default_left[nodes],
    }[rule]
    wrong = [place for place in nodes[engine_left != forest.default_left[nodes]].tolist() if _is_met(forest, place)]
    if not wrong:
        return
    tree, node = forest.tree_and_node(wrong[0])
    feature = forest.feature_names[forest.feature[wrong[0]]]
    raise ExportError(
        f"{target}: {RULES[rule]}, but tree {tree}, node {node} was trained to send an absent {feature!r} the other "
        f"way ({len(wrong)} such nodes).",
        hint=f"Set absent: zero for {feature!r} and train again, or choose a target that follows default directions, "
        "such as json or OpenSearch 3.8.",
        feature=feature,
        tree=tree,
        node=node,
    )


def _is_met(forest: Forest, place: int) -> bool:
    """Say whether a document without this node's feature can come to this node: decisions above may rule it out."""
    child, node = place, int(forest.parent[place])
    while node >= 0:
        went_left = forest.left[node] == child
        if forest.feature[node] == forest.feature[place] and went_left != forest.default_left[node]:
            return False
        child, node = node, int(forest.parent[node])
    return True
