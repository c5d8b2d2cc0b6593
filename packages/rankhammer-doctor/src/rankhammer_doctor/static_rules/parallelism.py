"""Partitions, slots, dynamic allocation, barrier stages and training (S5 to S11, S13)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rankhammer_doctor.findings import ConfChange, Finding, Severity
from rankhammer_doctor.units import MIB, format_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rankhammer_doctor.static_rules.context import ConfContext

_PARTITIONS = "spark.sql.shuffle.partitions"
_DYNAMIC = "spark.dynamicAllocation."
_AQE = "spark.sql.adaptive.enabled"
_LONG_HOURS = 2


def shuffle_partitions(context: ConfContext) -> Iterator[Finding]:
    """S5: a shuffle's partitions are neither too large nor far too many."""
    limits, n_bytes = context.thresholds["S5"], context.job.shuffle or context.job.input
    count = context.whole(_PARTITIONS, 200)
    if not n_bytes:
        return
    each = n_bytes / max(1, count)
    wanted = max(1, int(-(-n_bytes // (limits["partition_mb"] * MIB))))
    sums = (f"{format_bytes(n_bytes)} / {count} = {format_bytes(each)} a partition", f"/ 128 MiB = {wanted} partitions")
    change = (ConfChange(_PARTITIONS, str(wanted), context.conf.get(_PARTITIONS)),)
    if each > limits["max_partition_mb"] * MIB:
        yield Finding(
            rule="S5",
            severity=Severity.WARNING,
            summary=f"shuffle partitions of {format_bytes(each)}: tasks will spill or run out of memory",
            place=_PARTITIONS,
            arithmetic=sums,
            remedies=(f"{_PARTITIONS}={wanted}",),
            changes=change,
            effect="tasks hold about 128 MiB",
        )
    many = context.slots is not None and count > limits["cores_factor"] * context.slots
    if many and n_bytes < limits["tiny_input_mb"] * MIB and not context.flag(_AQE, default=True):
        yield Finding(
            rule="S5",
            severity=Severity.WARNING,
            summary=f"{count} shuffle partitions for {format_bytes(n_bytes)}, and adaptive execution is off",
            place=_PARTITIONS,
            arithmetic=sums,
            remedies=(f"turn {_AQE} on", f"or {_PARTITIONS}={max(wanted, context.slots or 1)}"),
            changes=(ConfChange(_AQE, "true", context.conf.get(_AQE)),),
            effect="tasks are joined where they are tiny",
        )


def partitions_per_slot(context: ConfContext) -> Iterator[Finding]:
    """S6: two to four partitions a slot."""
    limits, slots = context.thresholds["S6"], context.slots
    if slots is None or context.is_local:
        return
    for key in (_PARTITIONS, "spark.default.parallelism"):
        if key not in context.conf:
            continue
        count = context.whole(key, 0)
        if 0 < count < slots:
            wanted = int(limits["min_per_slot"] * slots)
            yield Finding(
                rule="S6",
                severity=Severity.WARNING,
                summary=f"{count} partitions for {slots} slots: {slots - count} cores have nothing to do",
                place=key,
                arithmetic=(f"{limits['min_per_slot']:g} x {slots} = {wanted}",),
                remedies=(f"{key}={wanted}",),
                changes=(ConfChange(key, str(wanted), context.conf.get(key)),),
                effect="every core has work, and a slow task holds up less",
            )


def dynamic_allocation(context: ConfContext) -> Iterator[Finding]:
    """S7: dynamic allocation only where executors are shared, can go, and no stage needs all at once."""
    if not context.is_dynamic:
        return
    off = (ConfChange(f"{_DYNAMIC}enabled", "false", "true"),)
    if context.job.barrier:
        yield Finding(
            rule="S7",
            severity=Severity.ERROR,
            summary="barrier stages do not start with dynamic allocation ([SPARK-24942])",
            place=f"{_DYNAMIC}enabled",
            remedies=("turn it off for the stages with barriers", "one task per model, which needs no barrier"),
            changes=off,
            effect="all workers start together",
        )
    elif context.shape.shared is False:
        yield Finding(
            rule="S7",
            severity=Severity.INFO,
            summary="dynamic allocation on a cluster of one's own: executors that go have to be started again",
            place=f"{_DYNAMIC}enabled",
            remedies=("a fixed number (spark.executor.instances)",),
            changes=off,
            effect="no waiting for executors",
        )
    tracks = context.flag(f"{_DYNAMIC}shuffleTracking.enabled", default=True)
    if not tracks and not context.flag("spark.shuffle.service.enabled", default=False):
        yield Finding(
            rule="S7",
            severity=Severity.ERROR,
            summary="dynamic allocation needs a shuffle service or shuffle tracking: Spark refuses to start",
            place=f"{_DYNAMIC}shuffleTracking.enabled",
            remedies=("turn shuffle tracking on",),
            changes=(ConfChange(f"{_DYNAMIC}shuffleTracking.enabled", "true", "false"),),
            effect="the session starts",
        )


def cap_on_executors(context: ConfContext) -> Iterator[Finding]:
    """S8: a run on a shared cluster does not take it all."""
    key, limits, shape = f"{_DYNAMIC}maxExecutors", context.thresholds["S8"], context.shape
    if not context.is_dynamic or shape.shared is False or context.is_local:
        return
    share = limits["long_share"] if (context.job.hours or 0) >= _LONG_HOURS else limits["short_share"]
    container = shape.rounded(context.executor.total)
    whole = shape.nodes * shape.yarn_memory if shape.nodes and shape.yarn_memory else None
    fits = max(1, int(share * whole // container)) if whole else None
    sums = (f"{share:g} x {format_bytes(whole)} / {format_bytes(container)} = {fits} executors",) if whole else ()
    executors = context.executors
    if executors is None or (fits is not None and executors > fits):
        said = "no limit" if executors is None else f"up to {executors}"
        yield Finding(
            rule="S8",
            severity=Severity.WARNING,
            summary=f"dynamic allocation with {said}: the run may take the whole cluster",
            place=key,
            evidence=("a queue's own limit does the same, if it is set",),
            arithmetic=sums,
            remedies=(f"{key}={fits or '<executors that others can spare>'}",),
            changes=(ConfChange(key, str(fits), context.conf.get(key)),) if fits else (),
            effect="others keep their share",
        )


def cores_of_a_fit(context: ConfContext) -> Iterator[Finding]:
    """S9: while XGBoost trains, a task has all cores of its executor."""
    if context.job.xgboost and context.task_cpus != context.cores and not context.is_local:
        yield Finding(
            rule="S9",
            severity=Severity.WARNING,
            summary=f"XGBoost trains with {context.task_cpus} threads in executors of {context.cores} cores",
            place="spark.task.cpus",
            evidence=("its nthread is spark.task.cpus; other tasks in the executor take memory from it",),
            remedies=(f"spark.task.cpus={context.cores} while training",),
            changes=(ConfChange("spark.task.cpus", str(context.cores), context.conf.get("spark.task.cpus")),),
            effect="one fit an executor, with all its cores",
        )


def workers_fit(context: ConfContext) -> Iterator[Finding]:
    """S10 and S11: the workers of a model, and of all models at once, have slots."""
    slots, job = context.slots, context.job
    if slots is None or not job.workers or not (job.barrier or job.xgboost):
        return
    models = job.models_in_parallel or 1
    sums = f"{context.executors} executors x {context.cores} cores / {context.task_cpus} a task = {slots} slots"
    if job.workers > slots:
        yield Finding(
            rule="S10",
            severity=Severity.ERROR,
            summary=f"{job.workers} workers of one model, and {slots} slots: Spark waits ten minutes, then fails",
            place="job.workers",
            evidence=("[SPARK-24819] after 40 checks, 15 s apart",),
            arithmetic=(sums,),
            remedies=(f"at most {slots} workers", "more executors"),
            effect="the stage starts",
        )
    elif models * job.workers > slots:
        yield Finding(
            rule="S11",
            severity=Severity.WARNING,
            summary=f"{models} models x {job.workers} workers = {models * job.workers}, and {slots} slots",
            place="job.models_in_parallel",
            arithmetic=(sums,),
            remedies=(f"{slots // job.workers} models in parallel",),
            effect="no model waits while it holds slots",
        )


def failures_allowed(context: ConfContext) -> Iterator[Finding]:
    """S13: a task may fail before the job does."""
    key = "spark.task.maxFailures"
    if (
        key in context.conf
        and not context.is_local
        and context.whole(key, 4) < context.thresholds["S13"]["min_failures"]
    ):
        yield Finding(
            rule="S13",
            severity=Severity.WARNING,
            summary=f"{key}={context.conf[key]}: the first task that fails ends the job, as does every lost node",
            place=key,
            remedies=(f"{key}=4, Spark's default: the job ends at the fourth failure of one task",),
            changes=(ConfChange(key, "4", context.conf[key]),),
            effect="a lost executor costs its tasks, and not the run",
        )
