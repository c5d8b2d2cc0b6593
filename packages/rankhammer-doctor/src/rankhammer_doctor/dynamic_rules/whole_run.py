"""The run as a whole: idle cores, joins, caches, what is missing or stuck (D18, D22 to D24, D27)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rankhammer_doctor.dynamic_rules.context import stage_name
from rankhammer_doctor.findings import ConfChange, Finding, Severity
from rankhammer_doctor.units import format_bytes, format_ms

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rankhammer_doctor.dynamic_rules.context import RunContext
    from rankhammer_doctor.event_log.run import CachedRdd
    from rankhammer_doctor.event_log.sql import SqlExecution

_MS_PER_CORE_HOUR = 3_600_000
_WEEK_MS = 168 * _MS_PER_CORE_HOUR
_JOINS = ("Join", "CartesianProduct")
_INTERACTIVE = ("shell", "thrift", "notebook", "jupyter", "zeppelin", "livy", "connect server")
"""What names of applications hold that wait for people."""


def idle_cores(context: RunContext) -> Iterator[Finding]:
    """D18: executors were there, and had nothing to do."""
    limits, run = context.thresholds["D18"], context.run
    held = core_ms(context)
    if run.is_local or not held or run.duration_ms < 1000 * limits["min_wall_s"]:
        return
    used = run.task_ms * max((stage.task_cpus for stage in run.stages.values()), default=1)
    held_hours = held / _MS_PER_CORE_HOUR
    use, idle_hours = used / held, (held - used) / _MS_PER_CORE_HOUR
    if use >= limits["info_use"] or idle_hours < limits["min_core_hours"]:
        return
    is_dynamic = run.conf.get("spark.dynamicAllocation.enabled", "false") == "true"
    is_shell = any(name in run.app_name.lower() for name in _INTERACTIVE)
    is_much = use < limits["warning_use"] and idle_hours >= limits["warning_core_hours"]
    executors = len(run.workers)
    wanted = max(1, round(executors * use / limits["info_use"]))
    key = "spark.dynamicAllocation.maxExecutors" if is_dynamic else "spark.executor.instances"
    yield Finding(
        rule="D18",
        severity=Severity.WARNING if is_much and not is_shell else Severity.INFO,
        summary=f"cores were busy {use:.0%} of the time: {idle_hours:.1f} of {held_hours:.1f} core-hours idle",
        evidence=(f"{executors} executors, {context.slots} slots at most, {format_ms(run.duration_ms)} wall time",),
        arithmetic=(f"{executors} executors x {use:.2f} / {limits['info_use']} = {wanted}",),
        remedies=(
            f"fewer executors: {key}={wanted}; the what-if table says what that costs in time",
            "dynamic allocation on a shared cluster" if not is_dynamic else "a shorter executorIdleTimeout",
        ),
        changes=(ConfChange(key, str(wanted), run.conf.get(key)),),
        effect=f"about {idle_hours:.1f} core-hours less",
        facts=(("use", round(use, 4)), ("idle_core_hours", round(idle_hours, 2))),
    )


def core_ms(context: RunContext) -> int:
    """Return how long cores were held, in milliseconds times cores."""
    end = context.run.final_ms
    return sum(
        one.cores * max(0, (one.removed_ms or end) - (one.added_ms or context.run.first_ms))
        for one in context.run.workers
    )


def incomplete_log(context: RunContext) -> Iterator[Finding]:
    """D22: parts of the log are missing."""
    missing = context.run.report.missing
    if missing:
        yield Finding(
            rule="D22",
            severity=Severity.INFO,
            summary="the log is not complete; what is there was read",
            evidence=tuple(dict.fromkeys(missing))[:10],
            remedies=("all figures are of what is there; counts can be too low",),
            facts=(("unreadable_lines", context.run.report.n_unreadable),),
        )


def exploding_joins(context: RunContext) -> Iterator[Finding]:
    """D23: a join put out many times the rows that went in."""
    limits = context.thresholds["D23"]
    for execution in context.run.executions.values():
        for place, operator in enumerate(execution.plan):
            is_join = operator.name.endswith(_JOINS) or "Join" in operator.name
            rows = execution.metric(operator, "number of output rows") if is_join else None
            given = [one for one in execution.rows_in(operator) if one is not None] if rows else []
            if not rows or not given or rows < limits["min_rows"] or rows < limits["ratio"] * max(given):
                continue
            yield _explosion(execution, place, rows, given)


def _explosion(execution: SqlExecution, place: int, rows: int, given: list[int]) -> Finding:
    operator = execution.plan[place]
    ratio = rows / max(1, *given)
    return Finding(
        rule="D23",
        severity=Severity.WARNING,
        summary=f"a join makes {rows:,} rows of {' and '.join(f'{one:,}' for one in given)}: {ratio:.0f} times as many",
        place=f"query {execution.execution_id} ({execution.description[:60]})",
        evidence=(operator.text[:200],),
        remedies=(
            "see whether the key is unique on one side, and complete: a part of a key joins everything with everything",
            "leave null and default keys out before the join",
            "aggregate before the join instead of behind it",
        ),
        effect="fewer rows to shuffle and to write",
        facts=(("rows_out", rows), ("rows_in", given)),
    )


def partial_cache(context: RunContext) -> Iterator[Finding]:
    """D24: tables that were to be cached did not fit, or were evicted."""
    limits = context.thresholds["D24"]
    lines = context.symptoms("D24")
    evicted = [(rdd_id, rdd) for rdd_id, rdd in context.run.cached.items() if rdd.n_evicted and not rdd.is_unpersisted]
    much = [
        (rdd_id, rdd)
        for rdd_id, rdd in evicted
        if rdd.n_evicted >= max(limits["min_partitions"], _share(rdd, limits["missing_share"]))
    ]
    if not lines and not much:
        return
    shared = 0.6 * (context.container.heap - 300 * 2**20)
    yield Finding(
        rule="D24",
        severity=Severity.WARNING,
        summary="cached tables do not fit into memory: their partitions are evicted and computed again",
        evidence=(*lines, *(f"RDD {rdd_id}: {rdd.n_evicted} blocks evicted" for rdd_id, rdd in much[:5])),
        arithmetic=(f"storage and execution share 0.6 x (heap - 300 MiB) = {format_bytes(max(0, shared))}",),
        remedies=(
            "unpersist what is no longer read",
            "MEMORY_AND_DISK, or a serialized level: smaller than objects",
            f"more memory: spark.{context.who}.memory, or more executors",
        ),
        effect="cached data is read, and not computed again",
    )


def _share(rdd: CachedRdd, share: float) -> float:
    return share * (len(rdd.memory) + rdd.n_evicted)


def stuck_stages(context: RunContext) -> Iterator[Finding]:
    """D27: a stage runs, and no task has ended for long."""
    run, limit = context.run, 1000 * context.thresholds["D27"]["longest_s"]
    if run.end_ms is not None:
        return
    for stage in run.stages.values():
        n_running = stage.n_started - stage.n_complete - stage.n_failed - stage.n_killed
        if stage.status != "ACTIVE" or n_running < 1 or stage.first_launch_ms is None:
            continue
        waited = run.final_ms - (stage.last_finish_ms or stage.first_launch_ms)
        yield Finding(
            rule="D27",
            # Beyond a week the log's times contradict each other: clocks differ, or somebody has put it together.
            severity=Severity.WARNING if limit <= waited < _WEEK_MS else Severity.INFO,
            summary=f"the log ends while {n_running} tasks run",
            place=stage_name(run, stage.key),
            evidence=(f"{stage.n_complete} of {stage.n_tasks} tasks are done",),
            remedies=("thread dumps of its executors (web UI, Executors) say what they do",),
            facts=(("running", n_running),),
        )
