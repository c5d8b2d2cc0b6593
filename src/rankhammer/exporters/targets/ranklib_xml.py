"""RankLib's text of a LambdaMART model: comment lines, then an <ensemble> of trees.

A node goes left when value <= threshold, as 32-bit floats; features go by their ordinal in the feature set, from 1.
The reader joins the stripped lines and takes the first child of a tag without looking for white space, so that tags of
a line stand close together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import numpy as np

from rankhammer.exporters.ir.nested_trees import TreeNode, fold_trees, shortest

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

    from rankhammer.exporters.ir.trees import Forest

HEADER = "## LambdaMART"


def ranklib_text(forest: Forest, ordinals: dict[str, int], constant: float) -> str:
    """Write a forest with its base score as the first tree, and a constant as the last.

    Args:
        forest: The trees.
        ordinals: Feature name to its place in the feature set, from 1.
        constant: Value of the last tree.

    Returns:
        The text of a model, its thresholds lowered to the next 32-bit float: `value <= it` is `value < threshold`.
    """
    below = np.nextafter(forest.threshold, np.float32(-np.inf))

    def leaf(place: int) -> str:
        return _leaf_tag(forest.value[place])

    def split(place: int, left: str, right: str) -> str:
        ordinal = ordinals[forest.feature_names[forest.feature[place]]]
        return (
            f"<feature> {ordinal} </feature>\n<threshold> {shortest(below[place])} </threshold>\n"
            f'<split pos="left">\n{left}</split>\n<split pos="right">\n{right}</split>\n'
        )

    trees = [_leaf_tag(forest.base), *fold_trees(forest, leaf, split), _leaf_tag(constant)]
    tags = [f'<tree id="{n}" weight="1.0">\n<split>\n{tree}</split>\n</tree>\n' for n, tree in enumerate(trees, 1)]
    return f"{HEADER}\n## No. of trees = {len(trees)}\n\n<ensemble>\n{''.join(tags)}</ensemble>\n"


def read_trees(text: str, names: tuple[str, ...]) -> list[Any]:
    """Read a model's text as RankLib does.

    Args:
        text: What `ranklib_text` returned.
        names: The feature set's names, in order.

    Returns:
        Each tree's root tag with the names, for `read_node`.
    """
    lines = [line.strip() for line in text.splitlines() if not line.startswith("#")]
    return [(tree[0], names) for tree in ElementTree.fromstring("".join(lines)).iter("tree")]


def read_node(tag: tuple[Element, tuple[str, ...]]) -> TreeNode:
    """Read one <split> tag: its first child says whether it splits or is a leaf."""
    split, names = tag
    if split[0].tag != "feature":
        return TreeNode(value=float(split[0].text or ""))
    feature, threshold, left, right = split
    return TreeNode(
        feature=names[int(feature.text or "") - 1],
        threshold=float(threshold.text or ""),
        children=((left, names), (right, names)),
    )


def _leaf_tag(value: float) -> str:
    return f"<output> {shortest(value)} </output>\n"
