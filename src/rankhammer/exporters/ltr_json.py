"""XGBoost's JSON dump (`model/xgboost+json`): a list of nested trees, written and read strictly.

The first tree is one leaf with the base score, which the format has no other place for.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from rankhammer.errors import ExportError
from rankhammer.exporters.nested_trees import Node, fold_trees, shortest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from rankhammer.exporters.trees import Forest

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
    node_id = forest.node_id.tolist()

    def write_leaf(place: int) -> str:
        return _leaf_text(node_id[place], number(forest.value[place]))

    def write_split(place: int, left: str, right: str) -> str:
        yes, no = node_id[forest.left[place]], node_id[forest.right[place]]
        return (
            f'{{"nodeid":{node_id[place]},"depth":{forest.depth[place]},"split":{split[forest.feature[place]]},'
            f'"split_condition":{number(forest.threshold[place])},"yes":{yes},"no":{no},'
            f'"missing":{yes if forest.default_left[place] else no},"children":[{left},{right}]}}'
        )

    trees = fold_trees(forest, write_leaf, write_split)
    constants = [_leaf_text(0, number(value)) for value in last]
    return "[" + ",".join([_leaf_text(0, number(forest.base)), *trees, *constants]) + "]"


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


def read_node(node: dict[str, Any]) -> Node:
    """Read one node of what `parse` returned."""
    if "leaf" in node:
        return Node(value=node["leaf"])
    return Node(
        feature=node["split"],
        threshold=node["split_condition"],
        default_left=node["missing"] == node["yes"],
        children=tuple(node["children"]),
    )


def _leaf_text(node_id: int, value: str) -> str:
    return f'{{"nodeid":{node_id},"leaf":{value}}}'


def _require_strict(node: dict[str, Any]) -> None:
    expected = _LEAF_KEYS if "leaf" in node else _SPLIT_KEYS
    if node.keys() != expected:
        raise ExportError(
            f"Node {node.get('nodeid')} has keys {sorted(node)}, the engine takes exactly {sorted(expected)}.",
            hint="Report this: the writer broke its own format.",
        )
    if "leaf" not in node and [child["nodeid"] for child in node["children"]] != [node["yes"], node["no"]]:
        raise ExportError(
            f"Node {node['nodeid']}: its children are not in the order yes, no.",
            hint="Report this: the writer broke its own format.",
        )
