"""XGBoost's JSON dump (`model/xgboost+json`): a list of nested trees, written and read strictly.

The first tree is one leaf with the base score, which the format has no other place for.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson

from rankhammer.errors import ExportError
from rankhammer.exporters.ir.nested_trees import TreeNode, fold_trees, shortest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from rankhammer.exporters.ir.trees import Forest

_SPLIT_KEYS = frozenset({"nodeid", "depth", "split", "split_condition", "yes", "no", "missing", "children"})
_LEAF_KEYS = frozenset({"nodeid", "leaf"})


def definition(
    forest: Forest,
    *,
    last: tuple[float, ...] = (),
    names: Mapping[str, str] | None = None,
    number: Callable[[float], str] = shortest,
) -> str:
    """Write a forest as XGBoost dumps it, with its base score as the first tree.

    Args:
        forest: The trees.
        last: Constants to add to every score, each a tree of one leaf at the end.
        names: Feature name to the name that the engine knows it by; the same where there is none.
        number: Writes a threshold or a leaf value.

    Returns:
        JSON text.
    """
    split = [json.dumps((names or {}).get(name, name)) for name in forest.feature_names]
    # Lists: taking a number out of an array is several times slower, and there may be a million nodes.
    node_id, depth, feature = forest.node_id.tolist(), forest.depth.tolist(), forest.feature.tolist()
    yes, no = forest.node_id[forest.left].tolist(), forest.node_id[forest.right].tolist()
    absent = np.where(forest.default_left, yes, no).tolist()

    def write_leaf(place: int) -> str:
        return _leaf_text(node_id[place], number(forest.value[place]))

    def write_split(place: int, left: str, right: str) -> str:
        return (
            f'{{"nodeid":{node_id[place]},"depth":{depth[place]},"split":{split[feature[place]]},'
            f'"split_condition":{number(forest.threshold[place])},"yes":{yes[place]},"no":{no[place]},'
            f'"missing":{absent[place]},"children":[{left},{right}]}}'
        )

    trees = fold_trees(forest, write_leaf, write_split)
    constants = [_leaf_text(0, number(value)) for value in last]
    return "[" + ",".join([_leaf_text(0, number(forest.base)), *trees, *constants]) + "]"


def parse(text: str | bytes) -> list[dict[str, Any]]:
    """Read a definition's trees; `read_node` reads their nodes."""
    trees: list[dict[str, Any]] = orjson.loads(text)
    return trees


def read_node(node: dict[str, Any]) -> TreeNode:
    """Read one node as strictly as the plugin does.

    Raises:
        ExportError: A key is missing or superfluous, or children stand in the wrong order.
    """
    if node.keys() == _LEAF_KEYS:
        return TreeNode(value=node["leaf"])
    if node.keys() != _SPLIT_KEYS:
        raise _strange_keys(node)
    yes, (left, right) = node["yes"], node["children"]
    if left["nodeid"] != yes or right["nodeid"] != node["no"]:
        raise ExportError(
            f"Node {node['nodeid']}: its children are not in the order yes, no.",
            hint="Report this: the writer broke its own format.",
        )
    return TreeNode(node["split"], node["split_condition"], node["missing"] == yes, 0.0, (left, right))


def _leaf_text(node_id: int, value: str) -> str:
    return f'{{"nodeid":{node_id},"leaf":{value}}}'


def _strange_keys(node: dict[str, Any]) -> ExportError:
    expected = _LEAF_KEYS if "leaf" in node else _SPLIT_KEYS
    return ExportError(
        f"Node {node.get('nodeid')} has keys {sorted(node)}, the engine takes exactly {sorted(expected)}.",
        hint="Report this: the writer broke its own format.",
    )
