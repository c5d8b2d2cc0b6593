"""Memory that ran out: which kind it was, and which key to raise by how much (D1, D2, D7, D13, D14)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rankhammer_doctor.findings import ConfChange, Finding, Severity
from rankhammer_doctor.memory import grown
from rankhammer_doctor.units import GIB, KIB, MIB, format_bytes, to_mib

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rankhammer_doctor.dynamic_rules.context import RunContext
    from rankhammer_doctor.event_log.run import Executor, Peaks

_USED = re.compile(r"(\d+(?:\.\d+)?) ?([KMGT]?i?B) of (\d+(?:\.\d+)?) ?([KMGT]?i?B) physical memory")
_OF_DRIVER = re.compile(r"(?i)driver|_000001\b|applicationmaster")
_UNITS = {"B": 1, "KB": KIB, "MB": MIB, "GB": GIB, "TB": 1024 * GIB}
_NATIVE_KINDS = {
    "Metaspace": "the JVM's class metadata (Metaspace)",
    "Direct buffer memory": "direct buffers, which lie outside of the heap",
    "unable to create": "threads: the limit of processes or of stack memory",
    "Requested array size": "one array that is larger than a JVM allows",
}
HEAP, NATIVE, PYTHON, UNKNOWN = "heap", "native", "Python", "unknown"
_MORE_PARTITIONS = "more partitions, so that a task holds less (spark.sql.shuffle.partitions, repartition)"
_FEWER_CORES = "fewer tasks at once in an executor (spark.executor.cores)"
_MEASURE = (
    "turn on spark.executor.processTreeMetrics.enabled and spark.eventLog.logStageExecutorMetrics: the next run tells"
)


def physical_kill(context: RunContext) -> Iterator[Finding]:
    """D1: YARN killed containers for their physical memory."""
    lines = context.symptoms("D1")
    if not lines:
        return
    executors = context.executors_of("D1")
    used, limit = _used(context.texts("D1"))
    container = context.container
    kind, why = which_memory(context, executors, used)
    name = f"spark.{context.who}.memory"
    if kind == HEAP:
        heap = _larger_heap(container.heap)
        changes: tuple[ConfChange, ...] = (ConfChange(name, f"{heap}m", f"{to_mib(container.heap)}m"),)
        sums = f"heap {format_bytes(container.heap)} x 1.5 = {heap} MiB"
    else:
        growth = context.thresholds["D1"]["overhead_growth"]
        excess = used - limit if used and limit else 0
        beyond = max(0, (used or 0) - container.heap)
        wanted = grown(container, growth, int(1.2 * max(beyond, container.overhead + excess)))
        changes = container.with_overhead(wanted)
        sums = f"overhead {format_bytes(container.overhead)} x {growth:g}, at least 1.2 x what was used: {wanted} MiB"
    first = f"raise {changes[0].key} to {changes[0].value}"
    more = [_MEASURE] if kind == UNKNOWN else []
    yield Finding(
        rule="D1",
        severity=Severity.ERROR,
        summary=f"YARN killed {max(1, len(executors))} executor(s) for their physical memory; {why}",
        evidence=tuple(lines),
        arithmetic=(f"container: {container.arithmetic()}", sums),
        remedies=(first, _MORE_PARTITIONS, _FEWER_CORES, "larger nodes", *more),
        changes=changes,
        effect="the container holds what the tasks need, and is not killed",
        facts=(("memory", kind), ("executors", len(executors)), ("used_bytes", used), ("limit_bytes", limit)),
    )


def which_memory(context: RunContext, executors: list[Executor], used: int) -> tuple[str, str]:
    """Tell heap, native and Python memory apart.

    Args:
        context: The run.
        executors: Those that were killed; empty where it is not known which.
        used: Bytes that the container had when it was killed; 0 where nobody said.

    Returns:
        (HEAP, NATIVE, PYTHON or UNKNOWN, why in half a sentence).
    """
    container, limits = context.container, context.thresholds["D1"]
    peaks = _peaks(context, executors)
    beyond = used - container.heap
    if peaks.python_rss > max(container.overhead / 2, peaks.other_rss, peaks.jvm_rss - container.heap):
        return PYTHON, f"Python workers had {format_bytes(peaks.python_rss)}: memory beside the heap"
    if peaks.heap and peaks.heap >= limits["heap_full"] * container.heap:
        return HEAP, f"the heap was full ({format_bytes(peaks.heap)} of {format_bytes(container.heap)})"
    if peaks.jvm_rss > container.heap + container.overhead / 2:
        return (
            NATIVE,
            f"the JVM's process had {format_bytes(peaks.jvm_rss)}, more than its heap may have: native memory",
        )
    if peaks.heap and peaks.heap <= limits["heap_far"] * container.heap:
        return NATIVE, (
            f"the heap's peak was {format_bytes(peaks.heap)} of {format_bytes(container.heap)}: "
            "native or Python memory beside the heap"
        )
    if beyond > 0:
        return NATIVE, f"at least {format_bytes(beyond)} of it were beside the heap: native or Python memory"
    return UNKNOWN, "nobody measured which memory; it is beside the heap, which cannot outgrow its limit"


def virtual_kill(context: RunContext) -> Iterator[Finding]:
    """D2: YARN killed containers for their virtual memory."""
    lines = context.symptoms("D2")
    if lines:
        key = "yarn.nodemanager.vmem-check-enabled"
        yield Finding(
            rule="D2",
            severity=Severity.ERROR,
            summary="YARN killed containers for their virtual memory, which says nothing about what they use",
            evidence=tuple(lines),
            remedies=(f"set {key} to false (EMR: classification yarn-site)", "raise yarn.nodemanager.vmem-pmem-ratio"),
            changes=(ConfChange(key, "false", file="yarn-site.xml"),),
            effect="only physical memory counts",
        )


def heap_exhausted(context: RunContext) -> Iterator[Finding]:
    """D7: a JVM ran out of its heap, or of another memory of its own."""
    lines = context.symptoms("D7")
    if not lines:
        return
    texts = " ".join(context.texts("D7"))
    kind = next((said for words, said in _NATIVE_KINDS.items() if words in texts), "")
    if kind and "Java heap space" not in texts and "GC overhead" not in texts:
        yield _other_memory(context, lines, kind)
        return
    of_driver = _is_of_driver(context)
    who = "driver" if of_driver else context.who
    heap = int(context.container.heap) if not of_driver else _driver_heap(context)
    wanted = _larger_heap(heap)
    key = f"spark.{who}.memory"
    own = ("do not collect: write the result, or take a part of it",) if of_driver else ()
    yield Finding(
        rule="D7",
        severity=Severity.ERROR,
        summary=f"the heap of the {who} ran out ({format_bytes(heap)})",
        evidence=tuple(lines),
        arithmetic=(f"heap {format_bytes(heap)} x 1.5 = {wanted} MiB",),
        remedies=(
            *own,
            f"raise {key} to {wanted}m",
            _MORE_PARTITIONS,
            _FEWER_CORES,
            "persist with MEMORY_AND_DISK or DISK_ONLY instead of MEMORY_ONLY",
        ),
        changes=(ConfChange(key, f"{wanted}m", f"{to_mib(heap)}m"),),
        effect="tasks have room for what they hold",
        facts=(("memory", HEAP), ("who", who), ("heap_bytes", heap), ("count", context.count("D7"))),
    )


def python_crash(context: RunContext) -> Iterator[Finding]:
    """D13: Python workers died."""
    lines = context.symptoms("D13")
    if not lines:
        return
    container = context.container
    wanted = grown(container, context.thresholds["D1"]["overhead_growth"])
    peaks = _peaks(context, context.executors_of("D13"))
    measured = (f"peak of Python workers: {format_bytes(peaks.python_rss)}",) if peaks.python_rss else ()
    yield Finding(
        rule="D13",
        severity=Severity.ERROR,
        summary="Python workers exited in the middle of their work, or got no memory: mostly native memory",
        evidence=(*lines, *measured),
        arithmetic=(f"container: {container.arithmetic()}",),
        remedies=(
            f"raise {container.overhead_key} to {wanted}m: Python workers live beside the heap",
            "smaller batches (spark.sql.execution.arrow.maxRecordsPerBatch), or fewer cores in an executor",
            "spark.python.worker.faulthandler.enabled=true: the log then has the line of Python where it crashed",
        ),
        changes=(
            *container.with_overhead(wanted),
            ConfChange("spark.sql.execution.pyspark.udf.faulthandler.enabled", "true"),
        ),
        effect="workers have the memory that they need, or the log says where they crash",
        facts=(("memory", PYTHON), ("python_rss", peaks.python_rss), ("count", context.count("D13"))),
    )


def executor_failures(context: RunContext) -> Iterator[Finding]:
    """D14: the application master gave up after too many lost executors."""
    lines = context.symptoms("D14")
    if lines:
        reasons = tuple(f"executor {one.executor_id}: {one.reason[:200]}" for one in context.lost_executors[:3])
        yield Finding(
            rule="D14",
            severity=Severity.ERROR,
            summary="the application master gave up: too many executors failed",
            evidence=(*lines, *reasons),
            remedies=(
                "cure what ended the executors, which is memory most of the time (D1, D7)",
                "spark.executor.failuresValidityInterval=1h where runs take days and single losses are normal",
            ),
            effect="a higher limit alone only makes the run fail later",
        )


def _other_memory(context: RunContext, lines: list[str], kind: str) -> Finding:
    container = context.container
    wanted = grown(container, context.thresholds["D1"]["overhead_growth"])
    return Finding(
        rule="D7",
        severity=Severity.ERROR,
        summary=f"a JVM ran out of memory: {kind}",
        evidence=tuple(lines),
        arithmetic=(f"container: {container.arithmetic()}",),
        remedies=(f"raise {container.overhead_key} to {wanted}m", _FEWER_CORES, _MORE_PARTITIONS),
        changes=container.with_overhead(wanted),
        effect="there is more memory beside the heap",
        facts=(("memory", NATIVE),),
    )


def _is_of_driver(context: RunContext) -> bool:
    """Say whether the driver ran out: no task and no executor's log says so; on YARN its container is the first one."""
    if context.run.is_local:
        return False
    said = context.said.get("D7")
    if said is not None:
        of_task = any("Lost task" in text for text in said.texts) or any("tasks of" in place for place in said.places)
        return not said.executors and not of_task
    logged = context.logs.symptoms.get("D7") if context.logs else None
    if logged is None:
        return False
    return not logged.executors and all(_OF_DRIVER.search(place) for place in logged.places)


def _driver_heap(context: RunContext) -> int:
    from rankhammer_doctor import memory

    return memory.of_driver(context.conf).heap


def _larger_heap(heap: int) -> int:
    return -(-to_mib(heap * 1.5) // 256) * 256


def _peaks(context: RunContext, executors: list[Executor]) -> Peaks:
    """Return the largest values of some executors; of all where it is not known which."""
    from rankhammer_doctor.event_log.run import Peaks

    found = Peaks()
    for executor in executors or context.run.workers:
        for name in Peaks.__slots__:
            setattr(found, name, max(getattr(found, name), getattr(executor.peaks, name)))
    return found


def _used(texts: list[str]) -> tuple[int, int]:
    """Return (bytes that were used, the container's limit), the largest that was said; 0 where nothing was."""
    found = [match for text in texts for match in _USED.finditer(text)]
    sizes = [(_size(one[1], one[2]), _size(one[3], one[4])) for one in found]
    return max(sizes, default=(0, 0))


def _size(number: str, unit: str) -> int:
    return int(float(number) * _UNITS[unit.replace("i", "")])
