"""Gives the session its settings, and frees what a node cached once the node is over."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from kedro.framework.hooks import hook_impl

from rankhammer import spark
from rankhammer.errors import ConfigError
from rankhammer.hooks.outputs_left import OutputsLeft

if TYPE_CHECKING:
    from kedro.framework.context import KedroContext
    from kedro.pipeline.node import Node


_NAMED_HDFS = re.compile("hdfs://[^/]")


class SparkHook:
    """Opens nothing: the session starts when a node or dataset first asks for it."""

    def __init__(self) -> None:
        self._outputs = OutputsLeft()

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Let the session read conf/<env>/spark.yml when it is opened."""
        spark.configure(lambda: context.config_loader["spark"])

    @hook_impl
    def after_catalog_created(self, conf_catalog: dict[str, Any]) -> None:
        """Refuse what Kedro's own datasets would take for something else: they drop the name of an HDFS.

        Raises:
            ConfigError: A report is on an HDFS that is named.
        """
        for name, entry in conf_catalog.items():
            path = str(entry.get("filepath", "")) if isinstance(entry, dict) else ""
            if _NAMED_HDFS.match(path) and not entry["type"].startswith("rankhammer."):
                raise ConfigError(
                    f"{name}: {path} names an HDFS; reports can only be on the default one.",
                    hint="Write hdfs:///..., and let fs.defaultFS in HADOOP_CONF_DIR's core-site.xml name it.",
                )

    @hook_impl
    def before_pipeline_run(self) -> None:
        """Start a new count of saved outputs."""
        self._outputs = OutputsLeft()

    @hook_impl
    def after_dataset_saved(self, dataset_name: str, node: Node) -> None:
        """Clear the cache after a node's last save: a node may persist a frame, and never has to free it."""
        if self._outputs.is_last(node, dataset_name):
            spark.clear_cache()
