"""Regression trees of other libraries as a booster of XGBoost, which says the same of every 32-bit value."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

_SCHEMA = [3, 2, 0]
"""Version of XGBoost whose JSON this is; the booster that reads it writes its own."""
_NO_PARENT = 2147483647


@dataclass
class Node:
    """A node of a tree; one without a feature is a leaf.

    Args:
        cover: How much of the training rows came here, 0 or more: what exact contributions are weighted by.
        value: What a leaf adds to a score; 0 elsewhere.
        feature: Place of the feature that is asked for; None in a leaf.
        at_most: The largest value that goes left, of any precision.
        is_absent_left: Whether an absent value goes left.
        gain: How much the split improved what was trained for.
        children: Left and right.
    """

    cover: float
    value: float = 0.0
    feature: int | None = None
    at_most: float = 0.0
    is_absent_left: bool = True
    gain: float = 0.0
    children: tuple[Node, Node] | None = None


def write_booster(trees: Sequence[Node], feature_names: Sequence[str], *, base: float = 0.0) -> bytes:
    """Write trees as UBJSON.

    XGBoost goes left where a 32-bit value is below a 32-bit threshold: that of a split which goes left at values up to
    `at_most` is the next 32-bit number above it, so each value takes the same way. Leaves are rounded to 32 bits.

    Args:
        trees: Root of each; scores are the sum of one leaf of each.
        feature_names: What `Node.feature` counts.
        base: What is added to each score.

    Returns:
        The same bytes for the same arguments.
    """
    return _booster([_tree(root, place, len(feature_names)) for place, root in enumerate(trees)], feature_names, base)


def _booster(written: Sequence[dict[str, Any]], feature_names: Sequence[str], base: float) -> bytes:
    from rankhammer.light_xgboost import xgb

    model = {
        "gbtree_model_param": {"num_parallel_tree": "1", "num_trees": str(len(written))},
        "iteration_indptr": list(range(len(written) + 1)),
        "tree_info": [0] * len(written),
        "trees": [*written],
        "cats": {"enc": [], "feature_segments": [], "sorted_idx": []},
    }
    learner = {
        "attributes": {},
        "feature_names": list(feature_names),
        "feature_types": ["float"] * len(feature_names),
        "gradient_booster": {"name": "gbtree", "model": model},
        "learner_model_param": {
            "base_score": f"[{np.float32(base):.9G}]",
            "boost_from_average": "0",
            "num_class": "0",
            "num_feature": str(len(feature_names)),
            "num_target": "1",
        },
        # It is trained elsewhere; here an objective only says that a score is the sum itself.
        "objective": {"name": "reg:squarederror", "reg_loss_param": {"scale_pos_weight": "1"}},
    }
    content = json.dumps({"learner": learner, "version": _SCHEMA})
    return bytes(xgb.Booster(model_file=bytearray(content.encode())).save_raw("ubj"))


def blend_boosters(models: Sequence[bytes], weights: Sequence[float], feature_names: Sequence[str]) -> bytes:
    """Write several boosters of trees as one, whose score is the weighted sum of theirs.

    Leaves are rounded to 32 bits. A member's part of the gain is its weight's, as libraries count gains differently.

    Args:
        models: UBJSON each, of the same features.
        weights: One a model.
        feature_names: In column order.

    Returns:
        The same bytes for the same arguments.
    """
    from rankhammer.light_xgboost import xgb

    trees: list[dict[str, Any]] = []
    base = 0.0
    for model, weight in zip(models, weights, strict=True):
        learner = json.loads(xgb.Booster(model_file=bytearray(model)).save_raw("json"))["learner"]
        mine = learner["gradient_booster"]["model"]["trees"]
        gain = sum(sum(tree["loss_changes"]) for tree in mine) or 1.0
        trees += [_weighted(tree, weight, weight / gain) for tree in mine]
        base += weight * float(learner["learner_model_param"]["base_score"].strip("[]"))
    return _booster([tree | {"id": number} for number, tree in enumerate(trees)], feature_names, base)


def _weighted(tree: dict[str, Any], of_values: float, of_gains: float) -> dict[str, Any]:
    conditions = [
        condition if left != -1 else float(np.float32(of_values * condition))
        for condition, left in zip(tree["split_conditions"], tree["left_children"], strict=True)
    ]
    return tree | {
        "split_conditions": conditions,
        "base_weights": [float(np.float32(of_values * value)) for value in tree["base_weights"]],
        "loss_changes": [float(np.float32(of_gains * value)) for value in tree["loss_changes"]],
    }


def threshold_above(at_most: float) -> float:
    """Return the 32-bit threshold t for which `value < t` says the same as `value <= at_most` of every 32-bit value."""
    with np.errstate(over="ignore", under="ignore"):
        rounded = np.float32(at_most)
        below = rounded if float(rounded) <= at_most else np.nextafter(rounded, np.float32(-np.inf))
        return float(np.nextafter(below, np.float32(np.inf)))


def _tree(root: Node, number: int, n_features: int) -> dict[str, Any]:
    nodes, parents = _in_order(root)
    left, right = _children(nodes)
    return {
        "id": number,
        "tree_param": {
            "num_deleted": "0",
            "num_feature": str(n_features),
            "num_nodes": str(len(nodes)),
            "size_leaf_vector": "1",
        },
        "left_children": left,
        "right_children": right,
        "parents": parents,
        "split_indices": [node.feature or 0 for node in nodes],
        "split_conditions": [_condition(node) for node in nodes],
        "default_left": [int(node.feature is not None and node.is_absent_left) for node in nodes],
        "split_type": [0] * len(nodes),
        "base_weights": [float(np.float32(node.value)) for node in nodes],
        "loss_changes": [float(np.float32(node.gain)) for node in nodes],
        "sum_hessian": [float(np.float32(node.cover)) for node in nodes],
        "categories": [],
        "categories_nodes": [],
        "categories_segments": [],
        "categories_sizes": [],
    }


def _condition(node: Node) -> float:
    return float(np.float32(node.value)) if node.feature is None else threshold_above(node.at_most)


def _in_order(root: Node) -> tuple[list[Node], list[int]]:
    """List the nodes level by level, each with the place of its parent."""
    nodes, parents = [root], [_NO_PARENT]
    for place, node in enumerate(nodes):
        for child in node.children or ():
            nodes.append(child)
            parents.append(place)
    return nodes, parents


def _children(nodes: Sequence[Node]) -> tuple[list[int], list[int]]:
    """Return the places of the left and right child of each node, -1 for leaves, in the order of `_in_order`."""
    left, right, after = [], [], 1
    for node in nodes:
        left.append(after if node.children else -1)
        right.append(after + 1 if node.children else -1)
        after += 2 if node.children else 0
    return left, right
