"""What stands still in a run that goes on, and where: L1 to L6."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rankhammer_doctor.findings import Finding, Severity, ranked
from rankhammer_doctor.symptoms import SENTENCES, is_benign_removal, is_preemption
from rankhammer_doctor.units import format_ms

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rankhammer_doctor.live.looks import Look, RunningStage, RunningTask, Thread
    from rankhammer_doctor.thresholds import Thresholds

_SHOWN, _TOP_FRAMES, _LINE = 3, 6, 300
_DOES = (
    (r"org\.apache\.spark\.api\.python|PythonRunner|ArrowPythonRunner", "waits for its Python worker"),
    (r"ShuffleBlockFetcherIterator", "waits for blocks of a shuffle"),
    (r"org\.apache\.hadoop\.fs\.s3a|com\.amazonaws|software\.amazon", "waits for S3"),
    (r"org\.apache\.hadoop\.(?:hdfs|ipc)", "waits for HDFS"),
    (r"UnsafeExternalSorter|ExternalSorter|ExternalAppendOnlyMap|UnsafeExternalRowSorter", "sorts or spills"),
    (r"TaskMemoryManager|MemoryManager|MemoryConsumer", "waits for memory of other tasks"),
    (r"BroadcastExchange|TorrentBroadcast", "waits for a broadcast table"),
    (r"java\.sql\.|jdbc", "waits for a database"),
    (r"sun\.nio\.ch|java\.net\.Socket|NioSocketImpl", "waits for the network"),
)
_PYTHON = "waits for its Python worker"
_BUSY = re.compile(r"^(?:java|jdk|sun|scala|java\.base)[./@]")
_PYTHON_HINT = (
    "`py-spy dump --pid PID` on that host shows the Python worker's own stack; or set "
    "spark.python.worker.faulthandler.enabled before the next run"
)


def live_findings(first: Look, second: Look, thresholds: Thresholds) -> list[Finding]:
    """Return what is wrong now, the gravest first.

    Args:
        first: A look.
        second: Another one, some seconds later.
        thresholds: Rule to names to numbers.
    """
    if second.is_complete:
        return []
    rules = (_stuck(first, second, thresholds), _waits(first, second, thresholds), _collects(second, thresholds))
    more = (_lost(second), _fails(second, thresholds), _driver(second))
    return ranked(finding for rule in (*rules, *more) for finding in rule)


def doing(thread: Thread) -> str:
    """Say in a few words what a thread is about.

    Args:
        thread: Of a task.
    """
    if thread.state == "BLOCKED" or thread.blocked_by:
        return f"waits for a lock ({thread.blocked_by})" if thread.blocked_by else "waits for a lock"
    for pattern, said in _DOES:
        if any(re.search(pattern, frame) for frame in thread.frames):
            return said
    own = next((frame for frame in thread.frames if not _BUSY.match(frame)), "")
    return f"is in {own.partition('(')[0]}" if own else "shows no frame"


def _stuck(first: Look, second: Look, thresholds: Thresholds) -> Iterator[Finding]:
    """L1: tasks run for several times the median of those that are done."""
    limits = thresholds["L1"]
    for stage in second.stages:
        found = [task for task in stage.tasks if _is_long(stage, task, limits)]
        if not found:
            continue
        longest = found[0]
        against = f"{longest.duration_ms / stage.median_ms:.0f} times the median" if stage.median_ms else "none is done"
        hosts = sorted({task.host for task in found})
        threads = [(task, second.threads[task.task_id]) for task in found if task.task_id in second.threads]
        yield Finding(
            rule="L1",
            severity=Severity.WARNING,
            summary=f"{len(found)} task(s) do not end: the longest runs {format_ms(longest.duration_ms)}, {against}",
            place=_name(stage),
            evidence=tuple(line for task, thread in threads[:_SHOWN] for line in _evidence(first, task, thread)),
            arithmetic=(f"{stage.n_complete} of {stage.n_tasks} tasks are done, median {format_ms(stage.median_ms)}",),
            remedies=tuple(_remedies(found, hosts, [thread for _, thread in threads])),
            effect="the stage ends when its last task does",
            facts=(
                ("tasks", [task.task_id for task in found]),
                ("executors", sorted({task.executor for task in found})),
                ("does", sorted({doing(thread) for _, thread in threads})),
            ),
        )


def _is_long(stage: RunningStage, task: RunningTask, limits: Mapping[str, float]) -> bool:
    if not stage.n_complete:
        return task.duration_ms >= limits["alone_s"] * 1000
    return task.duration_ms >= max(limits["min_task_s"] * 1000, limits["time_ratio"] * stage.median_ms)


def _evidence(first: Look, task: RunningTask, thread: Thread) -> Iterator[str]:
    before = first.threads.get(task.task_id)
    moved = "" if before is None else "; it stood there before" if before.frames == thread.frames else "; it moves"
    yield (
        f"task {task.index} (TID {task.task_id}) on executor {task.executor}, {task.host}: "
        f"{thread.state}, {doing(thread)}{moved}"
    )
    for frame in thread.frames[:_TOP_FRAMES]:
        yield f"    at {frame[:_LINE]}"


def _remedies(tasks: list[RunningTask], hosts: list[str], threads: list[Thread]) -> Iterator[str]:
    if any(doing(thread) == _PYTHON for thread in threads):
        yield _PYTHON_HINT
    if len(tasks) > 1 and len(hosts) == 1:
        yield f"all of them are on {hosts[0]}: look at that node, or let spark.excludeOnFailure.enabled leave it out"
    yield "one key with most rows: the web UI's column of shuffle read tells; then D5"
    yield "a task that only waits: spark.speculation starts a copy elsewhere"


def _waits(first: Look, second: Look, thresholds: Thresholds) -> Iterator[Finding]:
    """L2: stages have tasks, and not one of them runs."""
    if any(stage.n_active for look in (first, second) for stage in look.stages):
        return
    waiting = [stage for stage in second.stages if stage.n_complete < stage.n_tasks]
    long = [stage for stage in waiting if stage.waited_ms >= thresholds["L2"]["min_wait_s"] * 1000]
    if not long:
        return
    slots = sum(one.slots for one in second.executors if one.is_active)
    why = "no executor is there" if not slots else f"{slots} slots are free, and none is used"
    cure = (
        ("see in the ResourceManager who has the queue (D12)", "a smaller ask: S1, S3")
        if not slots
        else ("wait for spark.locality.wait", "executors that are left out after failures (L5)")
    )
    yield Finding(
        rule="L2",
        severity=Severity.WARNING,
        summary=f"no task runs: {why}",
        place=_name(long[0]),
        evidence=tuple(f"{_name(stage)} waits for {format_ms(stage.waited_ms)}" for stage in long[:_SHOWN]),
        remedies=cure,
        facts=(("slots", slots),),
    )


def _collects(look: Look, thresholds: Thresholds) -> Iterator[Finding]:
    """L3: executors spend their time on garbage."""
    limits = thresholds["L3"]
    for one in look.executors:
        share = one.gc_ms / one.task_ms if one.task_ms else 0.0
        if one.is_active and one.task_ms >= limits["min_task_s"] * 1000 and share >= limits["gc_share"]:
            yield Finding(
                rule="L3",
                severity=Severity.WARNING,
                summary=f"executor {one.executor_id} spends {share:.0%} of its tasks' time on garbage collection",
                place=f"executor {one.executor_id} on {one.host}",
                evidence=(f"garbage {format_ms(one.gc_ms)} of {format_ms(one.task_ms)}",),
                remedies=("more memory for each core, or more partitions: D17",),
                facts=(("gc_share", round(share, 4)),),
            )


def _lost(look: Look) -> Iterator[Finding]:
    """L4: executors are gone that nobody sent away."""
    gone = [one for one in look.executors if not one.is_active]
    lost = [one for one in gone if not is_benign_removal(one.reason) and not is_preemption(one.reason)]
    if lost:
        said = " ".join(one.reason for one in lost)
        rules = [rule for rule, pattern in SENTENCES.items() if pattern.search(said)]
        yield Finding(
            rule="L4",
            severity=Severity.WARNING,
            summary=f"{len(lost)} executor(s) are lost",
            evidence=tuple(f"executor {one.executor_id} on {one.host}: {_first(one.reason)}" for one in lost[:_SHOWN]),
            remedies=(f"see {', '.join(rules)}" if rules else "the executor's own log says why (D26)",),
            facts=(("executors", [one.executor_id for one in lost]),),
        )


def _fails(look: Look, thresholds: Thresholds) -> Iterator[Finding]:
    """L5: tasks of a stage fail."""
    for stage in look.stages:
        if stage.n_failed >= thresholds["L5"]["min_failed"]:
            yield Finding(
                rule="L5",
                severity=Severity.WARNING,
                summary=f"{stage.n_failed} tasks have failed; one that fails spark.task.maxFailures times ends the job",
                place=_name(stage),
                evidence=tuple(dict.fromkeys(_first(text) for text in stage.failures if text)),
                remedies=("cure the reason that is named",),
                facts=(("failed", stage.n_failed),),
            )


def _driver(look: Look) -> Iterator[Finding]:
    """L6: no stage runs."""
    if look.stages:
        return
    thread = look.driver
    is_python = thread is not None and any("PythonGatewayServer" in frame for frame in thread.frames)
    where = "its Python" if is_python else "it" if thread is None else f"its main thread {doing(thread)}, so it"
    shown = () if thread is None or is_python else thread.frames[:_TOP_FRAMES]
    yield Finding(
        rule="L6",
        severity=Severity.INFO,
        summary=f"no stage runs: {where} works, plans or waits by itself",
        place="driver",
        evidence=tuple(f"at {frame[:_LINE]}" for frame in shown),
        remedies=("`py-spy dump --pid PID` of the driver shows where" if is_python else "look again in a while",),
    )


def _name(stage: RunningStage) -> str:
    attempt = f".{stage.attempt}" if stage.attempt else ""
    return f"stage {stage.stage_id}{attempt}" + (f" ({stage.name[:80]})" if stage.name else "")


def _first(text: str) -> str:
    return text.strip().partition("\n")[0][:_LINE]
