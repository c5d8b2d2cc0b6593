"""What failed, in Spark's own words (D3, D4, D8, D9, D11, D12, D14 to D16, D21, D25, D26)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rankhammer_doctor.dynamic_rules.context import stage_name
from rankhammer_doctor.findings import ConfChange, Finding, Severity
from rankhammer_doctor.symptoms import is_cancellation
from rankhammer_doctor.units import KIB, MIB, format_bytes, format_ms, parse_bytes, parse_ms

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rankhammer_doctor.dynamic_rules.context import RunContext
    from rankhammer_doctor.event_log.run import Executor

_TASK_SIZE = re.compile(r"very large size \((\d+) Ki?B\)|task binary with size ([\d.]+ ?[KMGT]i?B)")
_LARGE_TASK = 2 * MIB
_AQE = "spark.sql.adaptive.enabled"
_EXIT = r"(?i)\b(?:exit(?:ed)? (?:status|code)(?: is)?|with code):? ?{}\b|signal {}\b"
_SIGKILL, _SIGTERM = re.compile(_EXIT.format(137, 9)), re.compile(_EXIT.format(143, 15))
_REASONS, _SHOWN = 3, 5


def results_too_large(context: RunContext) -> Iterator[Finding]:
    """D3: tasks returned more to the driver than it takes."""
    lines = context.symptoms("D3")
    if lines:
        limit = context.conf.get("spark.driver.maxResultSize", "1g")
        n = parse_bytes(limit, unit="b") or 0
        doubled = f"{max(1, 2 * n // MIB)}m"
        yield Finding(
            rule="D3",
            severity=Severity.ERROR,
            summary=f"tasks returned more to the driver than spark.driver.maxResultSize ({limit}) allows",
            evidence=tuple(lines),
            arithmetic=(f"2 x {limit} = {doubled}; it has to fit into spark.driver.memory several times",),
            remedies=(
                "write the result instead of collecting it, or collect a part",
                "checkpoint a plan that has become huge: its tasks return its metrics, too",
                f"raise spark.driver.maxResultSize to {doubled}, and spark.driver.memory with it",
            ),
            changes=(ConfChange("spark.driver.maxResultSize", doubled, limit),),
            effect="the job ends; memory of the driver becomes the next limit",
        )


def lost_connections(context: RunContext) -> Iterator[Finding]:
    """D4: connections or heartbeats were lost; garbage collection is looked at first."""
    symptom = context.said.get("D4")
    if symptom is None or any(rule in context.said for rule in ("D1", "D2", "D7")):
        # What the logs alone say goes well again; what follows a kill is no cause of its own.
        return
    executors = context.executors_of("D4") or context.run.workers
    run_ms = sum(one.totals.run_ms for one in executors)
    share = sum(one.totals.gc_ms for one in executors) / run_ms if run_ms else 0.0
    is_gc = share >= context.thresholds["D4"]["gc_share"]
    timeout = context.conf.get("spark.network.timeout", "120s")
    longer = f"{int(max(300_000, 2 * (parse_ms(timeout) or 0)) / 1000)}s"
    by_gc = f"garbage collection took {share:.0%} of the task time there: executors did not answer meanwhile (D17)"
    yield Finding(
        rule="D4",
        severity=Severity.ERROR if context.failed_jobs else Severity.WARNING,
        summary="connections or heartbeats of executors were lost" + (f"; {by_gc}" if is_gc else ""),
        evidence=(*context.symptoms("D4"), f"garbage collection: {share:.1%} of task time"),
        remedies=(
            *(("cure garbage collection first: more heap for each core, or more partitions",) if is_gc else ()),
            f"raise spark.network.timeout from {timeout} to {longer}",
            "look for a node that went: all losses on one host",
        ),
        changes=(ConfChange("spark.network.timeout", longer, context.conf.get("spark.network.timeout")),),
        effect="short pauses no longer end an executor",
        facts=(("gc_share", round(share, 4)), ("count", symptom.count)),
    )


def large_tasks(context: RunContext) -> Iterator[Finding]:
    """D8: a closure holds data, which travels with each task."""
    lines = context.symptoms("D8")
    if lines:
        size = max((_task_size(text) for text in context.texts("D8")), default=0)
        yield Finding(
            rule="D8",
            severity=Severity.WARNING if size >= _LARGE_TASK else Severity.INFO,
            summary=f"tasks carry data in their closure ({format_bytes(size)})",
            evidence=tuple(lines),
            remedies=(
                "put the object into a broadcast variable, which each executor fetches once",
                "read it from a file inside of the task",
                "a plan with thousands of expressions: checkpoint it",
            ),
            effect="tasks start faster, and the driver sends each object once per executor",
            facts=(("bytes", size),),
        )


def retried_tasks(context: RunContext) -> Iterator[Finding]:
    """D9: tasks failed and passed later."""
    limits = context.thresholds["D9"]
    for stage in context.run.stages.values():
        n_failed = stage.n_failed - stage.n_excused
        if n_failed <= 0 or stage.failure or stage.completed_ms is None:
            continue
        share = n_failed / (n_failed + stage.n_complete)
        is_often = share > limits["warning_share"] and n_failed >= limits["min_failed"]
        said = stage.failures.most_common(_REASONS) if stage.failures else []
        reasons = tuple(f"{count} x {text}" for text, count in said)
        yield Finding(
            rule="D9",
            severity=Severity.WARNING if is_often else Severity.INFO,
            summary=f"{n_failed} tasks failed and passed later ({share:.0%} of all attempts)",
            place=stage_name(context.run, stage.key),
            evidence=reasons,
            remedies=(
                (
                    "cure the reason that is named; tasks that fail cost their time and may end the job at "
                    "spark.task.maxFailures"
                ),
            ),
            effect="no work is done twice",
            facts=(("failed", n_failed), ("complete", stage.n_complete), ("share", round(share, 4))),
        )


def barrier(context: RunContext) -> Iterator[Finding]:
    """D11: a barrier stage could not be scheduled."""
    lines = context.symptoms("D11")
    if lines:
        said = context.texts("D11")
        is_dynamic = any("24942" in text for text in said)
        has_failed = any("SPARK-" in text or "up to 0 more times" in text for text in said)
        how = "could not start" if has_failed else "had to wait"
        key = "spark.dynamicAllocation.enabled"
        remedy = (
            "turn dynamic allocation off (S7)" if is_dynamic else "fewer workers than slots, or more executors (S10)"
        )
        yield Finding(
            rule="D11",
            severity=Severity.ERROR if has_failed else Severity.WARNING,
            summary=f"a barrier stage {how}: all of its tasks have to run at once",
            evidence=tuple(lines),
            arithmetic=(f"slots: {context.slots}",),
            remedies=(remedy,),
            changes=(ConfChange(key, "false", context.conf.get(key)),) if is_dynamic else (),
            effect="all workers start together",
        )


def no_resources(context: RunContext) -> Iterator[Finding]:
    """D12: jobs waited for executors."""
    run, limit = context.run, context.thresholds["D12"]["min_wait_s"] * 1000
    lines = context.symptoms("D12")
    waits = []
    for job in run.jobs.values():
        stages = [run.stages.get((stage_id, 0)) for stage_id in job.stage_ids]
        launches = [stage.first_launch_ms for stage in stages if stage is not None and stage.first_launch_ms]
        if job.submitted_ms is not None:
            first = min(launches) if launches else None if job.completed_ms else run.final_ms
            # In this order: jobs can be many, and most of them start at once.
            is_long = first is not None and first - job.submitted_ms >= limit
            if first is not None and is_long and not _workers_at(context, job.submitted_ms):
                waits.append((first - job.submitted_ms, job.job_id))
    longest, job_id = max(waits, default=(0, -1))
    if not lines and (not waits or run.is_local):
        return
    evidence = (f"job {job_id} waited {format_ms(longest)} for its first task",) if longest >= limit else ()
    has_failed = not any(stage.n_complete for stage in run.stages.values())
    yield Finding(
        rule="D12",
        severity=Severity.ERROR if has_failed else Severity.WARNING,
        summary="jobs waited for executors: the queue is full, or no node has room for one",
        evidence=(*lines, *evidence),
        arithmetic=(f"an executor asks for {context.container.arithmetic()}",),
        remedies=(
            "see in the ResourceManager who has the queue; another queue, or wait",
            "smaller executors: one has to fit into what a node has free (S1)",
            "fewer: what is asked for has to fit into the queue's share (S3)",
        ),
        effect="the first job starts at once",
        facts=(("wait_ms", longest),),
    )


def broadcast_timeout(context: RunContext) -> Iterator[Finding]:
    """D15: a table could not be broadcast in time."""
    lines = context.symptoms("D15")
    if lines:
        old = context.conf.get("spark.sql.autoBroadcastJoinThreshold")
        timeout = context.conf.get("spark.sql.broadcastTimeout", "300")
        is_adaptive = context.conf.get(_AQE, "true").lower() == "true"
        yield Finding(
            rule="D15",
            severity=Severity.ERROR,
            summary=f"a table could not be broadcast within {timeout} s",
            evidence=tuple(lines),
            remedies=(
                "spark.sql.autoBroadcastJoinThreshold=-1 where the table is large: Spark then joins by a shuffle",
                f"raise spark.sql.broadcastTimeout from {timeout} where making the table takes long",
                *(() if is_adaptive else (f"turn on {_AQE}: Spark 4 then waits for a table however long it takes",)),
                "leave the broadcast hint out",
            ),
            changes=(ConfChange("spark.sql.autoBroadcastJoinThreshold", "-1", old),),
            effect="the join no longer waits for the driver",
        )


def lost_blocks(context: RunContext) -> Iterator[Finding]:
    """D16: blocks of HDFS or of a shuffle were not there."""
    lines = context.symptoms("D16")
    if not lines or any(rule in context.said for rule in ("D1", "D2", "D7", "D13")):
        return
    is_hdfs = any("BlockMissing" in text or "obtain block" in text for text in context.texts("D16"))
    hosts = sorted({host for one in context.run.failures.values() if one.kind == "FetchFailed" for host in one.hosts})
    cure = (
        "hdfs fsck PATH -files -blocks -locations: a file whose only replica is lost has to be made again",
        "keep at least two replicas (dfs.replication) of what runs read",
    )
    of_shuffle = (
        "nothing, where a node or an executor was lost once: Spark has computed the stage again",
        "look at why executors went (D1, D4, D26)",
        "an external shuffle service, or shuffle tracking, where executors come and go",
    )
    yield Finding(
        rule="D16",
        severity=Severity.ERROR if context.failed_jobs else Severity.WARNING,
        summary="blocks of HDFS could not be read" if is_hdfs else "shuffle data was lost and had to be computed again",
        evidence=(*lines, *((f"fetched on: {', '.join(hosts[:5])}",) if hosts else ())),
        remedies=cure if is_hdfs else of_shuffle,
        effect="stages are not computed twice",
        facts=(("kind", "hdfs" if is_hdfs else "shuffle"), ("count", context.count("D16"))),
    )


def disk_full(context: RunContext) -> Iterator[Finding]:
    """D25: a local disk was full."""
    lines = context.symptoms("D25")
    if lines:
        yield Finding(
            rule="D25",
            severity=Severity.ERROR,
            summary="a local disk was full: shuffles, spills and cached data lie there",
            evidence=tuple(lines),
            remedies=(
                "larger or more disks for spark.local.dir (on YARN: yarn.nodemanager.local-dirs)",
                "more executors on other nodes, so that each holds less",
                "unpersist what is no longer read; write large intermediate results to HDFS or S3",
            ),
            effect="tasks no longer fail while they write",
        )


def unexplained_losses(context: RunContext) -> Iterator[Finding]:
    """D26: executors went without anybody saying that it was memory."""
    explained = {one.executor_id for rule in ("D1", "D2", "D4", "D7") for one in context.executors_of(rule)}
    lost = [one for one in context.lost_executors if one.executor_id not in explained]
    taken = context.taken_executors
    if taken:
        yield Finding(
            rule="D26",
            severity=Severity.INFO,
            summary=f"the cluster took {len(taken)} executor(s) away",
            evidence=tuple(_loss(one) for one in taken[:_SHOWN]),
            remedies=("nothing: their tasks ran again; a queue of one's own where it happens often",),
            facts=(("taken", len(taken)),),
        )
    if not lost:
        return
    killed = [one for one in lost if _SIGKILL.search(one.reason)]
    yield Finding(
        rule="D26",
        severity=Severity.WARNING,
        summary=f"{len(lost)} executor(s) were lost before the end",
        evidence=tuple(_loss(one) for one in lost[:_SHOWN]),
        remedies=(_why_lost(lost), "all on one host: look at that node"),
        effect="work is not done twice",
        facts=(("executors", len(lost)), ("killed", len(killed)), ("hosts", sorted({one.host for one in lost}))),
    )


def _why_lost(lost: list[Executor]) -> str:
    if any(_SIGKILL.search(one.reason) for one in lost):
        return "exit code 137 is SIGKILL: the kernel's out-of-memory killer (dmesg on the node), or somebody's kill -9"
    where = "the executor's own log says why: `yarn logs -applicationId ...`, then --logs FOLDER"
    if any(_SIGTERM.search(one.reason) for one in lost):
        return f"exit code 143 is SIGTERM: on YARN that is how Spark ends an executor whose heap is full; {where}"
    return where


def failed_jobs(context: RunContext) -> Iterator[Finding]:
    """D21: jobs failed, and no other rule says why."""
    failed = [job for job in context.run.jobs.values() if job.succeeded is False]
    reasons = [*(job.failure for job in failed), *(one.error for one in context.run.executions.values() if one.error)]
    if not reasons or _is_explained(context):
        return
    is_cancelled = all(map(is_cancellation, reasons))
    shown = {reason.strip().partition("\n")[0][:300] for reason in reasons}
    causes = {line.strip()[:300] for reason in reasons for line in reason.splitlines() if "Caused by" in line}
    yield Finding(
        rule="D21",
        severity=Severity.INFO if is_cancelled else Severity.ERROR,
        summary=f"{max(1, len(failed))} job(s) {'were cancelled' if is_cancelled else 'failed'}",
        place=", ".join(f"job {job.job_id}" for job in failed[:5]),
        evidence=tuple(sorted(shown)[:_REASONS]) + tuple(sorted(causes)[:_REASONS]),
        remedies=("cure what the message names; it comes from the application's own code or its data",),
        effect="the job ends well",
        facts=(("jobs", [job.job_id for job in failed]),),
    )


def _is_explained(context: RunContext) -> bool:
    telling = ("D1", "D2", "D3", "D7", "D11", "D13", "D14", "D15", "D16", "D25", "D4")
    return any(rule in context.said for rule in telling)


def _workers_at(context: RunContext, time_ms: int) -> bool:
    return any(
        one.cores and (one.added_ms or 0) <= time_ms and (one.removed_ms is None or one.removed_ms > time_ms)
        for one in context.run.workers
    )


def _loss(executor: Executor) -> str:
    return f"executor {executor.executor_id} on {executor.host}: {executor.reason.strip()[:250]}"


def _task_size(text: str) -> int:
    found = _TASK_SIZE.search(text)
    if not found:
        return 0
    return int(found[1]) * KIB if found[1] else parse_bytes(found[2]) or 0
