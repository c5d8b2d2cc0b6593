"""The LTR plugin's tree format (`model/xgboost+json`): a list of nested trees, written and read strictly.

The first tree is one leaf with the base score, which the format has no other place for. The last is one leaf with a
constant that keeps every score at or above zero, because a rescore query must not return a negative one.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from rankhammer.errors import ExportError
from rankhammer.exporters.base import Step, TreePath
from rankhammer.exporters.scorer import float32
from rankhammer.exporters.trees import Forest

if TYPE_CHECKING:
    from rankhammer.exporters.walk import Absent

_SPLIT_KEYS = frozenset({"nodeid", "depth", "split", "split_condition", "yes", "no", "missing", "children"})
_LEAF_KEYS = frozenset({"nodeid", "leaf"})


def definition(forest: Forest) -> str:
    """Write a forest as the plugin reads it.

    Args:
        forest: The trees.

    Returns:
        JSON text: the base score's leaf, the trees, the constant's leaf.
    """
    texts = _node_texts(forest)
    trees = [texts[root] for root in forest.roots.tolist()]
    return "[" + ",".join([_leaf_text(0, forest.base), *trees, _leaf_text(0, constant(forest))]) + "]"


def constant(forest: Forest) -> float:
    """Return the smallest whole number that lifts every score a document can reach to zero or above."""
    lowest, _ = score_bounds(forest)
    return float(math.ceil(-lowest)) if lowest < 0 else 0.0


def score_bounds(forest: Forest) -> tuple[float, float]:
    """Return numbers that no score is below or above: the sums of each tree's smallest and largest leaf.

    Both leave room for what adding up in float32 can lose: half a unit in the last place for every addition.
    """
    values = forest.value[forest.leaves].astype(np.float64)
    owner = np.searchsorted(forest.roots, forest.leaves, side="right") - 1
    starts = np.flatnonzero(np.diff(owner, prepend=-1))
    size = abs(forest.base) + np.maximum.reduceat(np.abs(values), starts).sum()
    lost = (forest.n_trees + 1) * 2.0**-24 * size
    lowest = forest.base + np.minimum.reduceat(values, starts).sum() - lost
    return float(lowest), float(forest.base + np.maximum.reduceat(values, starts).sum() + lost)


def parse(text: str) -> list[dict[str, Any]]:
    """Read a definition as strictly as the plugin does.

    Raises:
        ExportError: A key is missing or superfluous, or children stand in the wrong order.
    """
    trees: list[dict[str, Any]] = json.loads(text)
    for tree in trees:
        stack = [tree]
        while stack:
            node = stack.pop()
            _require_strict(node)
            stack.extend(node.get("children", ()))
    return trees


def as_forest(trees: list[dict[str, Any]], feature_names: tuple[str, ...]) -> Forest:
    """Flatten parsed trees for fast scoring.

    Args:
        trees: What `parse` returned.
        feature_names: Columns of the vectors that will be scored.

    Returns:
        A forest whose base is 0, because the base score is its first tree.
    """
    places = {name: place for place, name in enumerate(feature_names)}
    nodes: list[tuple[dict[str, Any], int]] = []
    roots, left, right = [], [], []
    for tree in trees:
        roots.append(len(nodes))
        nodes.append((tree, 0))
        left.append(roots[-1])
        right.append(roots[-1])
        place = roots[-1]
        while place < len(nodes):
            node, depth = nodes[place]
            for child, side in zip(node.get("children", ()), (left, right), strict=False):
                side[place] = len(nodes)
                nodes.append((child, depth + 1))
                left.append(len(nodes) - 1)
                right.append(len(nodes) - 1)
            place += 1
    return _flat(nodes, roots, left, right, places)


def trace_tree(tree: dict[str, Any], values: dict[str, float], absent: Absent) -> TreePath:
    """Follow one document through one parsed tree, in plain Python.

    Args:
        tree: One of what `parse` returned.
        values: Feature name to value; NaN where the feature is absent.
        absent: What an absent feature means.
    """
    steps, node = [], tree
    while "leaf" not in node:
        value, threshold = float32(values[node["split"]]), float32(node["split_condition"])
        value = 0.0 if absent == "zero" and math.isnan(value) else value
        left = value < threshold
        if math.isnan(value) and absent == "default":
            left = node["missing"] == node["yes"]
        steps.append(Step(node["nodeid"], node["split"], value, threshold, left))
        node = node["children"][0 if left else 1]
    return TreePath(tuple(steps), node["nodeid"], float32(node["leaf"]))


def _node_texts(forest: Forest) -> dict[int, str]:
    """Write the deepest nodes first, so that a node finds its children written."""
    owner = np.searchsorted(forest.roots, np.arange(len(forest.feature)), side="right") - 1
    node_id = (np.arange(len(forest.feature)) - forest.roots[owner]).tolist()
    numbers = np.where(forest.feature < 0, forest.value, forest.threshold)
    feature, depth = forest.feature.tolist(), forest.depth.tolist()
    left, right, default_left = forest.left.tolist(), forest.right.tolist(), forest.default_left.tolist()
    texts: dict[int, str] = {}
    for place in np.argsort(-forest.depth, kind="stable").tolist():
        if depth[place] < 0:
            continue
        if feature[place] < 0:
            texts[place] = _leaf_text(node_id[place], numbers[place])
            continue
        yes, no = left[place], right[place]
        texts[place] = (
            f'{{"nodeid":{node_id[place]},"depth":{depth[place]},"split":"{forest.feature_names[feature[place]]}",'
            f'"split_condition":{numbers[place]!s},"yes":{node_id[yes]},"no":{node_id[no]},'
            f'"missing":{node_id[yes if default_left[place] else no]},"children":[{texts.pop(yes)},{texts.pop(no)}]}}'
        )
    return texts


def _leaf_text(node_id: int, value: float) -> str:
    """Write the fewest digits that read back as the same 32-bit float."""
    return f'{{"nodeid":{node_id},"leaf":{np.float32(value)!s}}}'


def _require_strict(node: dict[str, Any]) -> None:
    expected = _LEAF_KEYS if "leaf" in node else _SPLIT_KEYS
    if node.keys() != expected:
        raise ExportError(
            f"Node {node.get('nodeid')} has keys {sorted(node)}, the plugin takes exactly {sorted(expected)}.",
            hint="Report this: the writer broke its own format.",
        )
    if "leaf" not in node and [child["nodeid"] for child in node["children"]] != [node["yes"], node["no"]]:
        raise ExportError(
            f"Node {node['nodeid']}: its children are not in the order yes, no.",
            hint="Report this: the writer broke its own format.",
        )


def _flat(
    nodes: list[tuple[dict[str, Any], int]], roots: list[int], left: list[int], right: list[int], places: dict[str, int]
) -> Forest:
    return Forest(
        feature_names=tuple(places),
        base=0.0,
        objective="",
        roots=np.array(roots, np.int64),
        feature=np.array([places[node["split"]] if "split" in node else -1 for node, _ in nodes], np.int64),
        threshold=np.array([node.get("split_condition", 0) for node, _ in nodes], np.float32),
        left=np.array(left, np.int64),
        right=np.array(right, np.int64),
        default_left=np.array(["split" in node and node["missing"] == node["yes"] for node, _ in nodes], np.bool_),
        value=np.array([node.get("leaf", 0) for node, _ in nodes], np.float32),
        depth=np.array([depth for _, depth in nodes], np.int64),
    )
