"""The one tree representation that every writer starts from, read out of a trained booster.

XGBoost's own JSON holds what its text dumps leave out: the base score, the weights of dropped trees, and thresholds
in full. A forest is a handful of flat arrays over all nodes of all trees, so that checks and scoring are vectorised.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from rankhammer.errors import ExportError
from rankhammer.exporters.ir.boosters import base_margin, require_features, require_one_output

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from xgboost import Booster

UNREACHABLE = -1
NOT_TREES = (
    "opensearch_ltr, elasticsearch_ltr, solr_ltr and json take linear rankers, and solr_ltr, vespa and json neural "
    "ones, vespa and json blends of both; for other targets train trees, with training.ranker.name: xgboost."
)
"""What to do where a ranker has no trees."""


@dataclass(frozen=True, eq=False)
class Forest:
    """An ensemble of regression trees whose score is `base` plus one leaf of each tree, summed in float32.

    Arrays have one entry per node, trees one after the other. A node goes left when value < threshold, so ties go
    right; an absent value (NaN) goes where `default_left` says. A leaf's two children are the leaf itself.

    Args:
        feature_names: What `feature` counts.
        base: Score before the first tree, a margin.
        objective: What the booster was trained for.
        roots: Place of each tree's root, shape (n_trees,); node ids count from there.
        feature: Place in `feature_names`, -1 in a leaf.
        threshold: float32; float64 where read from the file of an engine that compares so; 0 in a leaf.
        left: Place of the left child.
        right: Place of the right child.
        default_left: Where an absent value goes.
        value: float32 leaf values; 0 elsewhere.
        depth: Steps from the root; -1 for nodes that pruning has cut off.
    """

    feature_names: tuple[str, ...]
    base: float
    objective: str
    roots: NDArray[np.int64]
    feature: NDArray[np.int64]
    threshold: NDArray[np.float32]
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    default_left: NDArray[np.bool_]
    value: NDArray[np.float32]
    depth: NDArray[np.int64]

    @property
    def n_trees(self) -> int:
        """Number of trees."""
        return len(self.roots)

    @property
    def splits(self) -> NDArray[np.int64]:
        """Places of the nodes that split, in order."""
        return np.flatnonzero((self.feature >= 0) & (self.depth != UNREACHABLE))

    @property
    def leaves(self) -> NDArray[np.int64]:
        """Places of the leaves that a document can reach, in order."""
        return np.flatnonzero((self.feature < 0) & (self.depth != UNREACHABLE))

    @cached_property
    def parent(self) -> NDArray[np.int64]:
        """Place of each node's parent, -1 for roots and for nodes that pruning has cut off."""
        parent = np.full(len(self.feature), -1, np.int64)
        for children in (self.left, self.right):
            parent[children[self.splits]] = self.splits
        return parent

    @cached_property
    def node_id(self) -> NDArray[np.int64]:
        """Id of each node within its tree, from 0."""
        places = np.arange(len(self.feature))
        return places - self.roots[np.searchsorted(self.roots, places, side="right") - 1]

    def used_features(self) -> set[str]:
        """Return the names of the features that at least one tree asks for."""
        return {self.feature_names[place] for place in np.unique(self.feature[self.splits])}

    def tree_and_node(self, place: int) -> tuple[int, int]:
        """Return (tree, node id), both from 0, of a place in the arrays."""
        tree = int(np.searchsorted(self.roots, place, side="right")) - 1
        return tree, place - int(self.roots[tree])


def load_booster(model: bytes) -> Booster:
    """Open a model.ubj.

    Raises:
        ExportError: The bytes are no XGBoost model.
    """
    from rankhammer.light_xgboost import xgb

    try:
        return xgb.Booster(model_file=bytearray(model))
    except xgb.core.XGBoostError as exc:
        raise ExportError(
            f"The ranker's model ({len(model)} bytes) cannot be opened: {str(exc).splitlines()[0]}",
            hint="Run the training stage again.",
        ) from exc


def read_forest(booster: Booster, feature_names: tuple[str, ...]) -> Forest:
    """Turn a booster, already cut at its best round, into a forest.

    Args:
        booster: A trained gbtree or DART booster with one output.
        feature_names: The feature set's names, in training order.

    Returns:
        The forest, with DART weights folded into the leaf values.

    Raises:
        ExportError: The booster is of a kind that no engine can load (linear, categorical, several outputs), or its
            features are not those of the feature set.
    """
    learner = json.loads(bytes(booster.save_raw("json")))["learner"]
    objective = learner["objective"]["name"]
    require_one_output(learner)
    require_features(learner, feature_names)
    trees, weights = _trees_and_weights(learner["gradient_booster"])
    for number, tree in enumerate(trees):
        _require_plain(tree, number)
    return _forest(trees, weights, feature_names, objective, base_margin(learner, objective))


def with_depths(**arrays: Any) -> Forest:
    """Make a forest from everything but the depths, which follow from the children."""
    return Forest(**arrays, depth=_depths(arrays["roots"], arrays["left"], arrays["right"]))


def _trees_and_weights(gradient_booster: dict[str, Any]) -> tuple[list[dict[str, Any]], list[float]]:
    kind = gradient_booster["name"]
    if kind == "gbtree":
        trees = gradient_booster["model"]["trees"]
        return trees, [1.0] * len(trees)
    if kind == "dart":
        return gradient_booster["gbtree"]["model"]["trees"], gradient_booster["weight_drop"]
    raise ExportError(f"A {kind!r} booster is no ensemble of trees: it is linear.", hint=NOT_TREES)


def _require_plain(tree: dict[str, Any], number: int) -> None:
    if int(tree["tree_param"].get("size_leaf_vector", 1)) > 1:
        raise ExportError(
            f"Tree {number} holds vectors in its leaves; an engine's ranker has one score.",
            hint="Train with multi_strategy one_output_per_tree and one target.",
        )
    if any(tree["split_type"]) or tree["categories"]:
        raise ExportError(
            f"Tree {number} splits on categories; engines compare numbers with thresholds only.",
            hint="Declare every feature as a number and train again.",
        )


def _forest(
    trees: list[dict[str, Any]],
    weights: list[float],
    feature_names: tuple[str, ...],
    objective: str,
    base: float,
) -> Forest:
    sizes = np.array([len(tree["left_children"]) for tree in trees], np.int64)
    roots = np.cumsum(sizes) - sizes
    shift = np.repeat(roots, sizes)
    left, right = (_joined(trees, key, np.int64) for key in ("left_children", "right_children"))
    leaf, here = left < 0, np.arange(len(left))
    left, right = np.where(leaf, here, left + shift), np.where(leaf, here, right + shift)
    depth = _depths(roots, left, right)
    # A leaf keeps its value where a split keeps its threshold; base_weights are not always the same.
    numbers = np.where(depth == UNREACHABLE, np.float32(0), _joined(trees, "split_conditions", np.float32))
    if not np.isfinite(numbers).all():
        raise ExportError("A threshold or leaf of the ranker is not finite.", hint="Run the training stage again.")
    return Forest(
        feature_names=feature_names,
        base=base,
        objective=objective,
        roots=roots,
        feature=np.where(leaf, -1, _joined(trees, "split_indices", np.int64)),
        threshold=np.where(leaf, np.float32(0), numbers),
        left=left,
        right=right,
        default_left=_joined(trees, "default_left", np.bool_) & ~leaf,
        value=np.where(leaf, numbers * np.repeat(np.array(weights, np.float32), sizes), np.float32(0)),
        depth=depth,
    )


def _joined(trees: list[dict[str, Any]], key: str, kind: type[np.generic]) -> NDArray[Any]:
    return np.concatenate([np.asarray(tree[key], kind) for tree in trees])


def _depths(roots: NDArray[np.int64], left: NDArray[np.int64], right: NDArray[np.int64]) -> NDArray[np.int64]:
    """Walk all trees down from their roots, one level a round."""
    depth = np.full(len(left), UNREACHABLE, np.int64)
    level, front = 0, roots
    while len(front):
        depth[front] = level
        inner = front[left[front] != front]
        front = np.concatenate([left[inner], right[inner]])
        level += 1
    return depth
