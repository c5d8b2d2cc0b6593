"""An application on YARN, watched until its end."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rankhammer.errors import ClusterError
from rankhammer.exit_codes import SOME_CORPORA_FAILED, USER_ERROR
from rankhammer.yarn.resource_manager import reading

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from rankhammer.yarn.resource_manager import ResourceManager

ENDED = frozenset({"FINISHED", "FAILED", "KILLED"})
_EXIT_STATUS = re.compile(r"User application exited with status (\d+)")
_OF_OURS = (USER_ERROR, SOME_CORPORA_FAILED)
"""Exit codes of a run that mean the same wherever it ran: the user's mistake, and some corpora failed."""


@dataclass
class Container:
    """One container that was seen.

    Args:
        name: Its id.
        host: Node that it ran on.
        role: `driver`, or `executor`.
        state: As YARN says.
        seconds: How long it ran, as far as it was seen.
        log: Address of its log while it runs.
    """

    name: str
    host: str
    role: str
    state: str
    seconds: float
    log: str


@dataclass
class Progress:
    """What is known of an application now.

    Args:
        application: Its id.
        state: As YARN says.
        tracking: Address of its page.
        seconds: Since it was submitted.
        n_running: Containers that run now.
        diagnostics: What YARN says of its end.
        final: SUCCEEDED, FAILED, KILLED, or UNDEFINED until it ended.
        user: Who it belongs to.
        containers: All that were seen, by name.
    """

    application: str
    state: str = "NEW"
    tracking: str = ""
    seconds: float = 0.0
    n_running: int = 0
    diagnostics: str = ""
    final: str = "UNDEFINED"
    user: str = ""
    containers: dict[str, Container] = field(default_factory=dict)

    @property
    def has_ended(self) -> bool:
        """Say whether nothing of it runs any more."""
        return self.state in ENDED

    @property
    def exit_code(self) -> int:
        """Return the code that a run at home would have ended with; 1 for what only a cluster does to it."""
        if self.final == "SUCCEEDED":
            return 0
        found = _EXIT_STATUS.search(self.diagnostics)
        code = int(found[1]) if found else 1
        return code if code in _OF_OURS else 1

    def __str__(self) -> str:
        return f"{self.state} for {self.seconds:.0f} s, {self.n_running} containers"


def find(manager: ResourceManager, tag: str) -> str | None:
    """Return the application that carries a tag, or None."""
    with reading("apps"):
        found = (manager.get(f"apps?applicationTags={tag}").get("apps") or {}).get("app") or []
        return str(found[0]["id"]) if found else None


def follow(
    manager: ResourceManager, application: str, *, poll_s: float, on_progress: Callable[[Progress], None]
) -> Progress:
    """Ask until an application has ended.

    Args:
        manager: Who is asked.
        application: Id.
        poll_s: Pause between two questions.
        on_progress: Called after each.

    Returns:
        How it ended.

    Raises:
        ClusterError: Nobody has answered for a minute; the application runs on.
    """
    progress, silent_since = Progress(application), time.monotonic()
    while not progress.has_ended:
        try:
            update(progress, manager)
            silent_since = time.monotonic()
        except ClusterError as exc:
            # A ResourceManager that fails over or starts again takes its applications along.
            if time.monotonic() - silent_since > 60:
                hint = f"{application} may run on: `yarn application -status {application}`."
                raise ClusterError(exc.message, hint=hint) from exc
        on_progress(progress)
        if not progress.has_ended:
            time.sleep(poll_s)
    return progress


def update(progress: Progress, manager: ResourceManager) -> None:
    """Ask once."""
    found = manager.application(progress.application)
    attempts = manager.attempts(progress.application)
    with reading(f"apps/{progress.application}"):
        _see_application(progress, found)
        for attempt in attempts:
            _see_driver(progress, attempt)
    running = _running(manager, progress, attempts)
    with reading(f"apps/{progress.application}/appattempts"):
        for row in running:
            _see(progress, row)
        alive = {str(row["containerId"]) for row in running}
    progress.n_running = len(alive)
    for container in progress.containers.values():
        if container.name not in alive and container.state == "RUNNING":
            container.state = "ENDED"


def table(progress: Progress) -> list[str]:
    """Return the closing table, a line each: every container that was seen."""
    rows = [("container", "role", "host", "state", "seconds", "log")]
    for one in sorted(progress.containers.values(), key=lambda container: container.name):
        rows.append((one.name, one.role, one.host, one.state, f"{one.seconds:.0f}", one.log))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _running(manager: ResourceManager, progress: Progress, attempts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    if progress.has_ended or not attempts:
        return []
    place = f"apps/{progress.application}/appattempts/{attempts[-1]['appAttemptId']}/containers"
    with reading(place):
        return [row for row in manager.get(place).get("container") or () if row.get("containerState") == "RUNNING"]


def _see_application(progress: Progress, found: Mapping[str, Any]) -> None:
    progress.state = str(found["state"])
    progress.final = str(found.get("finalStatus", "UNDEFINED"))
    progress.tracking = str(found.get("trackingUrl") or progress.tracking)
    progress.user = str(found.get("user", ""))
    progress.seconds = found.get("elapsedTime", 0) / 1000
    progress.diagnostics = (found.get("diagnostics") or "").strip()


def _see_driver(progress: Progress, attempt: Mapping[str, Any]) -> None:
    name = _text(attempt, "containerId")
    if not name:
        return
    end = attempt.get("finishedTime") or 0
    seconds = (end - attempt["startTime"]) / 1000 if end else progress.seconds
    state, host, log = (_text(attempt, key) for key in ("appAttemptState", "nodeId", "logsLink"))
    progress.containers[name] = Container(name, host, "driver", state, seconds, log)


def _see(progress: Progress, row: Mapping[str, Any]) -> None:
    name = str(row["containerId"])
    if name in progress.containers and progress.containers[name].role == "driver":
        return
    seconds = row.get("elapsedTime", 0) / 1000
    host, log = _text(row, "nodeId"), _text(row, "logUrl")
    progress.containers[name] = Container(name, host, "executor", "RUNNING", seconds, log)


def _text(row: Mapping[str, Any], key: str) -> str:
    return str(row.get(key) or "")


def tail(log: str, n_lines: int) -> list[str]:
    """Return the last lines of a gathered log that say something, without what YARN writes around them.

    Args:
        log: As YARN's client writes it: each file between a heading and `End of LogType`.
        n_lines: Of both files together; the last file's are the last.
    """
    kept, is_content = [], False
    for line in log.splitlines():
        if line.startswith("End of LogType:"):
            is_content = False
        if is_content and line.strip():
            kept.append(line.rstrip())
        if line.startswith("LogContents:"):
            is_content = True
    return kept[-n_lines:]
