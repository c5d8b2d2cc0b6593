"""One instance: starts its process, tells the group's driver that it lives, and ends it when it has to.

Runs in a Python worker of Spark, or in a thread on this machine. The function itself runs in a process of its own,
because a library that waits for a lost peer can neither be interrupted nor kept from ending its process.
"""

from __future__ import annotations

import getpass
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, BinaryIO, cast

from rankhammer.errors import RankhammerError
from rankhammer.experiments.driver_client import DriverClient, DriverError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Self

RETURNED = 100
"""Exit code of a process whose function has returned; 0 is also what `os._exit(0)` in it would leave."""
BEAT_S = 2.0
"""Seconds between two heartbeats."""
FILES = "work"
"""Folder of a local experiment that instances run in where files are shipped."""
_DRIVER_SILENT_S = 30.0
_LAST_WORDS = 4000
_TERM_S = 3.0
_WITH_ALL = ("/bin/sh", "-c", "cat >/dev/null; kill -9 0")


class InstanceError(RankhammerError):
    """An instance has not ended well."""


@dataclass(frozen=True)
class Assignment:
    """What an instance has to do; sent to it by its group's driver.

    Args:
        role: Name of its role.
        index: Within the role, from 0.
        rank: Among those that train; -1 beside them.
        world_size: How many train together.
        attempt: Number of the attempt, from 1.
        function: What it calls.
        before: What it calls first; None for nothing.
        arguments: For the context.
        env: Environment variables.
        idle_limit_s: For the context.
        url: Of the group's driver.
        token: That it expects; never in an environment or on a command line.
        log_folder: Where its output goes, on this machine; empty: to the worker's own.
    """

    role: str
    index: int
    rank: int
    world_size: int
    attempt: int
    function: str
    before: str | None
    arguments: Mapping[str, Any]
    env: Mapping[str, str]
    idle_limit_s: float
    url: str
    token: str = field(repr=False)
    log_folder: str = ""

    @property
    def name(self) -> str:
        """Role and index."""
        return f"{self.role}-{self.index}"

    def as_json(self) -> str:
        """Return it for the process."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what `as_json` wrote."""
        return cls(**json.loads(text))


def run_instance(assignment: Assignment) -> None:
    """Run an instance until it ends.

    Args:
        assignment: By the group's driver.

    Raises:
        InstanceError: The function failed, or its process was ended.
    """
    client = DriverClient(assignment.url, assignment.token)
    client.call("come", index=assignment.index, **_facts(assignment))
    with _output(assignment) as out:
        process = _start(assignment, out)
        try:
            code = _wait(process, client, assignment)
        finally:
            _end(process)
    if code == RETURNED:
        client.call("done", index=assignment.index)
        return
    answer = client.call("failed", index=assignment.index, message=_how(code))
    raise InstanceError(f"{assignment.name} failed: {answer['message']}")


def _facts(assignment: Assignment) -> dict[str, str]:
    """Return where an instance runs, and where its log is."""
    container = os.environ.get("CONTAINER_ID", "")
    if not container:
        return {"host": _address(assignment.url), "container": "", "node_id": "", "log": _log_file(assignment)}
    page = f"{os.environ.get('NM_HOST', '')}:{os.environ.get('NM_HTTP_PORT', '')}"
    user = os.environ.get("USER") or getpass.getuser()
    return {
        "host": _address(assignment.url),
        "container": container,
        "node_id": f"{os.environ.get('NM_HOST', '')}:{os.environ.get('NM_PORT', '')}",
        "log": f"http://{page}/node/containerlogs/{container}/{user}",
    }


def _address(url: str) -> str:
    """Return the address of this machine by which the driver is reached, so that peers of it reach this one as well."""
    host, _, port = url.removeprefix("http://").rpartition(":")
    with socket.create_connection((host, int(port)), timeout=10) as opened:
        return str(opened.getsockname()[0])


def _log_file(assignment: Assignment) -> str:
    return str(Path(assignment.log_folder, f"{assignment.name}.log")) if assignment.log_folder else ""


@contextmanager
def _output(assignment: Assignment) -> Iterator[BinaryIO | None]:
    """Open the file of an instance's output; None stands for the worker's own."""
    if not assignment.log_folder:
        yield None
        return
    Path(assignment.log_folder).mkdir(parents=True, exist_ok=True)
    with Path(_log_file(assignment)).open("ab") as file:
        yield file


def _start(assignment: Assignment, out: BinaryIO | None) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        # The name is for whoever looks at a list of processes.
        [sys.executable, "-m", "rankhammer.experiments.process", assignment.name],
        stdin=subprocess.PIPE,
        stdout=out if out is not None else sys.stderr.fileno(),
        stderr=subprocess.STDOUT if out is not None else None,
        env={**_inherited(), **assignment.env},
        cwd=_folder(assignment),
        # Ctrl-C of a terminal is for whoever has started the experiment; and what the function starts ends with it.
        process_group=0,
    )
    # The pipe stays open: its end tells the process that this one is gone.
    pipe = cast("IO[bytes]", process.stdin)
    pipe.write(assignment.as_json().encode() + b"\n")
    pipe.flush()
    return process


def _folder(assignment: Assignment) -> str | None:
    """Return where the experiment's files lie on this machine; a container's folder has them anyway."""
    folder = Path(assignment.log_folder).parent / FILES if assignment.log_folder else None
    return str(folder) if folder is not None and folder.is_dir() else None


def _inherited() -> dict[str, str]:
    """Return this process's environment without what Spark sets for its own worker."""
    # One thread a library is Spark's choice for tasks with one core.
    own = {"OMP_NUM_THREADS", "PYTHON_WORKER_FACTORY_PORT", "PYTHON_WORKER_FACTORY_SECRET", "SPARK_LOCAL_DIRS"}
    kept = {name: value for name, value in os.environ.items() if name not in own}
    return {**kept, "PYTHONUNBUFFERED": "1", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


def _wait(process: subprocess.Popen[bytes], client: DriverClient, assignment: Assignment) -> int:
    """Wait for the process, and tell the driver every two seconds that it lives."""
    answered = time.monotonic()
    while True:
        try:
            return process.wait(BEAT_S)
        except subprocess.TimeoutExpired:
            pass
        try:
            has_to_stop = client.call("beat", index=assignment.index)["stop"]
            answered = time.monotonic()
        except DriverError as exc:
            if time.monotonic() - answered > _DRIVER_SILENT_S:
                raise InstanceError(f"{assignment.name} is ended: the driver of its group is gone.") from exc
            continue
        if has_to_stop:
            _end(process)
            raise InstanceError(f"{assignment.name} is ended, because another instance has ended.")


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the process with all that it has started; one that does not listen is killed."""
    if process.stdin is not None and not process.stdin.closed:
        with suppress(BrokenPipeError):
            process.stdin.close()
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(_TERM_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _how(code: int) -> str:
    if code < 0:
        return f"its process was ended by {signal.Signals(-code).name}"
    return f"its process ended with exit code {code}{'' if code else ' before the function returned'}"


def end_with_parent() -> None:
    """Let the calling process end as soon as the one that started it is gone, however that ended.

    Its standard input is a pipe of the parent's, which is put aside: what a function reads has ended. Linux also kills
    the process, for where Python cannot run any more. What it has started ends by a shell that reads the same pipe, in
    the same process group.
    """
    pipe = os.dup(0)
    with Path(os.devnull).open("rb") as empty:
        os.dup2(empty.fileno(), 0)
    subprocess.Popen(_WITH_ALL, stdin=pipe, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    threading.Thread(target=_end_with_input, args=(pipe,), name="parent", daemon=True).start()


def read_assignment() -> Assignment:
    """Read what the parent process has given this one on its standard input, which stays open.

    Past Python's own buffer: a thread that waits in it keeps a process from ending in order.
    """
    text = b""
    while not text.endswith(b"\n"):
        part = os.read(0, 1)
        if not part:
            raise InstanceError("The process of an instance was started without an assignment.")
        text += part
    return Assignment.from_json(text.decode())


def _end_with_input(pipe: int) -> None:
    while os.read(pipe, 1024):
        pass
    os._exit(143)
