"""The process that copies results of a cluster, and keeps the one that serves them."""

from __future__ import annotations

import logging
import signal
import subprocess
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rankhammer.dashboard import server
from rankhammer.errors import RankhammerError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rankhammer.dashboard.mirror import Mirror
    from rankhammer.dashboard.server import Served

logger = logging.getLogger(__name__)
_ENDS_WITHIN_S = 10


def keep(mirror: Mirror, settings: Served, copied: Path, *, every_s: float) -> int:
    """Copy, serve, and copy again until the server ends or this process is settings to.

    Args:
        mirror: What is copied, and whereto.
        settings: For the process that serves.
        copied: File that is touched at each copy.
        every_s: Seconds between copies.

    Returns:
        The server's exit code.

    Raises:
        RankhammerError: The first copy failed.
    """
    mirror.copy()
    copied.touch()
    with _serving(settings) as serving:
        while serving.poll() is None:
            _wait(serving, every_s)
            if serving.poll() is None:
                _copy_again(mirror, copied)
        return serving.returncode


def _wait(serving: subprocess.Popen[bytes], seconds: float) -> None:
    try:
        serving.wait(seconds)
    except subprocess.TimeoutExpired:
        return


def _copy_again(mirror: Mirror, copied: Path) -> None:
    """Copy; a storage that does not answer leaves the copies, and pages say how old they are."""
    from py4j.protocol import Py4JError

    try:
        mirror.copy()
        copied.touch()
    except (OSError, Py4JError, RankhammerError) as exc:
        logger.warning("Results could not be copied: %s", str(exc).partition("\n")[0])


@contextmanager
def _serving(settings: Served) -> Iterator[subprocess.Popen[bytes]]:
    command = server.start(settings)
    descriptor = int(command[-1])
    serving = subprocess.Popen(command, env=server.surroundings(), pass_fds=[descriptor])
    before = signal.signal(signal.SIGTERM, lambda *_: serving.terminate())
    try:
        yield serving
    finally:
        signal.signal(signal.SIGTERM, before)
        serving.terminate()
        with_deadline = time.monotonic() + _ENDS_WITHIN_S
        while serving.poll() is None and time.monotonic() < with_deadline:
            _wait(serving, 0.2)
        serving.kill()
        serving.wait()
