"""Gives the session its settings, and frees what a node cached once the node is over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kedro.framework.hooks import hook_impl

from rankhammer import spark
from rankhammer.hooks.outputs_left import OutputsLeft

if TYPE_CHECKING:
    from kedro.framework.context import KedroContext
    from kedro.pipeline.node import Node


class SparkHook:
    """Opens nothing: the session starts when a node or dataset first asks for it."""

    def __init__(self) -> None:
        self._outputs = OutputsLeft()

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Let the session read conf/<env>/spark.yml when it is opened."""
        spark.configure(lambda: context.config_loader["spark"])

    @hook_impl
    def before_pipeline_run(self) -> None:
        """Start a new count of saved outputs."""
        self._outputs = OutputsLeft()

    @hook_impl
    def after_dataset_saved(self, dataset_name: str, node: Node) -> None:
        """Clear the cache after a node's last save: a node may persist a frame, and never has to free it."""
        if self._outputs.is_last(node, dataset_name):
            spark.clear_cache()
