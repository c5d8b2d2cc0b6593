"""The process of one instance: waits until all have come, then calls the experiment's function."""

from __future__ import annotations

import os
import socket
import sys
import time
import traceback
from typing import TYPE_CHECKING

from rankhammer.errors import ConfigError, RankhammerError
from rankhammer.experiments import functions
from rankhammer.experiments.context import CheckpointStore, MetricsWriter, TaskContext
from rankhammer.experiments.driver_client import DriverClient
from rankhammer.experiments.instance import RETURNED, end_with_parent, read_assignment

if TYPE_CHECKING:
    from rankhammer.experiments.instance import Assignment

_POLL_S = 0.3
FAILED = 1
_LONGEST = 500
"""Characters of a reason."""


def main() -> int:
    """Run the function that the parent process names on standard input.

    Returns:
        Exit code: RETURNED, or 1 where it failed; why is sent to the driver.
    """
    assignment = read_assignment()
    end_with_parent()
    client = DriverClient(assignment.url, assignment.token)
    try:
        function = functions.load(assignment.function)
        before = functions.load(assignment.before) if assignment.before else None
        _meet(client, assignment)
        context = _context(client, assignment)
        if before is not None:
            before(context)
        _call(function, context)
        context.metrics.flush()
    except SystemExit as exc:
        return _exited(exc, client, assignment)
    except Exception as exc:  # noqa: BLE001 - a user's function may raise anything
        traceback.print_exc()
        is_final = isinstance(exc, ConfigError)
        client.call("why", index=assignment.index, message=_said(exc), is_final=is_final)
        return FAILED
    return RETURNED


def _exited(exc: SystemExit, client: DriverClient, assignment: Assignment) -> int:
    if exc.code in (None, 0):
        return RETURNED
    client.call("why", index=assignment.index, message=f"it called sys.exit({exc.code!r})", is_final=False)
    return FAILED


def _call(function: object, context: TaskContext) -> None:
    """Call the function; what it returns is called as well where that can be."""
    made = function(context)  # type: ignore[operator]
    if callable(made):
        made(context)


def _meet(client: DriverClient, assignment: Assignment) -> None:
    """Wait until every instance that trains is there, and set what libraries read.

    The driver says when, and ends this process where somebody does not come.
    """
    if assignment.rank < 0:
        os.environ.update({"LOCAL_RANK": "0"})
        return
    with socket.socket() as kept:
        # Held until all are there: else a connection of somebody's could take the port meanwhile.
        kept.bind(("", 0))
        if assignment.rank == 0:
            client.call("coordinate", port=int(kept.getsockname()[1]))
        while True:
            answer = client.call("start", index=assignment.index)
            if answer["is_ready"]:
                break
            time.sleep(_POLL_S)
    os.environ.update(
        MASTER_ADDR=str(answer["host"]),
        MASTER_PORT=str(answer["port"]),
        RANK=str(assignment.rank),
        WORLD_SIZE=str(assignment.world_size),
        LOCAL_RANK="0",
    )


def _context(client: DriverClient, assignment: Assignment) -> TaskContext:
    return TaskContext(
        role=assignment.role,
        index=assignment.index,
        rank=assignment.rank if assignment.rank >= 0 else assignment.index,
        world_size=assignment.world_size,
        attempt=assignment.attempt,
        arguments=assignment.arguments,
        idle_limit_s=assignment.idle_limit_s,
        checkpoints=CheckpointStore(client),
        metrics=MetricsWriter(client, assignment.name, assignment.attempt),
        client=client,
    )


def _said(exc: Exception) -> str:
    """Return one short line; the whole is in the log."""
    message = exc.message if isinstance(exc, RankhammerError) else f"{type(exc).__name__}: {exc}"
    line = " ".join("".join(one if one.isprintable() else " " for one in message[: 2 * _LONGEST]).split())
    return f"{line[:_LONGEST]} ..." if len(line) > _LONGEST else line.removesuffix(":")


if __name__ == "__main__":
    sys.exit(main())
