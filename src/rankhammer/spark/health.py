"""What went wrong on the way of a run that Spark cured by itself: tasks done again, executors that were lost."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rankhammer import spark

if TYPE_CHECKING:
    from collections.abc import Iterator

WARN_RATE = 0.01
"""Share of failed tasks above which a run warns: below it, a large cluster is having an ordinary day."""
_MS_AN_HOUR = 3_600_000
_ORDINARY = ("idle", "decommission", "stopped")
"""What Spark says of executors that it gave back itself."""


@dataclass(frozen=True)
class Health:
    """Counts of one session, from Spark's own listener; nothing is run for them.

    Args:
        n_tasks: Tasks that ended, one way or the other.
        n_failed_tasks: Of them, those that failed and were done again.
        core_hours: Cores of all executors times the hours for which they were held, idle ones included.
        lost_executors: Why each executor that nobody gave back was lost, in the words of Spark and YARN.
    """

    n_tasks: int = 0
    n_failed_tasks: int = 0
    lost_executors: tuple[str, ...] = ()
    core_hours: float = 0.0

    @property
    def failure_rate(self) -> float:
        """Share of tasks that failed, 0..1."""
        return self.n_failed_tasks / self.n_tasks if self.n_tasks else 0.0

    @property
    def warning(self) -> str:
        """A sentence where somebody should look at the cluster; empty where all is well."""
        losses = []
        if self.failure_rate > WARN_RATE:
            losses.append(f"{self.n_failed_tasks} of {self.n_tasks} tasks failed and were done again")
        if self.lost_executors:
            losses.append(f"{len(self.lost_executors)} executors were lost ({self.lost_executors[0]})")
        return "; ".join(losses)


def read_health() -> Health:
    """Return the counts of the session that is open; nothing where none is."""
    active = spark.active_session()
    if active is None:
        return Health()
    rows = list(_executors(active.sparkContext._jsc.sc().statusStore().executorList(False)))
    return Health(
        n_tasks=sum(n_tasks for n_tasks, _, _, _ in rows),
        n_failed_tasks=sum(n_failed for _, n_failed, _, _ in rows),
        lost_executors=tuple(lost for _, _, lost, _ in rows if lost),
        core_hours=sum(core_ms for _, _, _, core_ms in rows) / _MS_AN_HOUR,
    )


def _executors(found: object) -> Iterator[tuple[int, int, str, int]]:
    """Yield (tasks, failed tasks, why it was lost, cores times ms) of each executor; a Scala sequence comes in."""
    now = time.time() * 1000
    for number in range(found.size()):  # type: ignore[attr-defined]
        executor = found.apply(number)  # type: ignore[attr-defined]
        reason_given = executor.removeReason()
        reason = (
            " ".join(str(reason_given.get()).split()) if reason_given.isDefined() and not executor.isActive() else ""
        )
        is_ordinary = any(word in reason.lower() for word in _ORDINARY)
        ended, removed = now, executor.removeTime()
        if removed.isDefined():
            ended = removed.get().getTime()
        core_ms = executor.totalCores() * max(0, int(ended - executor.addTime().getTime()))
        yield executor.totalTasks(), executor.failedTasks(), "" if is_ordinary else reason[:200], core_ms
