"""Shows how far a run is: lines that move in a terminal, one plain line per node elsewhere."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

from kedro.framework.hooks import hook_impl
from kedro.io import DatasetError
from py4j.protocol import Py4JError

from rankhammer import display, progress
from rankhammer.errors import RankhammerError
from rankhammer.runs.expected_fingerprints import chosen
from rankhammer.runs.time_left import TimeLeft, in_words, time_left

if TYPE_CHECKING:
    from kedro.io import DataCatalog
    from kedro.pipeline import Pipeline
    from kedro.pipeline.node import Node


class PendingOutputs:
    """Counts a node's saved outputs. A Spark node does its work in the save."""

    def __init__(self) -> None:
        self._saved: dict[str, set[str]] = {}

    def is_last(self, node: Node, dataset_name: str) -> bool:
        """Note that an output was saved and say whether it was the node's last one."""
        saved = self._saved.setdefault(node.name, set())
        saved.add(dataset_name)
        return saved >= set(node.outputs)


logger = logging.getLogger(__name__)


class ProgressHook:
    """Counts finished nodes, and names what is read, worked on and written."""

    def __init__(self) -> None:
        self._outputs = PendingOutputs()
        self._n_nodes = self._n_finished = 0
        self._started_at: dict[str, float] = {}
        self._shown = ""
        self._left: TimeLeft | None = None

    @hook_impl(tryfirst=True, specname="before_pipeline_run")
    def before_checks(self) -> None:
        """Name what every other hook does before the first node."""
        display.doing("checking inputs and outputs")

    @hook_impl(trylast=True)
    def before_pipeline_run(self, pipeline: Pipeline, catalog: DataCatalog) -> None:
        """Start to count, after every other hook has had its chance to refuse the run."""
        self._outputs, self._n_nodes, self._n_finished = PendingOutputs(), len(pipeline.nodes), 0
        self._left = None
        # A session that no command line has made, such as a notebook's, shows nothing yet.
        display.start("starting")
        if display.is_shown():
            self._left = _time_left(pipeline, catalog)
        display.begin(self._n_nodes, None if self._left is None else self._seconds_left)

    @hook_impl
    def before_dataset_loaded(self, dataset_name: str, node: Node) -> None:
        """Name the node and what is read for it; the first to be read waits for Spark."""
        self._show(node)
        if not dataset_name.startswith("param"):
            progress.tell(f"reading {dataset_name}")

    @hook_impl
    def before_node_run(self, node: Node) -> None:
        """Start the node's clock."""
        self._started_at[node.name] = time.monotonic()
        self._show(node)
        progress.tell("")

    @hook_impl
    def before_dataset_saved(self, dataset_name: str) -> None:
        """Name what is written; where it is a table of Spark's, this is where the work is done."""
        progress.tell(f"writing {dataset_name}")

    @hook_impl
    def after_dataset_saved(self, dataset_name: str, node: Node) -> None:
        """Count a node after its last save, where a Spark node does its work."""
        if not self._outputs.is_last(node, dataset_name):
            return
        self._n_finished += 1
        elapsed_s = time.monotonic() - self._started_at[node.name]
        logger.info("[%d/%d] %s: %.1f s", self._n_finished, self._n_nodes, node.name, elapsed_s)
        if self._left is not None:
            self._left.finish(node.name)
        display.advance()

    @hook_impl(tryfirst=True)
    def after_pipeline_run(self) -> None:
        """Take the lines away, before the closing table is printed."""
        display.stop()

    @hook_impl
    def on_pipeline_error(self) -> None:
        """Take the lines away, so that the error is readable."""
        display.stop()

    def _show(self, node: Node) -> None:
        if node.name != self._shown:
            self._shown = node.name
            if self._left is not None:
                self._left.begin(node.name)
            display.node(node.name)

    def _seconds_left(self) -> str:
        return "" if self._left is None else in_words(self._left.seconds())


def _time_left(pipeline: Pipeline, catalog: DataCatalog) -> TimeLeft | None:
    """Estimate the run by the last ones; a history that cannot be read ends nothing."""
    try:
        history: Any = catalog["run_history"]
        return time_left(pipeline, history.newest_first(), chosen(catalog))
    except (DatasetError, KeyError, OSError, Py4JError, RankhammerError):
        logger.debug("The last runs could not be read", exc_info=True)
        return None
