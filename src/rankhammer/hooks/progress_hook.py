"""Shows how far a run is: bars in a terminal, one plain line a node elsewhere."""

from __future__ import annotations

import atexit
import logging
import sys
import threading
import time
from typing import TYPE_CHECKING

from kedro.framework.hooks import hook_impl
from rich import get_console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from rankhammer import spark
from rankhammer.hooks.outputs_left import OutputsLeft

if TYPE_CHECKING:
    from kedro.pipeline import Pipeline
    from kedro.pipeline.node import Node

logger = logging.getLogger(__name__)
POLL_S = 0.25


class ProgressHook:
    """Counts finished nodes; in a terminal a second bar follows the Spark stages that are running."""

    def __init__(self) -> None:
        self._outputs = OutputsLeft()
        self._n_nodes = self._n_finished = 0
        self._started_at: dict[str, float] = {}
        self._bars: _Bars | None = None

    @hook_impl(trylast=True)
    def before_pipeline_run(self, pipeline: Pipeline) -> None:
        """Start the bars, after every other hook has had its chance to refuse the run."""
        self._outputs, self._n_nodes, self._n_finished = OutputsLeft(), len(pipeline.nodes), 0
        if get_console().is_terminal:
            self._bars = _Bars(self._n_nodes)

    @hook_impl
    def before_node_run(self, node: Node) -> None:
        """Name the node that is running."""
        self._started_at[node.name] = time.monotonic()
        if self._bars is not None:
            self._bars.show(node.name)

    @hook_impl
    def after_dataset_saved(self, dataset_name: str, node: Node) -> None:
        """Count a node after its last save, where a Spark node does its work."""
        if not self._outputs.is_last(node, dataset_name):
            return
        self._n_finished += 1
        elapsed_s = time.monotonic() - self._started_at[node.name]
        logger.info("[%d/%d] %s: %.1f s", self._n_finished, self._n_nodes, node.name, elapsed_s)
        if self._bars is not None:
            self._bars.advance()

    @hook_impl(tryfirst=True)
    def after_pipeline_run(self) -> None:
        """Take the bars away, before the closing table is printed."""
        self._stop()

    @hook_impl
    def on_pipeline_error(self) -> None:
        """Take the bars away, so that the error is readable."""
        self._stop()

    def _stop(self) -> None:
        if self._bars is not None:
            self._bars.stop()
            self._bars = None


class _Bars:
    """Two bars: nodes, and the tasks of the running Spark stages."""

    def __init__(self, n_nodes: int) -> None:
        columns = (TextColumn("{task.description:32}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self._progress = Progress(*columns, console=get_console(), transient=True)
        self._nodes = self._progress.add_task("starting", total=n_nodes)
        self._tasks: TaskID | None = None
        self._over = threading.Event()
        # Ctrl-C passes by every hook: without this the terminal would keep its cursor hidden.
        atexit.register(self.stop)
        self._progress.start()
        _log_to(sys.stdout)
        threading.Thread(target=self._follow_spark, name="spark-progress", daemon=True).start()

    def show(self, name: str) -> None:
        self._progress.update(self._nodes, description=name)

    def advance(self) -> None:
        self._progress.advance(self._nodes)

    def stop(self) -> None:
        atexit.unregister(self.stop)
        self._over.set()
        self._progress.stop()
        _log_to(sys.stdout)

    def _follow_spark(self) -> None:
        while not self._over.wait(POLL_S):
            n_done, n_tasks = spark.running_tasks()
            if n_tasks and self._tasks is None:
                self._tasks = self._progress.add_task("  Spark tasks", total=n_tasks)
            if self._tasks is not None:
                self._progress.update(self._tasks, completed=n_done, total=n_tasks, visible=n_tasks > 0)


def _log_to(stream: object) -> None:
    """Log lines go where the bars can step aside for them: rich replaces sys.stdout while it draws."""
    for handler in logging.getLogger().handlers:
        if type(handler) is logging.StreamHandler:
            handler.setStream(stream)
