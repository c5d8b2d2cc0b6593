"""When a node is over: not when its function returns, but when its last output is saved."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kedro.pipeline.node import Node


class OutputsLeft:
    """Counts a node's saved outputs. A Spark node does its work in the save."""

    def __init__(self) -> None:
        self._saved: dict[str, set[str]] = {}

    def is_last(self, node: Node, dataset_name: str) -> bool:
        """Note that an output was saved and say whether it was the node's last one."""
        saved = self._saved.setdefault(node.name, set())
        saved.add(dataset_name)
        return saved >= set(node.outputs)
