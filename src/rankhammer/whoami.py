"""Who is at work: what a message says of another process that holds a lock or has published something."""

from __future__ import annotations

import getpass
import os
import platform
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

if TYPE_CHECKING:
    from collections.abc import Mapping


def myself(run: str | None = None) -> dict[str, Any]:
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
    """Say in words what `myself` returned in another process."""
    run = f"run {who['run']}, " if who.get("run") else ""
    return f"{who['user']}@{who['host']} ({run}process {who['pid']}, {who['since']} by its clock)"


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        # A container may run as a number that has no name.
        return str(os.getuid())
