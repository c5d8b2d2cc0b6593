"""The instances of an experiment as a table, for a terminal, a log or a program."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from rankhammer.experiments import folder as states
from rankhammer.experiments.lease import EXPIRES_S
from rankhammer.experiments.lease import FILE as LEASE_FILE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rankhammer.experiments.folder import ExperimentFolder, GroupStatus

COLUMNS = ("role", "instance", "state", "seconds", "node", "container", "log")


def rows(groups: Mapping[str, GroupStatus]) -> list[dict[str, Any]]:
    """Return one row an instance, in the order of roles.

    Args:
        groups: State of each role.
    """
    return [row for name, group in groups.items() for row in _rows(name, group)]


def _rows(name: str, group: GroupStatus) -> Iterator[dict[str, Any]]:
    for instance in group.instances:
        ended = instance.ended or time.time()
        yield {
            "role": name,
            "instance": instance.index,
            "state": instance.state,
            "seconds": round(ended - instance.started) if instance.started else 0,
            "node": instance.host,
            "container": instance.container,
            "node_id": instance.node_id,
            "log": instance.log,
            "message": instance.message,
        }


def lines(found: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return rows as aligned text, with a heading."""
    cells = [COLUMNS, *(tuple(str(row[column]) for column in COLUMNS) for row in found)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(COLUMNS))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]


def status(folder: ExperimentFolder) -> dict[str, Any]:
    """Read the state of an experiment from its folder.

    Returns:
        attempt, state (running, done, failed, lost), message, applications by role, and a row an instance.

    Raises:
        DataError: Here is no experiment.
    """
    spec, attempt = folder.spec(), folder.newest_attempt()
    groups = {
        name: group
        for name in spec.roles
        if (group := folder.group(attempt if name in spec.training else 1, name)) is not None
    }
    outcome = folder.read("outcome.json")
    submitted = {name: found["application"] for name in spec.roles if (found := folder.read(f"submitted/{name}.json"))}
    lost = "" if outcome else _why_lost(folder)
    state = states.DONE if outcome and outcome["code"] == 0 else states.FAILED if outcome else states.RUNNING
    shown = rows(groups)
    for row in shown if lost or outcome else ():
        # Its driver was killed, and nobody was left to write that it has ended.
        row["state"] = row["state"] if row["state"] in states.OVER else states.LOST
    return {
        "experiment": folder.path.rsplit("/", 1)[-1],
        "folder": folder.path,
        "function": spec.function,
        "state": states.LOST if lost else state,
        "attempt": attempt,
        "message": outcome["message"] if outcome else lost,
        "applications": {name: found for name, found in submitted.items() if found},
        "instances": shown,
    }


def _why_lost(folder: ExperimentFolder) -> str:
    """Say why an experiment without an outcome runs no more; empty where somebody keeps it alive, or nobody has yet."""
    renewed = folder.storage.changed_at(f"{folder.path}/{LEASE_FILE}")
    silent = time.time() - renewed
    # The storage's clock may be another one: twice the time after which groups end.
    if not renewed or silent < 2 * EXPIRES_S:
        return ""
    return f"nobody has kept it alive for {silent:.0f} s: whoever submitted it was killed, and it has ended"
