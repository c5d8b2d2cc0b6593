"""How writes end (D6): renames on S3, which copy every file, and commits that take long."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rankhammer_doctor.committers import S3, Way, committer_of, keys_to_set
from rankhammer_doctor.findings import ConfChange, Finding, Severity
from rankhammer_doctor.units import format_bytes, format_ms

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rankhammer_doctor.committers import Committer
    from rankhammer_doctor.dynamic_rules.context import RunContext
    from rankhammer_doctor.event_log.sql import SqlExecution

_SHOWN = 5


@dataclass(frozen=True)
class Write:
    """A write that has ended.

    Args:
        execution: The query that wrote.
        gap_ms: From its last task to its end; what its job's commit took is in it.
        is_slow: Whether that is long, for itself and beside the query.
    """

    execution: SqlExecution
    gap_ms: int
    is_slow: bool

    @property
    def place(self) -> str:
        """What people call it."""
        return f"query {self.execution.execution_id} ({self.execution.description[:60]})"

    @property
    def evidence(self) -> str:
        """What was written, and how long its end took."""
        one = self.execution
        wrote = f": {one.files_written:,} files, {format_bytes(one.bytes_written or 0)}" if one.files_written else ""
        commit = f", its commit {format_ms(one.commit_ms)}" if one.commit_ms else ""
        return f"{one.output}{wrote}; {format_ms(self.gap_ms)} after its last task{commit}"


def commits(context: RunContext) -> Iterator[Finding]:
    """D6: files were renamed into place on S3, or a write was still being committed long after its last task."""
    conf, hadoop, version = context.conf, context.run.hadoop_conf, context.run.version
    renamed: dict[Committer, list[Write]] = {}
    for write in _writes(context):
        output = write.execution.output
        committer = committer_of(output, conf, hadoop, version=version) if output.startswith(S3) else None
        if committer is not None and committer.renames:
            renamed.setdefault(committer, []).append(write)
        elif write.is_slow:
            yield _slow(write, committer)
    for committer, writes in renamed.items():
        yield _renames(context, committer, writes)


def _writes(context: RunContext) -> Iterator[Write]:
    limits = context.thresholds["D6"]
    for execution in context.run.executions.values():
        last = context.last_task_of_query.get(execution.execution_id)
        if not execution.output or not execution.ended_ms or last is None:
            continue
        gap = max(0, execution.ended_ms - last)
        is_slow = gap >= 1000 * limits["min_gap_s"] and gap >= limits["min_share"] * execution.duration_ms
        yield Write(execution, gap, is_slow)


def _renames(context: RunContext, committer: Committer, writes: list[Write]) -> Finding:
    files = sum(write.execution.files_written or 0 for write in writes)
    gap = sum(write.gap_ms for write in writes)
    is_much = any(write.is_slow for write in writes) or files >= context.thresholds["D6"]["min_files"]
    slowest = sorted(writes, key=lambda write: write.gap_ms, reverse=True)
    in_tasks = committer.way is Way.RENAMES_IN_TASKS
    each = f"{format_ms(gap)} / {files:,} files = {gap / files:.0f} ms a file" if files and not in_tasks else ""
    many = f"{len(writes)} writes to S3 were" if len(writes) > 1 else "the write to S3 was"
    return Finding(
        rule="D6",
        severity=Severity.WARNING if is_much else Severity.INFO,
        summary=f"{many} committed by {committer.way.value}, which S3 does not have: "
        f"{f'{files:,} files were' if files else 'each file was'} copied"
        + ("" if in_tasks else f", {format_ms(gap)} after the last task"),
        place=slowest[0].place,
        evidence=(committer.said, *(write.evidence for write in slowest[:_SHOWN])),
        arithmetic=(each,) if each else (),
        remedies=(
            "the magic committer, with the jar spark-hadoop-cloud",
            "write to HDFS, then copy with s3-dist-cp",
            "fewer and larger files (D20)",
        ),
        changes=tuple(
            ConfChange(key, value, context.conf.get(key)) for key, value in keys_to_set(context.conf).items()
        ),
        effect="no file is copied, and none is seen before all are there",
        facts=(("gap_ms", gap), ("files", files), ("committer", committer.way.name.lower())),
    )


def _slow(write: Write, committer: Committer | None) -> Finding:
    """One that does not rename on S3: the number of files takes long, or something that only its owner knows."""
    is_unknown = committer is not None and committer.way is Way.UNKNOWN
    on_s3 = "fewer files; fs.s3a.committer.threads, where it is S3A's" if committer else "fewer files"
    return Finding(
        rule="D6",
        severity=Severity.WARNING if is_unknown else Severity.INFO,
        summary=f"the write was committed for {format_ms(write.gap_ms)} after its last task",
        place=write.place,
        evidence=(*([committer.said] if committer else []), write.evidence),
        remedies=(on_s3, *(("see whether its committer renames",) if is_unknown else ())),
        effect=f"up to {format_ms(write.gap_ms)} less",
        facts=(("gap_ms", write.gap_ms), ("committer", committer.way.name.lower() if committer else "")),
    )
