"""Who keeps an experiment alive: whoever submitted it writes a number every few seconds, and its groups end without."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from rankhammer.experiments.folder import STORAGE_ERRORS

if TYPE_CHECKING:
    from rankhammer.experiments.folder import ExperimentFolder

RENEWED_S = 5.0
EXPIRES_S = 40.0
"""A group that has seen no new number for so long ends: within a minute, with the time that ending takes."""
FILE = "lease.json"


class Lease:
    """Renews the lease until it is closed."""

    def __init__(self, folder: ExperimentFolder, holder: str) -> None:
        """Write the first number, and go on in the background.

        Args:
            folder: Of the experiment.
            holder: Who keeps it alive.
        """
        self._folder, self._holder, self._n = folder, holder, 0
        self._end = threading.Event()
        self._renew()
        self._thread = threading.Thread(target=self._keep, name="lease", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Renew it no more."""
        self._end.set()
        self._thread.join(RENEWED_S)

    def _keep(self) -> None:
        while not self._end.wait(RENEWED_S):
            try:
                self._renew()
            except STORAGE_ERRORS:
                # It may be back at the next turn.
                continue

    def _renew(self) -> None:
        self._n += 1
        self._folder.write(FILE, {"holder": self._holder, "number": self._n})


class LeaseWatch:
    """Sees whether a lease is renewed, by the watcher's own clock: clocks of two machines are never compared."""

    def __init__(self, folder: ExperimentFolder) -> None:
        """Count from now."""
        self._folder = folder
        self._last: object = None
        self._changed = time.monotonic()

    def why_ended(self) -> str:
        """Look, and return why the group has to end; empty while it has not to."""
        found = self._folder.read(FILE)
        if found != self._last:
            self._last, self._changed = found, time.monotonic()
        return self.why_unreadable()

    def why_unreadable(self) -> str:
        """Return why the group has to end, by what was seen last."""
        silent = time.monotonic() - self._changed
        return f"whoever submitted this has been gone for {silent:.0f} s" if silent > EXPIRES_S else ""
