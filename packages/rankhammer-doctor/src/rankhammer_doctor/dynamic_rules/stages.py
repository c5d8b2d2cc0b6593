"""What stages waste: spills and garbage collection, repeated work, tiny tasks and files (D17, D19, D20)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rankhammer_doctor.dynamic_rules.context import stage_name
from rankhammer_doctor.findings import ConfChange, Finding, Severity
from rankhammer_doctor.units import MIB, format_bytes, format_ms, to_mib

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rankhammer_doctor.dynamic_rules.context import RunContext
    from rankhammer_doctor.event_log.run import Stage
    from rankhammer_doctor.event_log.sql import SqlExecution

_PARTITIONS = "spark.sql.shuffle.partitions"
_PARTITION = 128 * MIB
_SHOWN = 5


def spill(context: RunContext) -> Iterator[Finding]:
    """D17: tasks did not have the memory that they needed, and wrote to disk."""
    limits = context.thresholds["D17"]
    for stage in context.executed:
        spilled = stage.totals.disk_spilled
        moved = max(stage.bytes_in, stage.totals.shuffle_write_bytes, 1)
        if spilled < limits["min_spill_mb"] * MIB or spilled < limits["spill_share"] * moved:
            continue
        wanted = max(stage.n_tasks + 1, -(-max(stage.bytes_in, stage.totals.memory_spilled) // _PARTITION))
        old = context.conf.get(_PARTITIONS)
        reads_shuffle = stage.totals.shuffle_read_bytes > 0
        yield Finding(
            rule="D17",
            severity=Severity.WARNING,
            summary=f"{format_bytes(spilled)} were spilled to disk: tasks hold more than their share of memory",
            place=stage_name(context.run, stage.key),
            evidence=(
                (
                    f"{format_bytes(stage.totals.memory_spilled)} in memory, {format_bytes(spilled)} on disk, "
                    f"{format_bytes(stage.bytes_in)} read by {stage.n_complete} tasks"
                ),
            ),
            arithmetic=(f"max(read, spilled from memory) / 128 MiB = {wanted} partitions; there were {stage.n_tasks}",),
            remedies=(
                f"more partitions: {_PARTITIONS}={wanted}"
                if reads_shuffle
                else "smaller input splits or a repartition",
                f"more memory for each core: spark.{context.who}.memory up, or spark.executor.cores down",
            ),
            changes=(ConfChange(_PARTITIONS, str(wanted), old),) if reads_shuffle else (),
            effect="sorts and aggregations stay in memory",
            facts=(("disk_bytes", spilled), ("memory_bytes", stage.totals.memory_spilled)),
        )


def garbage_collection(context: RunContext) -> Iterator[Finding]:
    """D17: a large part of the task time was garbage collection."""
    limits, run = context.thresholds["D17"], context.run
    run_ms = sum(stage.totals.run_ms for stage in run.stages.values())
    gc_ms = sum(stage.totals.gc_ms for stage in run.stages.values())
    if run_ms <= 0 or gc_ms < 1000 * limits["min_gc_s"] or gc_ms / run_ms < limits["gc_warning"]:
        return
    share = gc_ms / run_ms
    heap, cores = context.container.heap, max((one.cores for one in run.workers), default=1) or 1
    wanted = -(-to_mib(heap * 1.5) // 256) * 256
    worst = sorted(context.executed, key=lambda stage: -stage.totals.gc_ms)[:3]
    key = f"spark.{context.who}.memory"
    yield Finding(
        rule="D17",
        severity=Severity.ERROR if share >= limits["gc_error"] else Severity.WARNING,
        summary=f"garbage collection took {share:.0%} of the task time",
        evidence=tuple(
            f"{stage_name(run, stage.key)}: {format_ms(stage.totals.gc_ms)} of {format_ms(stage.totals.run_ms)}"
            for stage in worst
        ),
        arithmetic=(f"heap for each core: {format_bytes(heap / cores)} = {format_bytes(heap)} / {cores}",),
        remedies=(
            f"raise {key} to {wanted}m, or give an executor fewer cores",
            "more partitions: less in memory at once",
            "cache less, or serialized (MEMORY_ONLY_SER, DISK_ONLY)",
        ),
        changes=(ConfChange(key, f"{wanted}m", f"{to_mib(heap)}m"),),
        effect="cores compute instead of collecting",
        facts=(("gc_share", round(share, 4)),),
    )


def repeated_stages(context: RunContext) -> Iterator[Finding]:
    """D19: the same stage, on the same data, was computed again and again."""
    limits, groups = context.thresholds["D19"], dict[tuple[object, ...], list["Stage"]]()
    for stage in context.executed:
        if stage.totals.input_rows and stage.attempt == 0 and not stage.is_of_stream:
            groups.setdefault(_work(stage), []).append(stage)
    all_ms = sum(stage.totals.run_ms for stage in context.run.stages.values())
    for repeated in groups.values():
        jobs = {job for stage in repeated for job in stage.jobs}
        total = sum(stage.totals.run_ms for stage in repeated)
        wasted = total - max(stage.totals.run_ms for stage in repeated)
        is_much = wasted >= 1000 * limits["min_total_s"] and wasted >= limits["min_share"] * all_ms
        if len(jobs) < limits["min_runs"] or not is_much:
            continue
        first = repeated[0]
        yield Finding(
            rule="D19",
            severity=Severity.WARNING,
            summary=f"the same work was done {len(repeated)} times: {format_ms(wasted)} of task time for nothing",
            place=stage_name(context.run, first.key),
            evidence=(
                (
                    f"stages {', '.join(str(stage.stage_id) for stage in repeated[:10])} read the same "
                    f"{first.totals.input_rows:,} rows by the same steps"
                ),
            ),
            remedies=(
                "persist the frame before its first use, and unpersist it after the last",
                "checkpoint instead where the plan itself has become long: persist keeps the plan, checkpoint cuts it",
                "one pass for several results: observe, or several aggregations in one agg",
            ),
            effect=f"up to {format_ms(wasted)} less task time",
            facts=(("runs", len(repeated)), ("wasted_ms", wasted)),
        )


def _work(stage: Stage) -> tuple[object, ...]:
    """Return what makes two stages the same work: steps, and exactly the same rows and bytes of input and output."""
    totals = stage.totals
    return (
        stage.steps,
        stage.n_tasks,
        totals.input_rows,
        totals.input_bytes,
        totals.shuffle_write_rows,
        totals.output_rows,
    )


def tiny_tasks(context: RunContext) -> Iterator[Finding]:
    """D20: most of a stage's time is the scheduling of its tasks."""
    limits = context.thresholds["D20"]
    for stage in context.executed:
        times = stage.distribution("duration_ms")
        overhead = stage.scheduler_delay_ms + stage.totals.deserialize_ms
        is_tiny = times.count >= limits["min_tasks"] and times.median < limits["median_ms"]
        if (
            not is_tiny
            or times.total < 1000 * limits["min_total_s"]
            or overhead < limits["overhead_share"] * times.total
        ):
            continue
        reads_shuffle = stage.totals.shuffle_read_bytes > 0
        wanted = max(context.slots * 2, int(-(-stage.bytes_in // _PARTITION)), 1)
        yield Finding(
            rule="D20",
            severity=Severity.WARNING,
            summary=f"{times.count} tasks with a median of {format_ms(times.median)}: scheduling takes "
            f"{overhead / times.total:.0%} of their time",
            place=stage_name(context.run, stage.key),
            evidence=(f"{format_bytes(stage.bytes_in)} for {stage.n_tasks} tasks",),
            arithmetic=(f"max(2 x {context.slots} slots, bytes / 128 MiB) = {wanted} partitions",),
            remedies=(
                f"fewer partitions: {_PARTITIONS}={wanted}, coalesce, or adaptive execution"
                if reads_shuffle
                else "fewer and larger files or partitions of the input: compact it, or coalesce after reading",
            ),
            changes=(ConfChange(_PARTITIONS, str(wanted), context.conf.get(_PARTITIONS)),) if reads_shuffle else (),
            effect=f"about {format_ms(overhead)} less task time",
            facts=(("tasks", times.count), ("median_ms", times.median)),
        )


def small_files(context: RunContext) -> Iterator[Finding]:
    """D20: thousands of tiny files were read or written."""
    limits = context.thresholds["D20"]
    for execution in context.run.executions.values():
        for count, size, verb in _files(execution):
            if count < limits["min_files"] or size / count > limits["small_file_mb"] * MIB:
                continue
            wanted = max(1, int(-(-size // _PARTITION)))
            cure = (
                f"repartition({wanted}) before the write, or spark.sql.adaptive.advisoryPartitionSizeInBytes=128m"
                if verb == "written"
                else f"compact them once: {wanted} files of 128 MiB"
            )
            yield Finding(
                rule="D20",
                severity=Severity.WARNING,
                summary=f"{count:,} files of {format_bytes(size / count)} were {verb}",
                place=f"query {execution.execution_id} ({execution.description[:60]})",
                evidence=(f"{format_bytes(size)} in all",),
                arithmetic=(f"{format_bytes(size)} / 128 MiB = {wanted} files",),
                remedies=(cure,),
                effect="less listing, fewer requests, fewer tasks",
                facts=(("files", count), ("bytes", size), ("direction", verb)),
            )


def _files(execution: SqlExecution) -> Iterator[tuple[int, int, str]]:
    """Yield (files, bytes, read or written) of an execution's scans and writes."""
    names = (
        ("number of files read", "size of files read", "read"),
        ("number of written files", "written output", "written"),
    )
    for operator in execution.plan:
        for number, size, verb in names:
            count, n_bytes = execution.metric(operator, number), execution.metric(operator, size)
            if count and n_bytes:
                yield count, n_bytes, verb
