"""Ids of runs, and which run's hand-offs a run starts from.

Where runs have ids, each has a folder of its own. `collect` makes a new one; `train` continues in the one that
collected last. A run is found by the hand-offs that are finished in it, so an interrupted one is never taken.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import uuid4

from rankhammer.errors import ClusterError, ConfigError, DataError, did_you_mean
from rankhammer.storage.base import split_scheme, storage_for
from rankhammer.storage.lock import LOCK, OutputLock

if TYPE_CHECKING:
    from collections.abc import Sequence

ANY = "*"
"""Stands for a run's id in a path that is a pattern for those of all runs."""
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True)
class FinishedRun:
    """A run in which certain hand-offs are finished.

    Args:
        run: Its id.
        finished_at: When the last of them was, in seconds by the filesystem's clock.
    """

    run: str
    finished_at: float

    def __str__(self) -> str:
        at = datetime.fromtimestamp(self.finished_at, UTC)
        return f"{self.run}, finished {at:%Y-%m-%d %H:%M} UTC"


def new_id() -> str:
    """Make an id: the time, so that ids sort, and four digits for two runs of one second."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{uuid4().hex[:4]}"


def check_id(run: object) -> str:
    """Return an id that somebody gave, as text.

    Args:
        run: What was given; the command line turns digits into numbers.

    Raises:
        ConfigError: It cannot be the name of a folder.
    """
    text = str(run)
    if not _ID.fullmatch(text):
        raise ConfigError(
            f"{text!r} cannot be the id of a run.", hint="Use letters, digits, dot, hyphen and underscore.", run=text
        )
    return text


def finished(markers: Sequence[str]) -> list[FinishedRun]:
    """Find the runs in which hand-offs are finished, the latest first.

    Args:
        markers: Path of each hand-off's marker, with `ANY` for the run's id.
    """
    times: dict[str, list[float]] = {}
    for marker in markers:
        storage, place = storage_for(marker), _pattern(marker)
        for path in storage.glob(marker):
            found = place.fullmatch(split_scheme(path)[1])
            if found:
                times.setdefault(found["run"], []).append(storage.changed_at(path))
    complete = [FinishedRun(run, max(at)) for run, at in times.items() if len(at) == len(markers)]
    return sorted(complete, key=lambda one: (one.finished_at, one.run), reverse=True)


def newest(markers: Sequence[str], names: Sequence[str]) -> tuple[FinishedRun, int]:
    """Choose the run to go on with.

    Args:
        markers: See `finished`.
        names: Of the hand-offs, for the message.

    Returns:
        The run in which they were finished last, and how many runs there are with all of them.

    Raises:
        DataError: There is none.
    """
    found = finished(markers)
    if not found:
        raise DataError(
            f"No run has finished {', '.join(names)}; looked for {', '.join(markers)}.",
            hint="Run `kedro run --pipeline=collect` in this environment first, or name a run: --params run=<id>.",
        )
    return found[0], len(found)


def require_finished(run: str, markers: Sequence[str], names: Sequence[str]) -> None:
    """Refuse a run that somebody named, before anything is written into its folder.

    Args:
        run: Its id.
        markers: See `finished`.
        names: Of the hand-offs, for the message.

    Raises:
        DataError: A hand-off is not finished in it.
    """
    known = [one.run for one in finished(markers)]
    if run not in known:
        raise DataError(
            f"Run {run!r} has not finished {', '.join(names)}.", hint=did_you_mean(run, known), run=run, known=known
        )


def tidy(folder: str, markers: Sequence[str], *, keep: int, current: str, expires_s: float) -> list[str]:
    """Delete old runs, but none that somebody works on.

    Args:
        folder: Has a folder for each run.
        markers: What makes a run complete; see `finished`.
        keep: Complete runs that stay. Incomplete ones go when they are older than all of these.
        current: A run that stays in any case.
        expires_s: As for `OutputLock`.

    Returns:
        Ids of the deleted runs.
    """
    storage = storage_for(folder)
    complete = finished(markers)
    kept = {current, *(one.run for one in complete[:keep])}
    if len(complete) < keep:
        return []
    oldest = complete[keep - 1].finished_at
    paths = {path.rstrip("/").rpartition("/")[2]: path for path in storage.glob(f"{folder}/{ANY}")}
    # A run that has just been begun has no file yet but its lock's.
    old = [run for run in sorted(paths.keys() - kept) if storage.changed_at(paths[run]) < oldest]
    return [run for run in old if _delete(f"{folder}/{run}", expires_s)]


def _delete(folder: str, expires_s: float) -> bool:
    """Delete a run's folder under its lock, the lock last."""
    storage = storage_for(folder)
    lock = OutputLock(folder, heartbeat_s=expires_s, expires_s=expires_s)
    try:
        lock.acquire()
    except ClusterError:
        return False
    for path in storage.glob(f"{folder}/{ANY}"):
        if not path.endswith(f"/{LOCK}"):
            storage.delete(path)
    lock.release()
    storage.delete(folder)
    return True


def _pattern(marker: str) -> re.Pattern[str]:
    """Turn a marker's path into an expression that finds the id; a path may name the run twice."""
    parts = re.escape(split_scheme(marker)[1]).split(re.escape(ANY))
    return re.compile(parts[0] + "(?P<run>[^/]+)" + "(?P=run)".join(parts[1:]))
