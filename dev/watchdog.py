"""Ends what a process has started, however that process ended. Needs psutil.

    python dev/watchdog.py PID MARK [PATIENCE_S]

It waits until the process is gone, and ends all that carry the mark in their environment (RANKHAMMER_ENDS_WITH): they
inherit it from whom they were started by, so a server in a session of its own, or a container of YARN, is found, too.
Tests start one each run (tests/support/pytest_plugins/leftovers.py), `.ci/run` another; `make cluster-up` sets no
mark, so its servers outlive it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from psutil import Process

NAME = "RANKHAMMER_ENDS_WITH"
LOOK_S = 0.5
PATIENCE_S = 15
"""From asking to forcing: a JVM that ends may be writing its archive of classes."""

_started: list[subprocess.Popen[bytes]] = []


def start(patience_s: float = PATIENCE_S) -> str:
    """Mark what this process starts from now on, and see to it that all of it ends with this process.

    Args:
        patience_s: From asking each to end to forcing it.

    Returns:
        The mark.
    """
    mark = f"{os.getpid()}-{time.time_ns()}"
    # Without a mark of its own: whoever ends this process must not end its watchdog.
    unmarked = {name: value for name, value in os.environ.items() if name != NAME}
    nothing = subprocess.DEVNULL
    command = [sys.executable, __file__, str(os.getpid()), mark, str(patience_s)]
    # In a session of its own, because a signal to the parent's group must not end it, either.
    watchdog = subprocess.Popen(
        command, env=unmarked, stdin=nothing, stdout=nothing, stderr=nothing, start_new_session=True
    )
    _started.append(watchdog)
    os.environ[NAME] = mark
    return mark


def inherited() -> dict[str, str]:
    """Return the mark for the environment of a process that gets few other variables; empty when there is none."""
    return {NAME: os.environ[NAME]} if NAME in os.environ else {}


def carriers(mark: str) -> list[Process]:
    """Return the processes that carry a mark, but for this one."""
    import psutil

    found = psutil.process_iter(["environ"])
    return [one for one in found if (one.info["environ"] or {}).get(NAME) == mark and one.pid != os.getpid()]


def end(mark: str, patience_s: float = PATIENCE_S) -> None:
    """End all that carry a mark: they are asked first, and forced when that takes too long."""
    for how in (signal.SIGTERM, signal.SIGKILL):
        deadline, on_progress = time.monotonic() + patience_s, set()
        # Looked for again and again: until it is gone, each may start another one.
        while (left := carriers(mark)) and time.monotonic() < deadline:
            for one in {*left} - on_progress:
                _send(one, how)
            on_progress |= {*left}
            time.sleep(0.1)


def _send(process: Process, how: signal.Signals) -> None:
    import psutil

    with contextlib.suppress(psutil.Error):
        process.send_signal(how)


def wait_for_end(pid: int) -> None:
    """Wait until a process is gone, or is dead and only not yet asked for by its parent."""
    import psutil

    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
            time.sleep(LOOK_S)


def main() -> None:
    """Read the command line."""
    with contextlib.suppress(PermissionError):
        os.setsid()
    wait_for_end(int(sys.argv[1]))
    end(sys.argv[2], *map(float, sys.argv[3:]))


if __name__ == "__main__":
    main()
