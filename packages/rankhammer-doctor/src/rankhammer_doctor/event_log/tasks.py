"""Adds the end of a task to its stage, its executor and the run."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from rankhammer_doctor.event_log.run import DRIVER, Executor, Stage, TaskFailure, TaskSample, TaskSketches

if TYPE_CHECKING:
    from rankhammer_doctor.event_log.run import Peaks, Run, Totals

_FAILURES = 500
_TEXT = 4000
_FRAMES = 8
_HEAD = 160
_MAX_INDEX = 1 << 24
_KILLED = ("TaskKilled", "TaskCommitDenied")
_EMPTY: dict[str, Any] = {}
_PEAKS = {
    "heap": "JVMHeapMemory",
    "off_heap": "JVMOffHeapMemory",
    "jvm_rss": "ProcessTreeJVMRSSMemory",
    "python_rss": "ProcessTreePythonRSSMemory",
    "other_rss": "ProcessTreeOtherRSSMemory",
    "direct": "DirectPoolMemory",
    "execution": "OnHeapExecutionMemory",
    "storage": "OnHeapStorageMemory",
}


def add_task_end(run: Run, event: dict[str, Any], stage: Stage, executor: Executor) -> None:
    """Count one task that has ended.

    Args:
        run: Is changed.
        event: SparkListenerTaskEnd.
        stage: Its stage's attempt.
        executor: Where it ran.
    """
    info, metrics = event["Task Info"], event.get("Task Metrics") or _EMPTY
    reason = event.get("Task End Reason") or _EMPTY
    kind = str(reason.get("Reason", "Success"))
    launch, finish = int(info["Launch Time"]), int(info["Finish Time"])
    duration = max(0, finish - launch) if finish else 0
    # Before anything is counted: an event with fields of another kind is left out as a whole.
    values = _values_of(metrics)
    executor.duration_ms += duration
    _count(kind, stage, executor, int(info.get("Index", -1)))
    if kind != "Resubmitted":
        _add_totals(stage.totals, values)
        _add_totals(executor.totals, values)
        if kind == "Success":
            sample = _sample(info, values, duration)
            _add_success(stage, sample)
            # Times before the task runs: what the scheduler and the network took.
            waited = duration - values[0] - values[3] - values[4]
            getting = info.get("Getting Result Time") or 0
            stage.scheduler_delay_ms += max(0, waited - (finish - getting if getting else 0))
    if kind not in ("Success", "TaskKilled"):
        _add_failure(run, reason, kind, stage, executor)
    _add_times(stage, executor, launch, finish)
    if finish > launch:
        run.task_timeline.add(launch, finish)
    peaks = event.get("Task Executor Metrics")
    if peaks:
        add_peaks(executor.peaks, peaks)


def add_peaks(peaks: Peaks, values: dict[str, Any]) -> None:
    """Raise an executor's peaks to what was measured."""
    for name, key in _PEAKS.items():
        value = values.get(key) or 0
        if value > getattr(peaks, name):
            setattr(peaks, name, int(value))


def _count(kind: str, stage: Stage, executor: Executor, index: int) -> None:
    if kind == "Success":
        stage.n_complete += 1
        executor.n_complete += 1
        _mark_index(stage, index)
    elif kind in _KILLED:
        stage.n_killed += 1
        executor.n_killed += 1
    else:
        stage.n_failed += 1
        executor.n_failed += 1


def _mark_index(stage: Stage, index: int) -> None:
    done = stage.completed_indices
    if not 0 <= index < _MAX_INDEX:
        return
    if index >= len(done):
        done.extend(bytes(max(index + 1, min(stage.n_tasks, _MAX_INDEX)) - len(done)))
    if not done[index]:
        done[index] = 1
        stage.n_indices += 1


def _values_of(metrics: dict[str, Any]) -> tuple[int, ...]:
    read, write = metrics.get("Shuffle Read Metrics") or _EMPTY, metrics.get("Shuffle Write Metrics") or _EMPTY
    given, put = metrics.get("Input Metrics") or _EMPTY, metrics.get("Output Metrics") or _EMPTY
    values = _values(metrics, read, write, given, put)
    if type(sum(values)) is not int:
        raise TypeError("figures of a task are whole numbers")
    return values


def _values(
    metrics: dict[str, Any], read: dict[str, Any], write: dict[str, Any], given: dict[str, Any], put: dict[str, Any]
) -> tuple[int, ...]:
    """Return a task's figures in the order of the fields of Totals."""
    get = metrics.get
    return (
        get("Executor Run Time", 0),
        get("Executor CPU Time", 0),
        get("JVM GC Time", 0),
        get("Executor Deserialize Time", 0),
        get("Result Serialization Time", 0),
        get("Result Size", 0),
        get("Memory Bytes Spilled", 0),
        get("Disk Bytes Spilled", 0),
        given.get("Bytes Read", 0),
        given.get("Records Read", 0),
        put.get("Bytes Written", 0),
        put.get("Records Written", 0),
        read.get("Remote Bytes Read", 0) + read.get("Local Bytes Read", 0),
        read.get("Total Records Read", 0),
        write.get("Shuffle Bytes Written", 0),
        write.get("Shuffle Records Written", 0),
        read.get("Fetch Wait Time", 0),
        get("Peak Execution Memory", 0),
    )


def _add_totals(totals: Totals, values: tuple[int, ...]) -> None:
    totals.run_ms += values[0]
    totals.cpu_ns += values[1]
    totals.gc_ms += values[2]
    totals.deserialize_ms += values[3]
    totals.serialize_ms += values[4]
    totals.result_bytes += values[5]
    totals.memory_spilled += values[6]
    totals.disk_spilled += values[7]
    totals.input_bytes += values[8]
    totals.input_rows += values[9]
    totals.output_bytes += values[10]
    totals.output_rows += values[11]
    totals.shuffle_read_bytes += values[12]
    totals.shuffle_read_rows += values[13]
    totals.shuffle_write_bytes += values[14]
    totals.shuffle_write_rows += values[15]
    totals.fetch_wait_ms += values[16]
    totals.peak_execution_memory += values[17]


def _sample(info: dict[str, Any], values: tuple[int, ...], duration: int) -> TaskSample:
    return TaskSample(
        index=int(info.get("Index", -1)),
        duration_ms=duration,
        bytes_in=values[8] + values[12],
        rows_in=values[9] + values[13],
        rows_out=values[11] + values[15],
        gc_ms=values[2],
        deserialize_ms=values[3],
        executor=executor_id(info),
        host=str(info.get("Host", "")),
        launch_ms=int(info["Launch Time"]),
    )


def _add_success(stage: Stage, task: TaskSample) -> None:
    if not stage.distributions:
        sketches = stage.sketches = stage.sketches or TaskSketches()
        sketches.duration_ms.add(task.duration_ms)
        sketches.bytes_in.add(task.bytes_in)
        sketches.rows_in.add(task.rows_in)
        sketches.rows_out.add(task.rows_out)
    of_host = stage.host_ms.setdefault(task.host, [0, 0])
    of_host[0] += 1
    of_host[1] += task.duration_ms
    if stage.slowest is None or task.duration_ms > stage.slowest.duration_ms:
        stage.slowest = task


def _add_times(stage: Stage, executor: Executor, launch: int, finish: int) -> None:
    if stage.first_launch_ms is None or launch < stage.first_launch_ms:
        stage.first_launch_ms = launch
    if executor.first_launch_ms is None or launch < executor.first_launch_ms:
        executor.first_launch_ms = launch
    if finish:
        stage.last_finish_ms = max(stage.last_finish_ms or 0, finish)
        if executor.first_finish_ms is None or finish < executor.first_finish_ms:
            executor.first_finish_ms = finish


def _add_failure(run: Run, reason: dict[str, Any], kind: str, stage: Stage, executor: Executor) -> None:
    text = failure_text(reason, kind)
    stage.n_excused += kind == "ExecutorLostFailure" and reason.get("Exit Caused By App") is False
    key = kind, text.partition("\n")[0][:_HEAD]
    stage.failures = stage.failures or Counter()
    stage.failures[key[1]] += 1
    failure = run.failures.get(key)
    if failure is None:
        if len(run.failures) >= _FAILURES:
            run.n_failures_not_kept += 1
            return
        failure = run.failures[key] = TaskFailure(kind, text)
    failure.count += 1
    failure.stages.add(stage.key)
    failure.executors.add(executor.executor_id)
    if executor.host:
        failure.hosts.add(executor.host)


def failure_text(reason: dict[str, Any], kind: str) -> str:
    """Say why a task failed, in Spark's words.

    Args:
        reason: `Task End Reason`.
        kind: Its `Reason`.
    """
    if kind == "ExceptionFailure":
        full = reason.get("Full Stack Trace")
        if full:
            return str(full)[:_TEXT]
        frames = reason.get("Stack Trace") or []
        places = [f"\tat {one.get('Declaring Class', '')}.{one.get('Method Name', '')}" for one in frames[:_FRAMES]]
        head = f"{reason.get('Class Name', '')}: {reason.get('Description', '')}"
        return "\n".join([head, *places])[:_TEXT]
    said = reason.get("Loss Reason") or reason.get("Message") or reason.get("Kill Reason") or ""
    return f"{kind}: {said}"[:_TEXT]


def executor_id(info: dict[str, Any]) -> str:
    """Return the id of the executor that an event names; before Spark 1.4 the driver was called <driver>."""
    found = str(info.get("Executor ID", "")) or DRIVER
    return DRIVER if found == "<driver>" else found
