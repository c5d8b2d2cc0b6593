"""Logs and the end of experiments that were started by somebody else, or by a terminal that is gone."""

from __future__ import annotations

import time
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING

from rankhammer import spark
from rankhammer.errors import DataError
from rankhammer.exit_codes import INTERRUPTED
from rankhammer.experiments import table
from rankhammer.yarn import app_monitor
from rankhammer.yarn.app_monitor import Container, Progress
from rankhammer.yarn.resource_manager import ResourceManager
from rankhammer.yarn.submitter import YarnClient

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from rankhammer.experiments.folder import ExperimentFolder

_ENDS_WITHIN_S = 30.0


def ends(
    folder: ExperimentFolder, *, role: str | None, instance: int | None, n_lines: int
) -> Iterator[tuple[str, list[str]]]:
    """Yield (instance, last lines of its log).

    Args:
        folder: Of the experiment.
        role: Of this role alone; None for all.
        instance: Of this instance alone; None for all.
        n_lines: An instance.

    Raises:
        DataError: There is no such instance.
    """
    found = table.status(folder)
    rows = [row for row in found["instances"] if role in (None, row["role"]) and instance in (None, row["instance"])]
    if found["instances"] and not rows:
        there = ", ".join(f"{row['role']} {row['instance']}" for row in found["instances"][:20])
        asked = " ".join(str(one) for one in (role, instance) if one is not None)
        raise DataError(f"{found['experiment']} has no instance {asked}.", hint=f"It has {there}.")
    for row in rows:
        application = found["applications"].get(row["role"], "")
        yield f"{row['role']} {row['instance']}: {row['log']}", _tail(row, application, n_lines)


def _tail(row: Mapping[str, Any], application: str, n_lines: int) -> list[str]:
    if not row["container"]:
        file = Path(row["log"])
        if not row["log"] or not file.is_file():
            return []
        with file.open(errors="replace") as opened:
            return [line.rstrip("\n") for line in deque(opened, n_lines)]
    known = ResourceManager().application(application)
    if known["state"] not in app_monitor.ENDED:
        return ["It runs: its log is at the address above, and here once it has ended."]
    progress = Progress(application, user=str(known["user"]))
    container = Container(row["container"], row["node_id"], row["role"], row["state"], 0.0, row["log"])
    return app_monitor.tail(YarnClient(*spark.hadoop()).log(progress, container), n_lines)


def kill(folder: ExperimentFolder) -> Iterator[str]:
    """End an experiment; yields a line for each step.

    Args:
        folder: Of the experiment.
    """
    found = table.status(folder)
    if found["message"]:
        yield f"It has ended already: {found['message']}"
        return
    folder.write("outcome.json", {"code": INTERRUPTED, "message": "killed"})
    folder.end_attempt(max(1, found["attempt"]), "killed", is_final=True)
    if not found["applications"]:
        yield "Its groups end within seconds."
        return
    yield from _await_applications(found["applications"])


def _await_applications(applications: Mapping[str, str]) -> Iterator[str]:
    manager, left = ResourceManager(), dict(applications)
    until = time.monotonic() + _ENDS_WITHIN_S
    while left and time.monotonic() < until:
        left = {n: a for n, a in left.items() if manager.application(a)["state"] not in app_monitor.ENDED}
        time.sleep(0.5 if left else 0)
    for name, application in applications.items():
        if name in left:
            YarnClient(*spark.hadoop()).kill(application)
        yield f"{name}: {application} {'is killed' if name in left else 'has ended'}"
