"""Tasks that take far longer than the others of their stage, and why (D5)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rankhammer_doctor.dynamic_rules.context import stage_name
from rankhammer_doctor.findings import ConfChange, Finding, Severity
from rankhammer_doctor.units import format_bytes, format_ms

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rankhammer_doctor.dynamic_rules.context import RunContext
    from rankhammer_doctor.event_log.run import Run, Stage, TaskSample

DATA, GC, DESERIALIZATION, WARM_UP, SLOW_NODE, OTHER = (
    "data",
    "garbage collection",
    "deserialization",
    "warm-up",
    "slow node",
    "computation",
)
_AQE = "spark.sql.adaptive.enabled"
_MEANING = {
    GC: "its JVM collected garbage most of that time: D17, not the data",
    DESERIALIZATION: "it waited for code and broadcast data: the closure or the plan is large (D8)",
    WARM_UP: "it was among the first on its executor: the JVM was still loading and compiling",
    SLOW_NODE: "all tasks of its host are slow",
    OTHER: "it had no more data than the others: its rows cost more, or its node was busy",
}


@dataclass(frozen=True)
class Straggler:
    """A stage's slowest task against the median.

    Args:
        task: The slowest one.
        time_ratio: Its time by the median.
        bytes_ratio: What it read by the median; 0 where nothing was read.
        rows_ratio: The larger one of rows read and rows written.
        cause: One of the six of this module.
        lost_ms: What the stage would save if it were as fast as the median.
    """

    task: TaskSample
    time_ratio: float
    bytes_ratio: float
    rows_ratio: float
    cause: str
    lost_ms: int

    @property
    def data_ratio(self) -> float:
        """The larger one of both."""
        return max(self.bytes_ratio, self.rows_ratio)


def straggler_of(run: Run, stage: Stage, limits: Mapping[str, float]) -> Straggler | None:
    """Compare a stage's slowest task with the median.

    Args:
        run: The run.
        stage: One whose tasks have ended.
        limits: Thresholds of D5.

    Returns:
        None where the time ratio is below the threshold, or there are too few tasks.
    """
    times = stage.distribution("duration_ms")
    if times.count < limits["min_tasks"] or stage.slowest is None:
        return None
    task, median = stage.slowest, max(1.0, times.median)
    time_ratio = task.duration_ms / median
    if time_ratio < limits["time_ratio"]:
        return None
    n_bytes = _ratio(task.bytes_in, stage.distribution("bytes_in").median)
    rows = max(
        _ratio(task.rows_in, stage.distribution("rows_in").median),
        _ratio(task.rows_out, stage.distribution("rows_out").median),
    )
    cause = _cause(run, stage, task, max(n_bytes, rows), limits)
    # Another task waits less long than the slowest: what is gained is bounded by the next stage's start.
    return Straggler(task, time_ratio, n_bytes, rows, cause, int(task.duration_ms - median))


def skew(context: RunContext) -> Iterator[Finding]:
    """D5: few tasks dominate a stage; needs time, data and a floor of seconds."""
    limits = context.thresholds["D5"]
    for stage in context.executed:
        found = straggler_of(context.run, stage, limits)
        if found is None or not _matters(context, found):
            continue
        yield _by_data(context, stage, found) if found.cause == DATA else _otherwise(context, stage, found)
    yield from _single_tasks(context)


def _matters(context: RunContext, found: Straggler) -> bool:
    limits = context.thresholds["D5"]
    if found.task.duration_ms < 1000 * limits["min_task_s"]:
        return False
    enough = found.lost_ms >= 1000 * limits["min_lost_s"]
    return enough or found.lost_ms >= limits["min_lost_share"] * context.run.duration_ms


def _cause(run: Run, stage: Stage, task: TaskSample, data_ratio: float, limits: Mapping[str, float]) -> str:
    if data_ratio >= limits["data_ratio"]:
        return DATA
    excess = max(1.0, task.duration_ms - stage.distribution("duration_ms").median)
    if task.gc_ms >= excess / 2:
        return GC
    executor = run.executors.get(task.executor)
    is_first = (
        executor is not None
        and executor.first_finish_ms is not None
        and task.launch_ms < executor.first_finish_ms
        and excess <= 1000 * limits["warm_up_max_s"]
    )
    if is_first:
        return WARM_UP
    if task.deserialize_ms >= excess / 2:
        return DESERIALIZATION
    return SLOW_NODE if _is_slow_host(stage, task, limits["slow_host_ratio"]) else OTHER


def _is_slow_host(stage: Stage, slowest: TaskSample, ratio: float) -> bool:
    """Say whether a host's other tasks are slow, too; the slowest one itself does not count."""
    here, others = stage.host_ms.get(slowest.host, [0, 0]), [0, 0]
    for name, (count, total) in stage.host_ms.items():
        if name != slowest.host:
            others[0] += count
            others[1] += total
    rest_count, rest_ms = here[0] - 1, here[1] - slowest.duration_ms
    if rest_count < 1 or not others[0]:
        return False
    return rest_ms / rest_count >= ratio * max(1.0, others[1] / others[0])


def _by_data(context: RunContext, stage: Stage, found: Straggler) -> Finding:
    task = found.task
    conf = context.conf
    is_adaptive = conf.get(_AQE, "true").lower() == "true"
    operators = _operators(context.run, stage)
    is_join = any("Join" in name for name in operators)
    changes = () if is_adaptive or not is_join else (ConfChange(_AQE, "true", conf.get(_AQE)),)
    adaptive = (
        "lower spark.sql.adaptive.skewJoin.skewedPartitionThresholdInBytes: Spark divides larger partitions of joins"
        if is_adaptive
        else f"turn on {_AQE}: Spark divides skewed partitions of joins by itself"
    )
    window = "a window or a group over one hot key needs another computation: no setting divides a key"
    is_window = any("Window" in name for name in operators)
    return Finding(
        rule="D5",
        severity=Severity.WARNING,
        summary=f"data skew: the slowest task takes {found.time_ratio:.1f} times the median and has "
        f"{_much(stage, found)}",
        place=stage_name(context.run, stage.key),
        evidence=_evidence(stage, found),
        arithmetic=(f"{format_ms(task.duration_ms)} - median: {format_ms(found.lost_ms)} in which other cores wait",),
        remedies=(
            *((adaptive,) if is_join else ()),
            *((window,) if is_window else ()),
            "more partitions, where several large keys share one",
            "leave the rows of robots, nulls and defaults out before the shuffle: they are mostly what is skewed",
            "salt the key: group by (key, random number), then by key",
            *(() if is_window else (window,)),
        ),
        changes=changes,
        effect=f"the stage ends up to {format_ms(found.lost_ms)} earlier",
        facts=_facts(found),
    )


def _much(stage: Stage, found: Straggler) -> str:
    is_alone = not stage.distribution("bytes_in").median or not stage.distribution("rows_in").median
    return "the data, while half of the tasks have none" if is_alone else f"{found.data_ratio:.1f} times its data"


def _operators(run: Run, stage: Stage) -> set[str]:
    """Return the names of the operators of a stage's query; empty where it is of none, or its plan was not kept."""
    execution = None if stage.execution is None else run.executions.get(stage.execution)
    return {operator.name for operator in execution.plan} if execution is not None else set()


def _otherwise(context: RunContext, stage: Stage, found: Straggler) -> Finding:
    return Finding(
        rule="D5",
        severity=Severity.INFO,
        summary=f"a slow task, and no data skew: {found.time_ratio:.1f} times the median in time, "
        f"{found.data_ratio:.1f} in data; {_MEANING[found.cause]}",
        place=stage_name(context.run, stage.key),
        evidence=_evidence(stage, found),
        remedies=("nothing about partitions: they are even",),
        effect="none by repartitioning",
        facts=_facts(found),
    )


def _single_tasks(context: RunContext) -> Iterator[Finding]:
    limits, wall = context.thresholds["D5"], context.run.duration_ms
    for stage in context.executed:
        is_long = stage.duration_ms >= max(1000 * limits["single_task_min_s"], limits["single_task_share"] * wall)
        if stage.n_tasks == 1 and is_long and context.slots > 1 and stage.rows_in > 1:
            yield Finding(
                rule="D5",
                severity=Severity.INFO,
                summary=f"one task does the whole stage for {format_ms(stage.duration_ms)}, {context.slots} could run",
                place=stage_name(context.run, stage.key),
                evidence=(f"{stage.rows_in:,} rows, {format_bytes(stage.bytes_in)} read by one task",),
                remedies=("a window without PARTITION BY, coalesce(1) or a file that cannot be split: give it a key",),
                effect="the other cores take part",
            )


def _evidence(stage: Stage, found: Straggler) -> tuple[str, ...]:
    times, sizes, rows = (stage.distribution(name) for name in ("duration_ms", "bytes_in", "rows_in"))
    task = found.task
    return (
        f"time: median {format_ms(times.median)}, slowest {format_ms(task.duration_ms)} ({found.time_ratio:.1f} x)",
        f"bytes: median {format_bytes(sizes.median)}, that {format_bytes(task.bytes_in)} ({found.bytes_ratio:.1f} x)",
        f"rows: median {rows.median:,.0f}, that {task.rows_in:,} ({found.rows_ratio:.1f} x)",
        (
            f"task {task.index} of {stage.n_tasks} on {task.host}, executor {task.executor}; "
            f"garbage collection {format_ms(task.gc_ms)}, deserialization {format_ms(task.deserialize_ms)}"
        ),
    )


def _facts(found: Straggler) -> tuple[tuple[str, object], ...]:
    return (
        ("cause", found.cause),
        ("time_ratio", round(found.time_ratio, 2)),
        ("bytes_ratio", round(found.bytes_ratio, 2)),
        ("rows_ratio", round(found.rows_ratio, 2)),
        ("lost_ms", found.lost_ms),
    )


def _ratio(value: float, median: float) -> float:
    """Divide; where the median task has nothing, the other's own amount counts against one unit."""
    return value / max(1.0, median) if value else 0.0
