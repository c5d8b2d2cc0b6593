"""A lock on a folder of outputs: one run at a time writes there, on whichever host it is.

    <folder>/.lock/000007.json    who took it, or that it was given back; the highest number counts
    <folder>/.lock/000007.beat    rewritten by its holder now and then: a sign of life

How old a sign of life is, is the difference of two times of the filesystem itself: clocks of hosts may differ.
"""

from __future__ import annotations

import logging
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rankhammer import whoami
from rankhammer.errors import ClusterError
from rankhammer.numbered import NumberedFiles
from rankhammer.storage import storage_for

if TYPE_CHECKING:
    from rankhammer.numbered import Entry

LOCK = ".lock"
logger = logging.getLogger(__name__)


class OutputLock:
    """The lock of one folder.

    Args:
        folder: A local path or URI.
        heartbeat_s: Seconds between two signs of life.
        expires_s: Seconds without a sign of life after which another run may take over; several heartbeats.
        run: Id of the run that wants it.
    """

    def __init__(self, folder: str, *, heartbeat_s: float, expires_s: float, run: str | None = None) -> None:
        self._folder, self._root = folder, f"{folder.rstrip('/')}/{LOCK}"
        self._storage = storage_for(folder)
        self._holders = NumberedFiles(self._storage, self._root)
        self._heartbeat_s, self._expires_s = heartbeat_s, expires_s
        self._me = {**whoami.myself(run), "machine": _machine()}
        self._number = 0
        self._over = threading.Event()

    def acquire(self) -> None:
        """Take the lock, and show signs of life until it is given back.

        Raises:
            ClusterError: Another run holds it.
        """
        newest = self._holders.newest()
        why = self._why_free(newest)
        # Before the file is there: what interrupts this from now on gives the lock back.
        self._number = newest.number + 1
        if not why or not self._holders.append(self._me, after=newest.number):
            self._number = 0
            raise self._refused()
        if newest.content.get("token") and why != "released":
            logger.warning("Took over %s from %s: %s.", self._folder, whoami.describe(newest.content), why)
        self._holders.prune(1)
        self._storage.delete(self._beat_path(newest.number))
        self._over.clear()
        threading.Thread(target=self._beat, name="output-lock", daemon=True).start()

    def release(self) -> None:
        """Give the lock back; nothing happens where it is not held any more."""
        if not self._number:
            return
        self._over.set()
        number, self._number = self._number, 0
        if self._storage.exists(self._holders.path(number)) and self._is_mine(number):
            self._holders.append({"released_by": self._me}, after=number)
            self._storage.delete(self._beat_path(number))

    def _is_mine(self, number: int) -> bool:
        return bool(self._holders.read(number).content.get("token") == self._me["token"])

    def require_held(self) -> None:
        """Stop before something is written by a run that was taken for dead.

        Raises:
            ClusterError: Another run has taken over.
        """
        if self._number and self._holders.numbers()[-1] != self._number:
            taker, self._number = self._holders.newest(), 0
            self._over.set()
            raise ClusterError(
                f"{self._folder}: {_describe(taker)} took over, because this run showed no sign of life for "
                f"{self._expires_s:g} s.",
                hint="Let the other run end; then start this one again with --only-missing-outputs.",
            )

    def _why_free(self, newest: Entry) -> str:
        """Say why the lock can be taken, or nothing while its holder may be alive."""
        if "token" not in newest.content:
            return "released"
        if newest.content["machine"] == self._me["machine"] and not _is_alive(newest.content["pid"]):
            return "its process is gone"
        silent_s = self._silent_s(newest.number)
        return f"no sign of life for {silent_s:.0f} s" if silent_s > self._expires_s else ""

    def _silent_s(self, number: int) -> float:
        probe = f"{self._root}/.now-{self._me['token']}"
        self._storage.write(probe, b"")
        now = self._storage.changed_at(probe)
        self._storage.delete(probe)
        paths = (self._holders.path(number), self._beat_path(number))
        last = max(self._storage.changed_at(path) for path in paths if self._storage.exists(path))
        # It may have been given after the probe was written.
        return max(0.0, now - last)

    def _refused(self) -> ClusterError:
        holder = self._holders.newest()
        silent = f"; last sign of life {self._silent_s(holder.number):.0f} s ago" if "token" in holder.content else ""
        return ClusterError(
            f"Another run is writing to {self._folder}: {_describe(holder)}{silent}.",
            hint=f"Wait for it or end it. A run without a sign of life for {self._expires_s:g} s is taken over.",
            holder=dict(holder.content),
        )

    def _beat_path(self, number: int) -> str:
        return f"{self._root}/{number:06d}.beat"

    def _beat(self) -> None:
        from py4j.protocol import Py4JError

        path = self._beat_path(self._number)
        while not self._over.wait(self._heartbeat_s):
            try:
                self._storage.write(path, b"")
            except (OSError, Py4JError):
                # The filesystem may be back for the next one; until then nobody else can take over, either.
                logger.debug("No sign of life could be given", exc_info=True)


def _describe(entry: Entry) -> str:
    who: dict[str, Any] = dict(entry.content.get("released_by", entry.content))
    return whoami.describe(who)


def _machine() -> str:
    """Tell machines, their restarts and their containers apart: only within one of them does a pid mean something."""
    boot, namespace = Path("/proc/sys/kernel/random/boot_id"), Path("/proc/self/ns/pid")
    known = f"{boot.read_text().strip()} {namespace.readlink()}" if boot.exists() and namespace.exists() else ""
    return f"{os.uname().nodename} {known}"


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
