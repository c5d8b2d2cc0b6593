"""Processes of this machine: which are alive, and who holds a lock or has published something."""

from __future__ import annotations

import getpass
import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

if TYPE_CHECKING:
    from collections.abc import Mapping

_STATE, _STARTED = 0, 19
"""Fields of /proc/<pid>/stat after the name, which may hold anything, brackets too."""
_GONE = ("Z", "X")
"""States of what has ended and was not waited for yet."""


def started(pid: int) -> str:
    """Return when a process started, in ticks since the machine did; empty where the machine does not say.

    Args:
        pid: Its number.
    """
    fields = _fields(pid)
    return fields[_STARTED] if fields else ""


def is_alive(pid: int, started_at: str = "") -> bool:
    """Say whether a process is still there.

    Args:
        pid: Its number.
        started_at: What `started` returned when it was alive; empty: any process of that number will do.
    """
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        # It is there, and another user's.
        pass
    fields = _fields(pid)
    if not fields:
        return True
    return fields[_STATE] not in _GONE and started_at in ("", fields[_STARTED])


def _fields(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return []


def this_process(run: str | None = None) -> dict[str, Any]:
    """Describe this process; no two calls give the same.

    Args:
        run: Id of the run that it works on.
    """
    return {
        "host": platform.node(),
        "pid": os.getpid(),
        "run": run,
        "since": datetime.now(UTC).isoformat(timespec="seconds"),
        "token": uuid4().hex,
        "user": _user(),
    }


def describe(who: Mapping[str, Any]) -> str:
    """Say in words what `this_process` returned in another process."""
    run = f"run {who['run']}, " if who.get("run") else ""
    user, host, pid, since = (who.get(name, "unknown") for name in ("user", "host", "pid", "since"))
    return f"{user}@{host} ({run}process {pid}, {since} by its clock)"


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        # A container may run as a number that has no name.
        return str(os.getuid())
