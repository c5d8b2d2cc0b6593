"""Runs an experiment: starts its groups, watches them, starts again what may be, and says how it ended."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from rankhammer.exit_codes import DONE, FAILURE, INTERRUPTED
from rankhammer.experiments import folder as states
from rankhammer.experiments.folder import GroupStatus
from rankhammer.experiments.group import GroupTask
from rankhammer.experiments.lease import Lease

if TYPE_CHECKING:
    from collections.abc import Callable

    from rankhammer.experiments.folder import ExperimentFolder

_LEAVES_S = 60.0
"""Seconds that what runs beside training has for its last checkpoint, on top of its own pauses."""
_GROUP_ENDS_S = 30.0


class Group(Protocol):
    """A group that was started."""

    application: str
    """YARN's id; empty on this machine."""

    def poll(self) -> str:
        """Return why its driver has ended without a word in the experiment's folder; empty while it runs or ended well.

        Raises:
            ClusterError: Nobody answers.
        """
        ...

    def has_ended(self) -> bool:
        """Say whether its driver has ended."""
        ...

    def kill(self) -> None:
        """End it at once."""
        ...


class Launcher(Protocol):
    """Starts groups."""

    def launch(self, task: GroupTask) -> Group:
        """Start a group; returns when it is accepted."""
        ...

    def close(self) -> None:
        """Remove what was made for the experiment alone."""
        ...


@dataclass
class View:
    """What is known of an experiment now; the live table shows it.

    Args:
        attempt: Number of the attempt, from 1.
        groups: State of each role.
        applications: YARN's id of each role's group.
        seconds: Since the experiment began.
        message: What happened last.
    """

    attempt: int = 0
    groups: dict[str, GroupStatus] = field(default_factory=dict)
    applications: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    message: str = ""


class _GaveUpError(Exception):
    """An attempt has ended, and another one may begin."""

    def __init__(self, message: str, *, is_final: bool) -> None:
        super().__init__(message)
        self.message, self.is_final = message, is_final


class Coordinator:
    """Runs one experiment."""

    def __init__(
        self,
        folder: ExperimentFolder,
        launcher: Launcher,
        *,
        on_view: Callable[[View], None],
        on_line: Callable[[str], None],
        poll_s: float = 1.0,
    ) -> None:
        """Start nothing yet.

        Args:
            folder: Of the experiment, with its spec.
            launcher: That starts groups.
            on_view: Called with what is known, at each look.
            on_line: Called with each line for the user.
            poll_s: Pause between two looks.
        """
        self._folder, self._launcher, self._poll_s = folder, launcher, poll_s
        self._spec = folder.spec()
        self._on_view, self._on_line = on_view, on_line
        self._view, self._groups = View(), dict[str, Group]()
        self._restarts = dict.fromkeys(self._spec.beside, 0)
        self._began = time.monotonic()

    def run(self) -> int:
        """Run it to its end.

        Returns:
            Exit code: 0, 1 where it failed, 130 where it was interrupted.
        """
        lease = Lease(self._folder, "submitter")
        try:
            code, message = self._attempts()
        except KeyboardInterrupt:
            code, message = INTERRUPTED, "interrupted"
            self._on_line("Ending all groups")
        except BaseException:
            self._end("the submitter has failed")
            raise
        finally:
            lease.close()
        self._end(message, code)
        return code

    def start_detached(self) -> None:
        """Start every group of the one attempt that a detached experiment has, and leave them alone."""
        self._begin(1)

    def _attempts(self) -> tuple[int, str]:
        for attempt in range(1, self._spec.retries + 2):
            try:
                self._begin(attempt)
                self._follow(attempt)
            except _GaveUpError as exc:
                self._on_line(f"Attempt {attempt} has ended: {exc.message}")
                self._end_training(attempt, exc.message)
                if exc.is_final or attempt > self._spec.retries:
                    return FAILURE, exc.message
                self._on_line(f"Starting again, from the last checkpoint: attempt {attempt + 1}")
            else:
                return self._beside()
        raise AssertionError

    def _begin(self, attempt: int) -> None:
        """Start what is not there: those that train, and in the first attempt those beside them."""
        self._folder.write("attempt.json", {"number": attempt})
        self._view.attempt = attempt
        names = [name for name in self._spec.roles if name in self._spec.training or attempt == 1]
        tasks = [GroupTask(name, attempt) for name in names]
        # Each waits for YARN for some seconds.
        with ThreadPoolExecutor(len(tasks)) as pool:
            for task, group in zip(tasks, pool.map(self._launcher.launch, tasks), strict=True):
                self._keep(task, group)

    def _keep(self, task: GroupTask, group: Group) -> None:
        self._groups[task.role] = group
        self._view.applications[task.role] = group.application
        about = {"application": group.application, "attempt": task.attempt, "start": task.start}
        self._folder.write(f"submitted/{task.role}.json", about)

    def _follow(self, attempt: int) -> None:
        """Watch until all that train have ended well."""
        while True:
            self._look(attempt)
            training = {name: self._view.groups.get(name) for name in self._spec.training}
            for name, status in training.items():
                self._require_alive(attempt, name, status)
            if all(status is not None and status.state == states.DONE for status in training.values()):
                return
            self._start_lost_again()
            time.sleep(self._poll_s)

    def _look(self, attempt: int) -> None:
        for name in self._spec.roles:
            of_attempt = attempt if name in self._spec.training else 1
            status = self._folder.group(of_attempt, name)
            if status is not None:
                self._view.groups[name] = status
            elif name in self._spec.training:
                self._view.groups[name] = GroupStatus(name)
        self._view.seconds = time.monotonic() - self._began
        self._on_view(self._view)
        if self._view.seconds > self._spec.time_limit_s:
            limit = f"it was not done within {self._spec.time_limit_s:.0f} s (time_limit_s)"
            raise _GaveUpError(limit, is_final=True)

    def _require_alive(self, attempt: int, name: str, status: GroupStatus | None) -> None:
        """Raise where a group that trains has failed, or its driver is gone."""
        if status is not None and status.state == states.FAILED:
            end = self._folder.attempt_end(attempt) or {"message": status.message, "is_final": status.is_final}
            raise _GaveUpError(str(end["message"]), is_final=bool(end["is_final"]))
        gone = self._groups[name].poll()
        if gone and (status is None or status.state != states.DONE):
            newest = self._folder.group(attempt, name)
            if newest is not None and newest.state in states.OVER:
                # It wrote its last word between our two looks.
                return
            raise _GaveUpError(f"the driver of {name} is gone: {gone}", is_final=False)

    def _start_lost_again(self) -> None:
        """Start a group beside training again where it was lost, by itself."""
        for name in self._spec.beside:
            status, group = self._view.groups.get(name), self._groups[name]
            failed = status is not None and status.state == states.FAILED and status.start == self._restarts[name]
            gone = group.poll() if not failed else ""
            if not (failed or (gone and (status is None or status.state != states.DONE))):
                continue
            why = status.message if failed and status else gone
            if self._restarts[name] > self._spec.retries or (status and status.is_final):
                continue
            self._restarts[name] += 1
            self._on_line(f"{name} is started again, alone: {why}")
            task = GroupTask(name, 1, self._restarts[name])
            group.kill()
            self._keep(task, self._launcher.launch(task))

    def _beside(self) -> tuple[int, str]:
        """Let what runs beside training look at the last checkpoint, and leave."""
        self._folder.write("training_ended.json", {})
        until = time.monotonic() + _LEAVES_S + self._spec.idle_limit_s * bool(self._spec.beside)
        while time.monotonic() < until:
            self._look(self._view.attempt)
            open_ones = [name for name in self._spec.beside if not self._is_over(name)]
            if not open_ones:
                break
            self._start_lost_again()
            time.sleep(self._poll_s)
        failed = [name for name in self._spec.beside if not self._is_done(name)]
        if failed:
            return FAILURE, f"training is done, and {', '.join(failed)} failed"
        return DONE, "done"

    def _is_over(self, name: str) -> bool:
        """Say whether a group beside training has ended and will not start again."""
        status = self._view.groups.get(name)
        if status is None or status.state not in (states.DONE, states.FAILED):
            return False
        return status.state == states.DONE or status.is_final or self._restarts[name] > self._spec.retries

    def _is_done(self, name: str) -> bool:
        status = self._view.groups.get(name)
        return status is not None and status.state == states.DONE

    def _end_training(self, attempt: int, message: str) -> None:
        """End what still trains: its driver sees the attempt's end, and has a while to end in order."""
        self._folder.end_attempt(attempt, message)
        until = time.monotonic() + _GROUP_ENDS_S
        left = [name for name in self._spec.training if name in self._groups]
        while left and time.monotonic() < until:
            left = [name for name in left if not self._groups[name].has_ended()]
            time.sleep(0.2 if left else 0)
        for name in left:
            self._groups[name].kill()

    def _end(self, message: str, code: int = FAILURE) -> None:
        """Write how it ended, and end what is left."""
        self._folder.write("outcome.json", {"code": code, "message": message})
        if code != DONE and self._view.attempt:
            self._end_training(self._view.attempt, message)
        until = time.monotonic() + _GROUP_ENDS_S
        while time.monotonic() < until and not all(group.has_ended() for group in self._groups.values()):
            time.sleep(0.2)
        for group in self._groups.values():
            if not group.has_ended():
                group.kill()
        self._launcher.close()
        if self._view.attempt:
            self._last_look()

    def _last_look(self) -> None:
        for name in self._spec.roles:
            status = self._folder.group(self._view.attempt if name in self._spec.training else 1, name)
            if status is not None:
                self._view.groups[name] = status
        self._on_view(self._view)
