"""Gives the session its settings, names its jobs, and frees what a node cached once the node is over."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kedro.framework.hooks import hook_impl

from rankhammer import spark
from rankhammer.errors import ConfigError
from rankhammer.hooks.progress_hook import PendingOutputs
from rankhammer.pipeline_registry import BRANCHES, STAGES, trains_only
from rankhammer.runs.expected_fingerprints import chosen, matrices
from rankhammer.runs.node_extras import with_extras
from rankhammer.runs.trained_together import with_fixed_executors, workers_in
from rankhammer.secret_settings import require_no_login, require_no_secrets
from rankhammer.yarn.resources import largest
from rankhammer.yarn.session import require_nodes, session_settings
from rankhammer.yarn.settings import ClusterSettings, read_settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kedro.framework.context import KedroContext
    from kedro.io import DataCatalog
    from kedro.pipeline import Pipeline
    from kedro.pipeline.node import Node

    from rankhammer.yarn.resources import Matrix

_NAMED_HDFS = re.compile("hdfs://[^/]")


class SparkHook:
    """Opens nothing: the session starts when a node or dataset first asks for it."""

    def __init__(self) -> None:
        self._outputs = PendingOutputs()
        self._stages: frozenset[str] = frozenset()
        self._matrix: Matrix | None = None
        self._cluster: ClusterSettings | None = None
        self._asked: ClusterSettings | None = None
        self._project = Path()

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Let the session read conf/<env>/spark.yml when it is opened, and on YARN cluster.yml.

        Raises:
            ConfigError: spark.yml holds a secret.
        """
        loader = context.config_loader
        require_no_secrets(loader["spark"], "conf/<env>/spark.yml")
        if _is_on_yarn(loader["spark"]):
            # Read here, because the session may be opened by a thread, and loaders are not made for them.
            self._cluster = read_settings(loader["cluster"])
            self._project = context.project_path
            spark.configure(lambda: loader["spark"], self._completed, require_nodes)
        else:
            spark.configure(lambda: loader["spark"])
            spark.open_early()

    @hook_impl
    def after_catalog_created(self, conf_catalog: dict[str, Any]) -> None:
        """Refuse what Kedro's own datasets would take for something else: they drop the name of an HDFS.

        Raises:
            ConfigError: A report is on an HDFS that is named, or a path holds a password.
        """
        for name, entry in conf_catalog.items():
            path = str(entry.get("filepath", "")) if isinstance(entry, dict) else ""
            require_no_login(path, f"The path of {name}")
            if _NAMED_HDFS.match(path) and not entry["type"].startswith("rankhammer."):
                raise ConfigError(
                    f"{name}: {path} names an HDFS; reports can only be on the default one.",
                    hint="Write hdfs:///..., and let fs.defaultFS in HADOOP_CONF_DIR's core-site.xml name it.",
                )

    @hook_impl(tryfirst=True)
    def before_pipeline_run(self, pipeline: Pipeline, catalog: DataCatalog) -> None:
        """Start a new count of saved outputs; what the run holds decides what it asks of a cluster."""
        self._outputs = PendingOutputs()
        self._stages = frozenset().union(*(node.tags for node in pipeline.nodes)) & {*STAGES, *BRANCHES}
        if self._cluster is not None:
            self._matrix, self._asked = None, with_extras(self._cluster, catalog["parameters"].load(), self._stages)
            if "training" in self._stages:
                self._look_at_sizes(self._asked, catalog)
            spark.open_early()

    @hook_impl
    def before_dataset_loaded(self, node: Node) -> None:
        """Name the node in Spark's records: to open an input may be a job, too."""
        _name_jobs(node)

    @hook_impl
    def before_node_run(self, node: Node) -> None:
        """Name the node in Spark's records, also where it loads nothing, or its first input opened the session."""
        _name_jobs(node)

    @hook_impl
    def after_dataset_saved(self, dataset_name: str, node: Node) -> None:
        """Clear the cache after a node's last save: a node may persist a frame, and never has to free it."""
        if self._outputs.is_last(node, dataset_name):
            spark.clear_cache()

    def _look_at_sizes(self, cluster: ClusterSettings, catalog: DataCatalog) -> None:
        """Let the largest corpus that is known decide about memory, and about executors that stay."""
        found = matrices(catalog, chosen(catalog)).values()
        self._matrix = largest(found)
        workers = workers_in(catalog["parameters"].load())
        self._asked = with_fixed_executors(cluster, workers, [matrix.n_rows for matrix in found])

    def _completed(self, own: Mapping[str, str]) -> Mapping[str, str]:
        settings = self._asked or self._cluster or ClusterSettings()
        is_training = trains_only(self._stages)
        return session_settings(own, settings, project=self._project, is_training=is_training, matrix=self._matrix)


def _name_jobs(node: Node) -> None:
    """Let Spark's pages and event logs say "labeling: judge" of a job, instead of a line of Python."""
    active = spark.active_session()
    if active is not None:
        stages = sorted(node.tags & {*STAGES, *BRANCHES})
        active.sparkContext.setJobDescription(": ".join([*stages, node.name]))


def _is_on_yarn(settings: Mapping[str, Any]) -> bool:
    return str(settings.get("spark.master", "")).startswith("yarn")
