"""A lock on a folder of outputs: one run at a time writes there, on whichever host it is.

    <folder>/.lock/000007.json    who took it, or that it was given back; the highest number counts
    <folder>/.lock/<token>.beat   rewritten by its holder now and then: a heartbeat

A holder knows its entry by its token, not by its number: whoever deletes the folder lets numbers begin at 1 again. A
holder whose entry is gone writes it again; on the same machine a lock of the kernel keeps others out until then.

How old a heartbeat is, is the difference of two times of the filesystem itself: clocks of hosts may differ.
"""

from __future__ import annotations

import fcntl
import logging
import os
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from rankhammer import processes
from rankhammer.errors import ClusterError
from rankhammer.storage.append_log import AppendOnlyLog
from rankhammer.storage.base import storage_for

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from rankhammer.storage.append_log import Entry


class FolderGuard:
    """The lock of one folder; on filesystems without such locks, and on those of a cluster, nothing is held.

    Args:
        folder: A local path or URI.
    """

    def __init__(self, folder: str) -> None:
        scheme = urlsplit(folder).scheme if "://" in folder else ""
        path = unquote(urlsplit(folder).path) if scheme == "file" else folder
        self._path = path if scheme in ("", "file") else ""
        self._opened: int | None = None

    def take(self) -> bool:
        """Take the lock; False only where another holder is alive."""
        if not self._path or self._opened is not None:
            return True
        try:
            opened = os.open(self._path, os.O_RDONLY)
        except OSError:
            return True
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(opened)
            return False
        except OSError:
            os.close(opened)
            return True
        self._opened = opened
        return True

    def free(self) -> None:
        """Give the lock back; nothing happens where it is not held."""
        opened, self._opened = self._opened, None
        if opened is not None:
            with suppress(OSError):
                os.close(opened)


LOCK = ".lock"
_WATCHED = 2
"""Heartbeats for which a holder is watched whose last heartbeat is dated in the future."""
_RELEASED = "released"
logger = logging.getLogger(__name__)


class OutputLock:
    """The lock of one folder.

    Args:
        folder: A local path or URI.
        heartbeat_s: Seconds between two heartbeats.
        expires_s: Seconds without a heartbeat after which another run may take over; several heartbeats.
        run: Id of the run that wants it.
    """

    def __init__(self, folder: str, *, heartbeat_s: float, expires_s: float, run: str | None = None) -> None:
        self._folder, self._root = folder, f"{folder.rstrip('/')}/{LOCK}"
        self._storage = storage_for(folder)
        self._holders, self._guard = AppendOnlyLog(self._storage, self._root), FolderGuard(folder)
        self._heartbeat_s, self._expires_s = heartbeat_s, expires_s
        process = {"machine": _machine(), "started": processes.started(os.getpid()), "heartbeat_s": heartbeat_s}
        self._me = {**processes.this_process(run), **process}
        self._number, self._before = 0, dict[str, Any]()
        self._over, self._writing = threading.Event(), threading.Lock()

    def acquire(self) -> None:
        """Take the lock, and show heartbeats until it is given back.

        Raises:
            ClusterError: Another run holds it.
        """
        newest = self._holders.newest()
        why = self._why_free(newest)
        if why == _RELEASED and not self._guard.take():
            raise self._refused()
        # Before the file is there: what interrupts this from now on gives the lock back.
        self._number, self._before = newest.number + 1, dict(newest.content)
        if not why or not self._holders.append(self._me, after=newest.number):
            self._number = 0
            self._guard.free()
            raise self._refused()
        if why != _RELEASED:
            self._guard.take()
            logger.warning("Took over %s from %s: %s.", self._folder, _describe(newest), why)
        self._tidy()
        self._over.clear()
        threading.Thread(target=self._beat, name="output-lock", daemon=True).start()

    def release(self) -> None:
        """Give the lock back; nothing happens where it is not held any more."""
        if not self._number:
            return
        self._over.set()
        with self._writing:
            number, self._number = self._number, 0
        # First: who finds the lock given back may take it at once.
        self._guard.free()
        if self._storage.exists(self._holders.path(number)) and self._is_mine(self._holders.read(number)):
            self._holders.append({"released_by": self._me}, after=number)
        self._storage.delete(self._beat_path())

    def require_held(self) -> None:
        """Stop before something is written by a run that was taken for dead; an entry that is gone is written again.

        Raises:
            ClusterError: Another run has taken over.
        """
        taker = self._taker()
        if taker is not None:
            with self._writing:
                self._number = 0
            self._over.set()
            raise ClusterError(
                f"{self._folder}: {_describe(taker)} took over, because this run sent no heartbeat for "
                f"{self._expires_s:g} s, or its entry in {self._root} was removed.",
                hint="Let the other run end; then start this one again with --only-missing-outputs.",
            )

    def _taker(self) -> Entry | None:
        """Return the entry of another run that holds the lock, or has held it since; None: it is this run's."""
        with self._writing:
            newest = self._holders.newest() if self._number else None
            if newest is None or self._is_mine(newest):
                return None
            is_removed = not newest.content or newest.content == self._before
            if is_removed and self._holders.append(self._me, after=newest.number):
                self._number = newest.number + 1
                logger.warning("This run's entry in %s was removed; it is written again.", self._root)
                return None
            return self._holders.newest() if is_removed else newest

    def _is_mine(self, entry: Entry) -> bool:
        return bool(entry.content.get("token") == self._me["token"])

    def _why_free(self, newest: Entry) -> str:
        """Say why the lock can be taken, or nothing while its holder may be alive."""
        if "token" not in newest.content and not newest.fault:
            return _RELEASED
        is_here = newest.content.get("machine") == self._me["machine"]
        if is_here and not _is_alive(newest.content):
            return "its process is gone"
        silent_s = self._silent_s(newest)
        if silent_s < -self._expires_s:
            # Its clock, or ours, was set back: how long ago that was, no difference of times can tell.
            return "" if is_here else self._why_silent(newest)
        return f"no heartbeat for {silent_s:.0f} s" if silent_s > self._expires_s else ""

    def _why_silent(self, newest: Entry) -> str:
        """Watch a holder on another machine for a heartbeat."""
        heartbeat_s, paths = newest.content.get("heartbeat_s"), self._signs(newest)
        wait_s = _WATCHED * (heartbeat_s if isinstance(heartbeat_s, int | float) else self._heartbeat_s)
        before, deadline = self._last(paths), time.monotonic() + wait_s
        logger.warning("The last heartbeat of %s is dated in the future; watching for %g s.", _describe(newest), wait_s)
        while time.monotonic() < deadline:
            time.sleep(min(1.0, wait_s / 10))
            if self._last(paths) != before:
                return ""
        return f"no heartbeat for {wait_s:g} s, and the last one is dated in the future"

    def _silent_s(self, entry: Entry) -> float:
        """Return the age of the last heartbeat; negative where it is dated in the future."""
        last = self._last(self._signs(entry))
        probe = f"{self._root}/.now-{self._me['token']}"
        self._storage.write(probe, b"")
        now = self._storage.changed_at(probe)
        self._storage.delete(probe)
        return now - last

    def _signs(self, entry: Entry) -> tuple[str, ...]:
        """Return the files whose times are heartbeats; all, where the holder's entry cannot be read."""
        if entry.fault:
            return (self._root,)
        # Up to 0.1 a holder's second file had the number of its first.
        numbered = f"{self._root}/{entry.number:06d}.beat"
        return (self._holders.path(entry.number), self._beat_path(str(entry.content.get("token"))), numbered)

    def _last(self, paths: Iterable[str]) -> float:
        return max((self._storage.changed_at(path) for path in paths if self._storage.exists(path)), default=0.0)

    def _refused(self) -> ClusterError:
        holder = self._holders.newest()
        hint = f"Wait for it or end it. A run without a heartbeat for {self._expires_s:g} s is taken over."
        if holder.fault:
            path = self._holders.path(holder.number)
            return ClusterError(
                f"Another run may be writing to {self._folder}: {path} {holder.fault}.",
                hint=f"See that none is at work there; then: rm {path}",
                path=path,
            )
        if "token" not in holder.content:
            message = f"a run on this machine, whose entry in {self._root} was removed"
            return ClusterError(f"Another run is writing to {self._folder}: {message}.", hint=hint)
        silent_s = max(0.0, self._silent_s(holder))
        return ClusterError(
            f"Another run is writing to {self._folder}: {_describe(holder)}; last heartbeat {silent_s:.0f} s ago.",
            hint=hint,
            holder=dict(holder.content),
        )

    def _beat_path(self, token: str | None = None) -> str:
        return f"{self._root}/{token or self._me['token']}.beat"

    def _tidy(self) -> None:
        """Delete what earlier holders have left, those that were killed, too."""
        self._holders.prune(1)
        now = self._storage.changed_at(self._holders.path(self._number))
        earlier = f"{self._before.get('token')}.beat"
        for name in filter(_is_passing, sorted(self._storage.listing(self._root))):
            # A young one may be another run's that is asking for the lock just now.
            age_s = now - self._storage.changed_at(f"{self._root}/{name}")
            if name == earlier or abs(age_s) > self._expires_s:
                self._storage.delete(f"{self._root}/{name}")

    def _beat(self) -> None:
        from py4j.protocol import Py4JError

        while not self._over.wait(self._heartbeat_s):
            try:
                self._storage.write(self._beat_path(), b"")
                self._taker()
            except (OSError, Py4JError):
                # The filesystem may be back for the next one; until then nobody else can take over, either.
                logger.debug("No heartbeat could be sent", exc_info=True)
        with suppress(OSError, Py4JError):
            # The last one may have been given after the lock was.
            self._storage.delete(self._beat_path())


def _is_passing(name: str) -> bool:
    """Say whether a file of the lock's folder is no entry: a heartbeat, or what was not finished."""
    return name.startswith(".") or name.endswith(".beat")


def _describe(entry: Entry) -> str:
    who: dict[str, Any] = dict(entry.content.get("released_by", entry.content))
    return processes.describe(who)


def _machine() -> str:
    """Tell machines, their restarts and their containers apart: only within one of them does a pid mean something."""
    boot, namespace = Path("/proc/sys/kernel/random/boot_id"), Path("/proc/self/ns/pid")
    known = f"{boot.read_text().strip()} {namespace.readlink()}" if boot.exists() and namespace.exists() else ""
    return f"{os.uname().nodename} {known}"


def _is_alive(who: Mapping[str, Any]) -> bool:
    pid = who.get("pid")
    return isinstance(pid, int) and processes.is_alive(pid, str(who.get("started") or ""))
