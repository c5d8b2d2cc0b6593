"""The driver of a group: the instances of one role in one attempt, from their start to the group's end."""

from __future__ import annotations

import logging
import secrets
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException

from rankhammer.errors import RankhammerError
from rankhammer.experiments import folder as states
from rankhammer.experiments import functions
from rankhammer.experiments.folder import STORAGE_ERRORS, GroupStatus, Instance
from rankhammer.experiments.instance import Assignment
from rankhammer.experiments.lease import LeaseWatch
from rankhammer.experiments.server import Calls, InstanceServer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rankhammer.experiments.folder import ExperimentFolder

_LOOK_S = 1.0
_WRITTEN_S = 5.0
logger = logging.getLogger(__name__)


class Runner(Protocol):
    """Starts instances, all at once."""

    host: str
    """Address of this process that they reach."""

    def run(self, assignments: Sequence[Assignment]) -> None:
        """Run instances until all have ended; raises where one failed."""
        ...

    def cancel(self) -> None:
        """End those that run; `run` raises then."""
        ...


@dataclass(frozen=True)
class GroupTask:
    """Which group a driver drives.

    Args:
        role: Name of the role.
        attempt: Number of the attempt, from 1.
        start: How often the group was started before in this attempt.
        log_folder: For the instances' output, on this machine; empty on a cluster.
    """

    role: str
    attempt: int
    start: int = 0
    log_folder: str = ""


class GroupDriver:
    """Drives one group."""

    def __init__(self, folder: ExperimentFolder, task: GroupTask, runner: Runner) -> None:
        """Start nothing yet.

        Args:
            folder: Of the experiment.
            task: Which group.
            runner: That starts its instances.
        """
        self._folder, self._task, self._runner = folder, task, runner
        self._spec = folder.spec()
        role = self._spec.roles[task.role]
        self._is_beside = task.role in self._spec.beside
        self.status = GroupStatus(task.role, instances=[Instance(i) for i in range(role.instances)], start=task.start)
        self._beats = [time.monotonic()] * role.instances
        self._lock = threading.Lock()
        self._reason, self._coordinator, self._is_ready = "", dict[str, Any](), False
        self._end = threading.Event()

    def drive(self) -> GroupStatus:
        """Run the group to its end.

        Returns:
            How it ended; written to the experiment's folder as well.
        """
        calls = Calls(
            come=self._come, coordinate=self._coordinate, start=self._start, beat=self._beat, done=self._done,
            failed=self._failed, why=self._why, facts=self._facts,
        )  # fmt: skip
        token = secrets.token_urlsafe(24)
        server = InstanceServer(self._runner.host, token, self._folder, calls)
        watch = threading.Thread(target=self._watch, name=f"watch-{self._task.role}", daemon=True)
        self._tell()
        watch.start()
        try:
            self._run(server.url, token)
        finally:
            self._end.set()
            watch.join()
            server.close()
        self._close()
        return self.status

    def _run(self, url: str, token: str) -> None:
        try:
            self._runner.run([self._assignment(i, url, token) for i in range(len(self.status.instances))])
        except (RankhammerError, PySparkException, Py4JError, OSError) as exc:
            logger.debug("The instances ended", exc_info=True)
            with self._lock:
                self._reason = self._reason or _first_line(exc)

    def _assignment(self, index: int, url: str, token: str) -> Assignment:
        spec = self._spec
        return Assignment(
            role=self._task.role,
            index=index,
            rank=-1 if self._is_beside else spec.rank(self._task.role, index),
            world_size=spec.world_size,
            attempt=self._task.attempt,
            function=functions.shipped_name(spec.function) if not self._task.log_folder else spec.function,
            before=spec.before,
            arguments=spec.arguments,
            env=spec.env,
            idle_limit_s=spec.idle_limit_s,
            url=url,
            token=token,
            log_folder=self._task.log_folder,
        )

    # What instances call.

    def _come(self, said: dict[str, Any]) -> dict[str, Any]:
        instance = self._seen(said)
        instance.host, instance.container, instance.log = said["host"], said["container"], said["log"]
        instance.node_id = said["node_id"]
        instance.state, instance.started = states.RUNNING, time.time()
        return {}

    def _coordinate(self, said: dict[str, Any]) -> dict[str, Any]:
        address = {"host": self.status.instances[0].host, "port": int(said["port"])}
        self._folder.write(f"attempts/{self._task.attempt}/coordinator.json", address)
        return {}

    def _start(self, said: dict[str, Any]) -> dict[str, Any]:
        self._seen(said)
        return {"is_ready": self._is_ready, **self._coordinator}

    def _beat(self, said: dict[str, Any]) -> dict[str, Any]:
        self._seen(said)
        return {"stop": bool(self._reason)}

    def _done(self, said: dict[str, Any]) -> dict[str, Any]:
        self._finish(self._seen(said), states.DONE, "")
        return {}

    def _failed(self, said: dict[str, Any]) -> dict[str, Any]:
        instance = self._seen(said)
        self._finish(instance, states.FAILED, instance.message or str(said["message"]))
        self.give_up(f"{self._task.role} {instance.index} failed: {instance.message}")
        return {"message": instance.message}

    def _why(self, said: dict[str, Any]) -> dict[str, Any]:
        self._seen(said).message = str(said["message"])
        self.status.is_final = self.status.is_final or bool(said["is_final"])
        return {}

    def _facts(self, _: dict[str, Any]) -> dict[str, Any]:
        return {"training_has_ended": self._folder.read("training_ended.json") is not None}

    def _seen(self, said: dict[str, Any]) -> Instance:
        index = int(said["index"])
        self._beats[index] = time.monotonic()
        return self.status.instances[index]

    def _finish(self, instance: Instance, state: str, message: str) -> None:
        instance.state, instance.message, instance.ended = state, message, time.time()

    # What the driver watches.

    def _watch(self) -> None:
        """Look every second for what ends the group; the storage may fail now and then."""
        lease = LeaseWatch(self._folder)
        began = written = time.monotonic()
        while not self._end.wait(_LOOK_S):
            reason = self._why_silent() or self._why_late(began) or self._why_long(began)
            try:
                reason = reason or lease.why_ended() or self._why_ended()
                self._look_around()
                if time.monotonic() - written > _WRITTEN_S:
                    self._tell()
                    written = time.monotonic()
            except STORAGE_ERRORS:
                reason = reason or lease.why_unreadable()
                logger.warning("The experiment's folder could not be read", exc_info=True)
            if reason:
                self.give_up(reason)

    def _why_silent(self) -> str:
        limit = self._spec.silent_limit_s
        for instance, beat in zip(self.status.instances, self._beats, strict=True):
            if instance.state == states.RUNNING and time.monotonic() - beat > limit:
                self._finish(instance, states.LOST, f"no heartbeat for {limit:.0f} s")
                return f"{self._task.role} {instance.index} is lost: no heartbeat for {limit:.0f} s"
        return ""

    def _why_late(self, began: float) -> str:
        if self._is_beside and self.status.has_come:
            return ""
        late = time.monotonic() - began > self._spec.start_limit_s
        missing = "" if self._is_ready or not late else self._missing()
        limit = self._spec.start_limit_s
        return f"{missing} did not come within {limit:.0f} s (start_limit_s)" if missing else ""

    def _why_long(self, began: float) -> str:
        limit = self._spec.time_limit_s
        return f"it was not done within {limit:.0f} s (time_limit_s)" if time.monotonic() - began > limit else ""

    def _missing(self) -> str:
        """Name the instances that have not come, of this group first."""
        own = [f"{self._task.role} {one.index}" for one in self.status.instances if not one.host]
        if own or self._is_beside:
            return ", ".join(own[:10])
        others = [name for name in self._spec.training if name != self._task.role]
        groups = {name: self._folder.group(self._task.attempt, name) for name in others}
        return ", ".join(
            f"{name} {one.index}"
            for name, group in groups.items()
            for one in (group.instances if group else [Instance(i) for i in range(self._spec.roles[name].instances)])
            if not one.host
        )

    def _why_ended(self) -> str:
        ended = self._folder.read("outcome.json") if self._is_beside else None
        found = ended if self._is_beside else self._folder.attempt_end(self._task.attempt)
        return f"the attempt has ended: {found['message']}" if found else ""

    def _look_around(self) -> None:
        """See whether every instance that trains has come."""
        if self._is_ready or self._is_beside or not self.status.has_come:
            return
        self._tell()
        address = self._folder.read(f"attempts/{self._task.attempt}/coordinator.json")
        others = [name for name in self._spec.training if name != self._task.role]
        groups = [self._folder.group(self._task.attempt, name) for name in others]
        if address and all(group is not None and group.has_come for group in groups):
            self._coordinator, self._is_ready = address, True
            self.status.state = states.RUNNING

    def give_up(self, reason: str) -> None:
        """End the group, once."""
        with self._lock:
            if self._reason:
                return
            self._reason = reason
        logger.error("%s: %s", self._task.role, reason)
        # Instances hear of it at their next heartbeat, and end in order; this is for those that are not.
        threading.Timer(5.0, self._runner.cancel).start()

    def _close(self) -> None:
        self.status.state = states.DONE if not self._reason else states.FAILED
        self.status.message = self._reason
        for instance in self.status.instances:
            if instance.state not in states.OVER:
                self._finish(instance, states.ENDED, instance.message)
        self._tell()
        if self._reason and not self._is_beside:
            self._folder.end_attempt(self._task.attempt, self._reason, is_final=self.status.is_final)

    def _tell(self) -> None:
        if any(one.state == states.RUNNING for one in self.status.instances) and self._is_beside:
            self.status.state = states.RUNNING
        self._folder.write_group(self._task.attempt, self.status)


def _first_line(exc: Exception) -> str:
    lines = [line for line in str(exc).splitlines() if line.strip()]
    return (lines[0] if lines else type(exc).__name__)[:500]
