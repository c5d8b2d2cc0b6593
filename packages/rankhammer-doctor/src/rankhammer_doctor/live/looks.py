"""Looks at a run in progress twice, some seconds apart: only what stands still in both is stuck."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from rankhammer_doctor.live.rest import number, rows

if TYPE_CHECKING:
    from collections.abc import Callable

    from rankhammer_doctor.live.rest import SparkApi

_STAGES, _TASKS, _DUMPS, _FRAMES = 20, 20, 5, 40
_TASK_OF_THREAD = re.compile(r"\bTID (\d+)\)")
_DRIVER = "driver"
_MAIN = re.compile(r"^(?:main|Driver)$")


@dataclass(frozen=True)
class RunningTask:
    """A task that runs: ids, and for how many milliseconds."""

    task_id: int
    index: int
    executor: str
    host: str
    duration_ms: float


@dataclass(frozen=True)
class Thread:
    """A thread of an executor: its name, its state, its frames (innermost first), and who holds what it waits for."""

    name: str
    state: str
    frames: tuple[str, ...]
    blocked_by: str = ""


@dataclass(frozen=True)
class RunningStage:
    """A stage that has begun and not ended.

    Args:
        stage_id: Number.
        attempt: Of the stage.
        name: What it is called for people.
        n_tasks: All of its tasks; likewise those that run, that are done, and that failed.
        median_ms: Of tasks that are done; 0 where none is.
        waited_ms: Since the stage was submitted.
        tasks: That run, the longest first.
        failures: What failed tasks said.
    """

    stage_id: int
    attempt: int
    name: str
    n_tasks: int
    n_active: int
    n_complete: int
    n_failed: int
    median_ms: float
    waited_ms: float
    tasks: tuple[RunningTask, ...]
    failures: tuple[str, ...] = ()


@dataclass(frozen=True)
class LiveExecutor:
    """An executor: whether it is there, its slots, what runs in it, its times in milliseconds, why it went."""

    executor_id: str
    host: str
    is_active: bool
    slots: int
    n_active: int
    task_ms: float
    gc_ms: float
    reason: str


@dataclass(frozen=True)
class Look:
    """One look at a run.

    Args:
        application: Id and name.
        stages: That have begun and not ended, those with the longest tasks first.
        executors: All, also those that are gone.
        threads: Task id to its thread; of the tasks that have run for longest.
        driver: The driver's main thread, where no stage runs.
        is_complete: Whether the application has ended.
    """

    application: tuple[str, str]
    stages: tuple[RunningStage, ...]
    executors: tuple[LiveExecutor, ...]
    threads: dict[int, Thread] = field(default_factory=dict)
    driver: Thread | None = None
    is_complete: bool = False


def look_twice(api: SparkApi, seconds: float, on_wait: Callable[[], None]) -> tuple[Look, Look]:
    """Look, wait, and look again.

    Args:
        api: Of the application.
        seconds: Between both.
        on_wait: Called before the pause.
    """
    first = look(api)
    if not first.is_complete:
        on_wait()
        time.sleep(seconds)
    return first, look(api)


def look(api: SparkApi) -> Look:
    """Read everything that the rules look at.

    Args:
        api: Of the application.

    Raises:
        DoctorError: It does not answer any longer.
    """
    stages = tuple(_stage(api, row) for row in rows(api.get("/stages?status=active"))[:_STAGES])
    executors = tuple(_executor(row) for row in rows(api.get("/allexecutors")))
    tasks = sorted((task for stage in stages for task in stage.tasks), key=lambda one: -one.duration_ms)
    attempts = rows(api.application.get("attempts"))
    return Look(
        (str(api.application.get("id", "")), str(api.application.get("name", ""))),
        tuple(sorted(stages, key=lambda one: -max((task.duration_ms for task in one.tasks), default=0.0))),
        executors,
        _threads(api, tasks),
        None if stages else _main_thread(api),
        is_complete=bool(attempts and attempts[0].get("completed") is True),
    )


def _stage(api: SparkApi, row: dict[str, Any]) -> RunningStage:
    stage_id, attempt = int(number(row, "stageId")), int(number(row, "attemptId"))
    path = f"/stages/{stage_id}/{attempt}"
    # Spark before 3.0 knows no status here, and answers with all.
    listed = rows(api.get(f"{path}/taskList?status=running&sortBy=-runtime&length={_TASKS}"))
    running = [_task(one) for one in listed if one.get("status", "RUNNING") == "RUNNING"]
    n_failed = int(number(row, "numFailedTasks"))
    failed = rows(api.get(f"{path}/taskList?status=failed&length=3")) if n_failed else []
    return RunningStage(
        stage_id,
        attempt,
        str(row.get("description") or row.get("name") or ""),
        int(number(row, "numTasks")),
        int(number(row, "numActiveTasks")),
        int(number(row, "numCompleteTasks")),
        n_failed,
        _median(api, path) if number(row, "numCompleteTasks") else 0.0,
        _since(row.get("submissionTime")),
        tuple(sorted(running, key=lambda one: -one.duration_ms)),
        tuple(str(one.get("errorMessage") or "") for one in failed if one.get("status", "FAILED") == "FAILED"),
    )


def _median(api: SparkApi, path: str) -> float:
    summary = api.get(f"{path}/taskSummary?quantiles=0.5")
    values = summary.get("executorRunTime") if isinstance(summary, dict) else None
    return float(values[0]) if isinstance(values, list) and values and isinstance(values[0], (int, float)) else 0.0


def _task(row: dict[str, Any]) -> RunningTask:
    return RunningTask(
        int(number(row, "taskId")),
        int(number(row, "index")),
        str(row.get("executorId", "")),
        str(row.get("host", "")),
        number(row, "duration") or _since(row.get("launchTime")),
    )


def _executor(row: dict[str, Any]) -> LiveExecutor:
    return LiveExecutor(
        str(row.get("id", "")),
        str(row.get("hostPort", "")).partition(":")[0],
        row.get("isActive") is not False,
        int(number(row, "maxTasks")),
        int(number(row, "activeTasks")),
        number(row, "totalDuration"),
        number(row, "totalGCTime"),
        str(row.get("removeReason") or ""),
    )


def _threads(api: SparkApi, tasks: list[RunningTask]) -> dict[int, Thread]:
    """Return the threads of the tasks that have run for longest, of a few executors."""
    wanted = {task.task_id for task in tasks}
    found: dict[int, Thread] = {}
    for executor in list(dict.fromkeys(task.executor for task in tasks))[:_DUMPS]:
        for row in rows(api.get(f"/executors/{executor}/threads")):
            named = _TASK_OF_THREAD.search(str(row.get("threadName", "")))
            if named and int(named[1]) in wanted:
                found[int(named[1])] = _thread(row)
    return found


def _main_thread(api: SparkApi) -> Thread | None:
    dump = rows(api.get(f"/executors/{_DRIVER}/threads"))
    return next((_thread(row) for row in dump if _MAIN.match(str(row.get("threadName", "")))), None)


def _thread(row: dict[str, Any]) -> Thread:
    trace = row.get("stackTrace")
    frames = trace.get("elems") if isinstance(trace, dict) else trace
    lines = frames if isinstance(frames, list) else str(frames or "").splitlines()
    return Thread(
        str(row.get("threadName", "")),
        str(row.get("threadState", "")),
        tuple(str(line).strip() for line in lines[:_FRAMES]),
        str(row.get("blockedByLock") or "") if row.get("blockedByThreadId") is not None else "",
    )


def _since(text: object) -> float:
    """Return the milliseconds since a time of Spark's, such as 2026-01-31T12:00:00.000GMT; 0 for what is none."""
    try:
        then = datetime.strptime(str(text).replace("GMT", "+0000"), "%Y-%m-%dT%H:%M:%S.%f%z")
    except ValueError:
        return 0.0
    return max(0.0, (time.time() - then.timestamp()) * 1000)
