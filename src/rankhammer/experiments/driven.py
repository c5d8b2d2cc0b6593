"""What runs in YARN as the driver of a group; of a detached experiment the first group's driver also keeps it alive."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from rankhammer import spark
from rankhammer.exit_codes import DONE, FAILURE
from rankhammer.experiments import folder as states
from rankhammer.experiments.folder import ExperimentFolder
from rankhammer.experiments.group import GroupDriver, GroupTask
from rankhammer.experiments.lease import Lease
from rankhammer.experiments.runners import SparkRunner

if TYPE_CHECKING:
    from rankhammer.experiments.roles import Experiment

DETACHED = "detached.json"
_LOOK_S = 2.0


def drive_group(path: str, task: GroupTask) -> int:
    """Drive a group in the application that spark-submit has started.

    Args:
        path: URI of the experiment's folder.
        task: Which group.

    Returns:
        Exit code: 0 where all its instances ended well, else 1.
    """
    spark.configure(dict)
    folder = ExperimentFolder(path)
    spec = folder.spec()
    is_keeper = folder.read(DETACHED) is not None and task.role == next(iter(spec.training))
    lease = Lease(folder, task.role) if is_keeper else None
    status = GroupDriver(folder, task, SparkRunner(spark.session())).drive()
    if lease is not None:
        _see_to_the_end(folder, spec, task.attempt)
        lease.close()
    return DONE if status.state == states.DONE else FAILURE


def _see_to_the_end(folder: ExperimentFolder, spec: Experiment, attempt: int) -> None:
    """Wait for the other groups of a detached experiment, and write how it ended."""
    failed = _wait(folder, list(spec.training), attempt, spec.time_limit_s)
    if not failed:
        folder.write("training_ended.json", {})
        failed = _wait(folder, list(spec.beside), attempt, spec.idle_limit_s + 60)
    message = f"{', '.join(failed)} failed" if failed else "done"
    folder.write("outcome.json", {"code": FAILURE if failed else DONE, "message": message})


def _wait(folder: ExperimentFolder, names: list[str], attempt: int, limit_s: float) -> list[str]:
    """Wait until groups have ended; return those that did not end well."""
    until = time.monotonic() + limit_s
    while True:
        found = {name: folder.group(attempt, name) for name in names}
        over = [name for name, group in found.items() if group and group.state in (states.DONE, states.FAILED)]
        has_failed = any(group is not None and group.state == states.FAILED for group in found.values())
        if len(over) == len(names) or has_failed or time.monotonic() > until:
            return [name for name, group in found.items() if group is None or group.state != states.DONE]
        time.sleep(_LOOK_S)
