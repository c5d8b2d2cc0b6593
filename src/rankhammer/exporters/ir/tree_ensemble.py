"""Trees, as writers and the parity gate ask of them: ties on thresholds, and the leaf that the booster reaches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from rankhammer.exporters.ir.tree_scoring import score_bounds
from rankhammer.exporters.ir.with_missing_rule import refuse_other_directions
from rankhammer.exporters.parts import TreePath

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from xgboost import Booster

    from rankhammer.exporters.ir.base import Rows
    from rankhammer.exporters.ir.tree_scoring import Absent
    from rankhammer.exporters.ir.trees import Forest
    from rankhammer.exporters.parts import Part, Step


@dataclass(frozen=True, eq=False)
class TreeEnsembleIR:
    """A forest with its booster.

    Args:
        forest: The trees.
        booster: Says itself which leaves it reaches.
    """

    forest: Forest
    booster: Booster
    kind: ClassVar[str] = "trees"

    @property
    def base(self) -> float:
        """See `ModelIR`."""
        return self.forest.base

    def used_features(self) -> set[str]:
        """See `ModelIR`."""
        return self.forest.used_features()

    def bounds(self) -> tuple[float, float]:
        """See `ModelIR`."""
        return score_bounds(self.forest)

    def unproved(self) -> list[str]:
        """See `ModelIR`: the bound is a sum of leaves, and holds for every document."""
        return []

    def refuse_absent(self, keep: set[str], rule: Absent, target: str) -> None:
        """See `ModelIR`."""
        refuse_other_directions(self.forest, keep, rule, target)

    def below_zero(self) -> dict[str, str]:
        """See `ModelIR`: features of splits at or below zero."""
        forest = self.forest
        found: dict[str, str] = {}
        for place in forest.splits[forest.threshold[forest.splits] <= 0].tolist():
            feature = forest.feature_names[forest.feature[place]]
            tree, node = forest.tree_and_node(place)
            where = f"tree {tree}, node {node} compares {feature!r} with {float(forest.threshold[place]):g}"
            found.setdefault(feature, where)
        return found

    def ties(self, rows: NDArray[np.float32], group: NDArray[np.int64], n_wanted: int) -> Rows:
        """See `ModelIR`: a vector on a threshold and one just below it, made so that they reach the split."""
        from rankhammer.exporters.threshold_samples import spread

        splits = self.forest.splits
        chosen = splits[spread(len(splits), n_wanted)]
        if not len(chosen):
            return rows[:0], group[:0]
        base = np.arange(len(chosen)) % len(rows)
        vectors = [_pair(self.forest, int(place), rows[row]) for place, row in zip(chosen, base, strict=True)]
        return np.concatenate(vectors), np.repeat(group[base], 2)

    def first_difference(self, row: NDArray[np.float32], parts: Sequence[Part]) -> str:
        """See `ModelIR`: names tree, node and feature."""
        forest, leaves = self.forest, _leaves(self.booster, row)
        paths = [part for part in parts if isinstance(part, TreePath)]
        if len(paths) != forest.n_trees:
            return f"The booster has {forest.n_trees} trees, the export {len(paths)}."
        differences = (_tree_difference(forest, tree, leaves[tree], path) for tree, path in enumerate(paths))
        return next(filter(None, differences), "")

    def facts(self) -> dict[str, Any]:
        """See `ModelIR`."""
        forest = self.forest
        return {
            "model": self.kind,
            "n_trees": forest.n_trees,
            "objective": forest.objective,
            "base_score": forest.base,
        }


def _tree_difference(forest: Forest, tree: int, node: int, path: TreePath) -> str:
    leaf = int(forest.roots[tree]) + node
    way = _way(forest, leaf)
    for place, step in zip(way, path.steps, strict=False):
        if step.left != (int(forest.left[place]) in (*way, leaf)):
            return _describe(forest, place, step)
    if len(way) != len(path.steps):
        return f"Tree {tree}: the export takes {len(path.steps)} decisions, the booster {len(way)}."
    value = float(forest.value[leaf])
    if path.value != value:
        return f"Tree {tree}, leaf node {node}: the export adds {path.value!r}, the booster {value!r}."
    return ""


def _leaves(booster: Booster, row: NDArray[np.float32]) -> list[int]:
    """Return the node id of the leaf that the booster reaches in each tree."""
    from rankhammer.light_xgboost import xgb

    found = booster.predict(xgb.DMatrix(row[None, :], missing=np.nan), pred_leaf=True, validate_features=False)
    leaves: list[int] = np.asarray(found, np.int64).reshape(-1).tolist()
    return leaves


def _way(forest: Forest, leaf: int) -> list[int]:
    """Return the places of the nodes above a leaf, from the root on."""
    way: list[int] = []
    node = int(forest.parent[leaf])
    while node >= 0:
        way.insert(0, node)
        node = int(forest.parent[node])
    return way


def _describe(forest: Forest, place: int, step: Step) -> str:
    tree, node = forest.tree_and_node(place)
    feature, trained = forest.feature_names[forest.feature[place]], float(forest.threshold[place])
    return (
        f"Tree {tree}, node {node}, feature {step.feature!r} = {step.value!r}: the export compares with "
        f"{step.threshold!r} and goes {'left' if step.left else 'right'}; the booster compares {feature!r} with "
        f"{trained!r} and goes the other way."
    )


def _pair(forest: Forest, place: int, row: NDArray[np.float32]) -> NDArray[np.float32]:
    """Change a vector so that it reaches a split, once on the split's threshold and once just below it."""
    feature, threshold = int(forest.feature[place]), forest.threshold[place]
    low, high = _bounds(forest, place)
    vector = row.copy()
    # Written so that an absent value (NaN) is replaced, too.
    for name, least in low.items():
        vector[name] = vector[name] if vector[name] >= least else least
    for name, limit in high.items():
        vector[name] = vector[name] if vector[name] < limit else np.nextafter(limit, np.float32(-np.inf))
    on, below = vector.copy(), vector
    on[feature], below[feature] = threshold, np.nextafter(threshold, np.float32(-np.inf))
    return np.stack([on, below])


def _bounds(forest: Forest, place: int) -> tuple[dict[int, np.float32], dict[int, np.float32]]:
    """Return, per feature, the least value and the value to stay below on the way from the root to a node."""
    low: dict[int, np.float32] = {}
    high: dict[int, np.float32] = {}
    child, node = place, int(forest.parent[place])
    while node >= 0:
        feature, threshold = int(forest.feature[node]), forest.threshold[node]
        if forest.left[node] == child:
            high[feature] = min(high.get(feature, threshold), threshold)
        else:
            low[feature] = max(low.get(feature, threshold), threshold)
        child, node = node, int(forest.parent[node])
    return low, high
