"""Two ways to start instances: as tasks of Spark that start all at once, or as processes of this machine."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from rankhammer.experiments.instance import run_instance

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pyspark.sql import SparkSession

    from rankhammer.experiments.instance import Assignment


class SparkRunner:
    """Runs each instance in an executor of its own, all in one barrier stage."""

    def __init__(self, session: SparkSession) -> None:
        """Start nothing yet.

        Args:
            session: With one task slot an executor.
        """
        self._context = session.sparkContext
        self.host = str(session.conf.get("spark.driver.host"))

    def run(self, assignments: Sequence[Assignment]) -> None:
        """See `Runner`."""
        table = self._context.parallelize(assignments, len(assignments))
        # The action is the experiment: it ends when its instances have ended.
        table.barrier().mapPartitions(_run_one).collect()

    def cancel(self) -> None:
        """See `Runner`."""
        self._context.cancelAllJobs()


def _run_one(assignments: Iterable[Assignment]) -> Iterable[int]:
    for assignment in assignments:
        run_instance(assignment)
        yield assignment.index


class LocalRunner:
    """Runs each instance in a thread, which starts a process."""

    host = "127.0.0.1"

    def run(self, assignments: Sequence[Assignment]) -> None:
        """See `Runner`."""
        failures: list[Exception] = []
        threads = [
            threading.Thread(target=_keep, args=(one, failures), name=one.name, daemon=True) for one in assignments
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if failures:
            raise failures[0]

    def cancel(self) -> None:
        """See `Runner`: instances hear of it at their next heartbeat, and nothing of this machine is lost to us."""


def _keep(assignment: Assignment, failures: list[Any]) -> None:
    try:
        run_instance(assignment)
    except Exception as exc:  # noqa: BLE001 - raised by whoever waits for the thread
        failures.append(exc)
