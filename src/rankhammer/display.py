"""Shows in a terminal what a run is doing, from its first second to its last; elsewhere nothing.

Up to three lines: the node, or what comes before the first one; Spark, while it starts; and the step within the node
with the tasks of the Spark stages that are running. Whatever else is printed meanwhile goes above them.
"""

from __future__ import annotations

import atexit
import logging
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich import get_console
from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn
from rich.table import Column
from rich.text import Text

from rankhammer import progress, spark

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.progress import Task, TaskID

POLL_S = 0.25
REFRESHED_A_SECOND = 4
_lines: _Lines | None = None


@contextmanager
def shown(text: str) -> Iterator[None]:
    """Show what is being done, and take it away however the block ends.

    Args:
        text: What is done first.
    """
    try:
        start(text)
        yield
    finally:
        stop()


def start(text: str) -> None:
    """Show the first line, where there is a terminal and none is shown yet.

    Args:
        text: What is done first.
    """
    global _lines  # noqa: PLW0603 - one terminal a process
    if _lines is None and get_console().is_terminal:
        # Where nobody catches Ctrl-C the terminal would keep its cursor hidden; and it may come while this starts.
        atexit.register(stop)
        _lines = _Lines(text)
        _lines.start()


def stop() -> None:
    """Take the lines away and give the cursor back; nothing where nothing is shown."""
    global _lines
    lines, _lines = _lines, None
    if lines is not None:
        atexit.unregister(stop)
        lines.stop()


def doing(text: str) -> None:
    """Say what is done before the first node.

    Args:
        text: In a few words.
    """
    if _lines is not None:
        _lines.doing(text)


def is_shown() -> bool:
    """Say whether there are lines that somebody sees."""
    return _lines is not None


def begin(n_nodes: int, time_left: Callable[[], str] | None = None) -> None:
    """Say how many nodes there are.

    Args:
        n_nodes: Of this run.
        time_left: Says in a few words how long it will take from now on; None: nobody knows.
    """
    if _lines is not None:
        _lines.begin(n_nodes, time_left)


def node(name: str) -> None:
    """Name the node that runs now.

    Args:
        name: Of the node.
    """
    if _lines is not None:
        _lines.doing(name)


def advance() -> None:
    """Count a finished node."""
    if _lines is not None:
        _lines.advance()


class _Seconds(ProgressColumn):
    """How long a line has been there."""

    max_refresh = 0.5

    def render(self, task: Task) -> Text:
        return Text(f"{int(task.elapsed or 0)} s", justify="right")


class _Lines:
    """The lines of one terminal."""

    def __init__(self, text: str) -> None:
        self._progress = Progress(
            TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True, min_width=28)),
            BarColumn(),
            TextColumn("{task.fields[count]}", table_column=Column(no_wrap=True, min_width=11)),
            _Seconds(table_column=Column(no_wrap=True)),
            TextColumn("{task.fields[left]}", style="dim", table_column=Column(no_wrap=True)),
            console=get_console(),
            refresh_per_second=REFRESHED_A_SECOND,
            transient=True,
            # Where stderr is a file, what is written there belongs there.
            redirect_stderr=sys.stderr.isatty(),
        )
        self._n_nodes = self._n_done = 0
        self._node = self._add(text, visible=True)
        self._spark, self._step = self._add("  starting Spark"), self._add("")
        self._is_starting, self._on_progress = False, ""
        self._time_left: Callable[[], str] | None = None
        self._over = threading.Event()

    def start(self) -> None:
        self._progress.start()
        _log_to(sys.stdout)
        progress.listen(self.tell)
        threading.Thread(target=self._follow, name="progress", daemon=True).start()

    def doing(self, text: str) -> None:
        count, left = self._count(1), self._left()
        self._progress.reset(self._node, description=text, completed=self._n_done, count=count, left=left)
        self.tell("")

    def begin(self, n_nodes: int, time_left: Callable[[], str] | None) -> None:
        # Kedro may have set logging up since.
        _log_to(sys.stdout)
        self._n_nodes, self._n_done, self._time_left = n_nodes, 0, time_left
        self._progress.update(self._node, total=n_nodes, completed=0, count=self._count(0))

    def advance(self) -> None:
        self._n_done += 1
        self._progress.update(self._node, completed=self._n_done, count=self._count(0))

    def tell(self, text: str) -> None:
        self._on_progress = text
        self._progress.reset(self._step, total=0, description=f"  {text}", visible=bool(text), count="", left="")

    def stop(self) -> None:
        progress.listen(None)
        self._over.set()
        self._progress.stop()
        _log_to(sys.stdout)

    def _add(self, text: str, *, visible: bool = False) -> TaskID:
        return self._progress.add_task(text, total=None, visible=visible, count="", left="")

    def _count(self, n_begun: int) -> str:
        return f"{min(self._n_done + n_begun, self._n_nodes)}/{self._n_nodes}" if self._n_nodes else ""

    def _follow(self) -> None:
        while not self._over.wait(POLL_S):
            self._look_at_spark()
            self._progress.update(self._node, left=self._left())

    def _left(self) -> str:
        return "" if self._time_left is None else self._time_left()

    def _look_at_spark(self) -> None:
        if spark.is_starting() != self._is_starting:
            self._is_starting = not self._is_starting
            self._progress.reset(self._spark, visible=self._is_starting)
        n_done, n_tasks = _running_tasks()
        self._progress.update(
            self._step,
            description=f"  {self._on_progress or 'Spark'}",
            visible=bool(self._on_progress or n_tasks),
            total=n_tasks or None,
            completed=n_done,
            count=f"{n_done}/{n_tasks} tasks" if n_tasks else "",
        )


def _running_tasks() -> tuple[int, int]:
    """Ask Spark; where it has just ended, the run itself says so, and this is silent."""
    from py4j.protocol import Py4JError

    try:
        return spark.running_tasks()
    except (Py4JError, OSError, AttributeError):
        return 0, 0


def log_to_stderr() -> None:
    """Keep log lines out of what a command prints, which may be JSON for another program."""
    _log_to(sys.stderr)


def _log_to(stream: object) -> None:
    """Log lines go where the bars can step aside for them: rich replaces sys.stdout while it draws."""
    for handler in logging.getLogger().handlers:
        if type(handler) is logging.StreamHandler:
            handler.setStream(stream)
