"""An experiment on this machine: each group is a thread, each instance a process."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING

from rankhammer.experiments.coordinator import Coordinator
from rankhammer.experiments.group import GroupDriver, GroupTask
from rankhammer.experiments.runners import LocalRunner

if TYPE_CHECKING:
    from collections.abc import Callable

    from rankhammer.experiments.coordinator import View
    from rankhammer.experiments.folder import ExperimentFolder


class LocalGroup:
    """A group that a thread of this process drives."""

    application = ""

    def __init__(self, folder: ExperimentFolder, task: GroupTask) -> None:
        """Start it."""
        self._driver = GroupDriver(folder, task, LocalRunner())
        self._failure = ""
        self._thread = threading.Thread(target=self._drive, name=task.role, daemon=True)
        self._thread.start()

    def _drive(self) -> None:
        try:
            self._driver.drive()
        except Exception as exc:  # noqa: BLE001 - said by `poll`
            self._failure = f"{type(exc).__name__}: {exc}"

    def poll(self) -> str:
        """See `Group`."""
        return self._failure

    def has_ended(self) -> bool:
        """See `Group`."""
        return not self._thread.is_alive()

    def kill(self) -> None:
        """See `Group`."""
        self._driver.give_up("killed")
        self._thread.join(15)


class LocalLauncher:
    """Starts groups on this machine."""

    def __init__(self, folder: ExperimentFolder) -> None:
        """Start nothing yet."""
        self._folder = folder

    def launch(self, task: GroupTask) -> LocalGroup:
        """See `Launcher`."""
        logs = str(Path(self._folder.path, "logs"))
        return LocalGroup(self._folder, GroupTask(task.role, task.attempt, task.start, logs))

    def close(self) -> None:
        """See `Launcher`."""


def run_here(
    folder: ExperimentFolder,
    *,
    on_view: Callable[[View], None] = lambda _: None,
    on_line: Callable[[str], None] = lambda _: None,
) -> int:
    """Run an experiment on this machine.

    Args:
        folder: Local folder with its spec.
        on_view: Called with what is known, at each look.
        on_line: Called with each line for the user.

    Returns:
        Exit code.
    """
    return Coordinator(folder, LocalLauncher(folder), on_view=on_view, on_line=on_line, poll_s=0.3).run()
