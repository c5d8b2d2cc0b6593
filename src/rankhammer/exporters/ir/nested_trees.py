"""Trees as engines write them, nodes inside of nodes: folding a forest into them, and reading them back."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np

from rankhammer.exporters.ir.tree_scoring import leaf_places, sum_leaves
from rankhammer.exporters.ir.trees import UNREACHABLE, Forest, with_depths
from rankhammer.exporters.parts import Step, TreePath
from rankhammer.exporters.targets.model_files import ParsedModel

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from rankhammer.exporters.ir.tree_scoring import Absent

T = TypeVar("T")


def shortest(number: float) -> str:
    """Write the fewest digits that read back as the same 32-bit float: for engines that read 32-bit floats."""
    return str(np.float32(number))


def exact(number: float) -> str:
    """Write a 32-bit float with the digits of its 64-bit value: for engines that read 64-bit floats."""
    return repr(float(np.float32(number)))


def fold_trees(forest: Forest, leaf: Callable[[int], T], split: Callable[[int, T, T], T]) -> list[T]:
    """Build nested trees from the leaves up, however deep they are.

    Args:
        forest: The trees.
        leaf: Makes a leaf of its place in the forest's arrays.
        split: Makes a split of its place, its left and its right child.

    Returns:
        The root of each tree, in order.
    """
    built: dict[int, T] = {}
    feature, left, right = forest.feature.tolist(), forest.left.tolist(), forest.right.tolist()
    reached = np.flatnonzero(forest.depth != UNREACHABLE)
    for place in reached[np.argsort(-forest.depth[reached], kind="stable")].tolist():
        is_leaf = feature[place] < 0
        built[place] = leaf(place) if is_leaf else split(place, built.pop(left[place]), built.pop(right[place]))
    return [built[root] for root in forest.roots.tolist()]


class TreeNode(NamedTuple):
    """One node as it stands in a file: a split with two children, or a leaf.

    Args:
        feature: Name of what a split asks for.
        threshold: What the engine compares the feature's value with.
        default_left: Where the file sends an absent value.
        value: What a leaf adds to the score.
        children: Left and right child in the file's own form; none in a leaf.
    """

    feature: str = ""
    threshold: float = 0.0
    default_left: bool = False
    value: float = 0.0
    children: tuple[Any, ...] = ()


@dataclass(frozen=True)
class TreeFormat:
    """How an engine reads and compares what stands in a file.

    Args:
        read: Turns the file's form of a node into a `TreeNode`; children stay in the file's form.
        ties_left: A value equal to the threshold goes left, as in `value <= threshold`.
        kind: Floats that the engine compares and adds up in.
    """

    read: Callable[[Any], TreeNode]
    ties_left: bool = False
    kind: type[np.float32] | type[np.float64] = np.float32

    def parse(self, trees: Sequence[Any], rule: Absent, *, last_is_constant: bool = False) -> ParsedModel:
        """Sort a file's trees into base score, booster's trees and constant.

        Args:
            trees: Roots in the file's form; the first is one leaf with the base score.
            rule: What an absent feature means to the engine.
            last_is_constant: The last tree is one leaf that the writer added.
        """
        base, *parts = trees
        constant = self.read(parts.pop()).value if last_is_constant else 0.0
        return ParsedModel(self, rule, self.read(base).value, parts, float(np.float32(constant)))

    def sums(
        self, parsed: ParsedModel, features: NDArray[np.float32], feature_names: tuple[str, ...]
    ) -> NDArray[np.float64]:
        """See `PartFormat`."""
        forest = self.forest(parsed.parts, feature_names, parsed.base)
        leaves = leaf_places(forest, features, parsed.rule)
        return sum_leaves(forest, leaves, kind=self.kind).astype(np.float64)

    def forest(self, trees: Sequence[Any], feature_names: tuple[str, ...], base: float) -> Forest:
        """Flatten a file's trees for fast scoring.

        Args:
            trees: Roots in the file's form.
            feature_names: Columns of the vectors that will be scored.
            base: Score before the first tree.

        Returns:
            A forest in which value < threshold goes left, whatever the engine's own comparison.
        """
        places = {name: place for place, name in enumerate(feature_names)}
        nodes, roots, left = self._level_order(trees)
        leaf = np.array([not node.children for node in nodes], np.bool_)
        here = np.arange(len(nodes))
        threshold = np.array([node.threshold for node in nodes], self.kind)
        return with_depths(
            feature_names=feature_names,
            base=base,
            objective="",
            roots=np.array(roots, np.int64),
            feature=np.array([places[node.feature] if node.children else -1 for node in nodes], np.int64),
            threshold=np.nextafter(threshold, self.kind(np.inf)) if self.ties_left else threshold,
            left=np.where(leaf, here, left),
            right=np.where(leaf, here, np.array(left) + 1),
            default_left=np.array([node.default_left for node in nodes], np.bool_),
            value=np.array([node.value for node in nodes], self.kind),
        )

    def trace(self, part: Any, values: Mapping[str, float], absent: Absent) -> TreePath:
        """See `PartFormat`: follows one document through one tree."""
        steps, node = [], self.read(part)
        while node.children:
            value, threshold = values[node.feature], float(self.kind(node.threshold))
            value = 0.0 if absent == "zero" and math.isnan(value) else value
            left = value <= threshold if self.ties_left else value < threshold
            if math.isnan(value) and absent == "default":
                left = node.default_left
            steps.append(Step(node.feature, value, threshold, left))
            node = self.read(node.children[0 if left else 1])
        return TreePath(tuple(steps), float(self.kind(node.value)))

    def _level_order(self, trees: Sequence[Any]) -> tuple[list[TreeNode], list[int], list[int]]:
        """Return all nodes, each tree's level by level; the roots' places; and each node's left child's place."""
        nodes: list[TreeNode] = []
        roots: list[int] = []
        left: list[int] = []
        for tree in trees:
            roots.append(len(nodes))
            level = [tree]
            while level:
                found = [self.read(entry) for entry in level]
                nodes += found
                # The next level follows this one, children side by side.
                n_before = itertools.accumulate((len(node.children) for node in found), initial=len(nodes))
                left += itertools.islice(n_before, len(found))
                level = [child for node in found for child in node.children]
        return nodes, roots, left
