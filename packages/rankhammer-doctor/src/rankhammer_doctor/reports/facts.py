"""A report as plain values, for JSON and for the pages; `SCHEMA_VERSION` changes when a name or a meaning does."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import rankhammer_doctor
from rankhammer_doctor.dynamic_rules.skew import straggler_of
from rankhammer_doctor.exit_codes import exit_code
from rankhammer_doctor.findings import Severity
from rankhammer_doctor.redaction import redact_settings, redact_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from rankhammer_doctor.event_log.run import Executor, Run, Stage
    from rankhammer_doctor.event_log.sql import SqlExecution
    from rankhammer_doctor.findings import Finding
    from rankhammer_doctor.text_logs import TextLogs
    from rankhammer_doctor.thresholds import Thresholds
    from rankhammer_doctor.what_if import WhatIf

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Report:
    """One report in its three forms.

    Args:
        exit_code: 0, or that of the gravest finding.
        make_facts: Makes plain values, for JSON.
        lines: Makes its text.
        page: Makes its HTML.
    """

    exit_code: int
    make_facts: Callable[[], dict[str, Any]]
    lines: Callable[[], Iterable[str]]
    page: Callable[[], str]

    @cached_property
    def facts(self) -> dict[str, Any]:
        """Plain values; made when somebody asks, since a run can have very many stages."""
        return self.make_facts()


_SHOWN = 200


def head(kind: str, findings: Sequence[Finding]) -> dict[str, Any]:
    """Return what every report begins with.

    Args:
        kind: conf, log or compare.
        findings: All of them.
    """
    counts = {
        severity.label: sum(one.severity == severity for one in findings) for severity in reversed(list(Severity))
    }
    return {
        "schema_version": SCHEMA_VERSION,
        "doctor": rankhammer_doctor.__version__,
        "kind": kind,
        "counts": counts,
        "exit_code": exit_code(findings),
        "findings": [finding.as_dict() for finding in findings],
    }


def log_facts(
    run: Run,
    findings: Sequence[Finding],
    estimates: WhatIf | None,
    thresholds: Thresholds,
    *,
    logs: TextLogs | None = None,
    most_stages: int | None = None,
) -> dict[str, Any]:
    """Describe a run and what was found in it.

    Args:
        run: The event log.
        findings: Of all rules.
        estimates: By number of executors.
        thresholds: For the verdict about each stage's slowest task.
        logs: Text logs that were read, too.
        most_stages: Stages that are described, those with the most work; None for all.
    """
    longest = sorted(run.stages.values(), key=lambda one: -one.totals.run_ms)[:most_stages]
    return {
        **head("log", findings),
        "application": _application(run),
        "log": _log(run, logs),
        "stages": [_stage(run, stage, thresholds) for stage in sorted(longest, key=lambda one: one.key)],
        "executors": [_executor(one) for one in run.executors.values()],
        "jobs": [
            {
                "id": job.job_id,
                "status": _status(succeeded=job.succeeded),
                "submitted_ms": job.submitted_ms,
                "completed_ms": job.completed_ms,
                "description": redact_text(job.description),
                "group": redact_text(job.group),
                "stages": list(job.stage_ids),
                "query": job.execution,
            }
            for job in run.jobs.values()
        ],
        "queries": [_query(one) for one in run.executions.values()],
        "what_if": _what_if(estimates),
        "conf": redact_settings(run.conf),
    }


def _application(run: Run) -> dict[str, Any]:
    return {
        "id": run.app_id,
        "attempt": run.attempt,
        "name": redact_text(run.app_name),
        "user": run.user,
        "spark_version": run.version,
        "java_version": run.jvm.get("Java Version", ""),
        "start_ms": run.start_ms,
        "end_ms": run.end_ms,
        "duration_ms": run.duration_ms,
        "is_local": run.is_local,
    }


def _log(run: Run, logs: TextLogs | None) -> dict[str, Any]:
    report = run.report
    return {
        "name": run.name,
        "in_progress": run.in_progress,
        "bytes": report.n_bytes,
        "lines": report.n_lines,
        "unreadable_lines": report.n_unreadable,
        "missing": list(dict.fromkeys(report.missing)),
        "unknown_events": dict(run.unknown_events),
        "text_logs": {"files": logs.n_files, "lines": logs.n_lines, "skipped": logs.skipped} if logs else None,
    }


def _stage(run: Run, stage: Stage, thresholds: Thresholds) -> dict[str, Any]:
    totals, times = stage.totals, stage.distribution("duration_ms")
    slow = straggler_of(run, stage, thresholds["D5"]) if stage.n_complete else None
    return {
        "id": stage.stage_id,
        "attempt": stage.attempt,
        "name": redact_text(stage.name),
        "description": redact_text(stage.description),
        "group": redact_text(stage.group),
        "node": stage.node,
        "query": stage.execution,
        "jobs": stage.jobs,
        "status": stage.status,
        "failure": redact_text(stage.failure[:_SHOWN]),
        "tasks": stage.n_tasks,
        "complete_tasks": stage.n_complete,
        "complete_indices": stage.n_indices,
        "failed_tasks": stage.n_failed,
        "killed_tasks": stage.n_killed,
        "submitted_ms": stage.submitted_ms,
        "first_task_ms": stage.first_launch_ms,
        "completed_ms": stage.completed_ms,
        "duration_ms": stage.duration_ms,
        "task_time": {"total_ms": times.total, "median_ms": times.median, "max_ms": times.maximum},
        "scheduler_delay_ms": stage.scheduler_delay_ms,
        **{name: getattr(totals, name) for name in totals.__slots__},
        "slowest_task": None
        if slow is None
        else {
            "cause": slow.cause,
            "index": slow.task.index,
            "executor": slow.task.executor,
            "host": slow.task.host,
            "time_ratio": round(slow.time_ratio, 2),
            "bytes_ratio": round(slow.bytes_ratio, 2),
            "rows_ratio": round(slow.rows_ratio, 2),
        },
    }


def _executor(one: Executor) -> dict[str, Any]:
    totals = one.totals
    return {
        "id": one.executor_id,
        "host": one.host,
        "cores": one.cores,
        "added_ms": one.added_ms,
        "removed_ms": one.removed_ms,
        "removed_reason": redact_text(one.reason),
        "tasks": one.n_complete + one.n_failed + one.n_killed,
        "complete_tasks": one.n_complete,
        "failed_tasks": one.n_failed,
        "killed_tasks": one.n_killed,
        "task_ms": one.duration_ms,
        "gc_ms": totals.gc_ms,
        "input_bytes": totals.input_bytes,
        "shuffle_read_bytes": totals.shuffle_read_bytes,
        "shuffle_write_bytes": totals.shuffle_write_bytes,
        "peaks": {name: getattr(one.peaks, name) for name in one.peaks.__slots__},
    }


def _query(execution: SqlExecution) -> dict[str, Any]:
    return {
        "id": execution.execution_id,
        "description": redact_text(execution.description[:_SHOWN]),
        "status": "FAILED" if execution.error else "COMPLETED" if execution.ended_ms else "RUNNING",
        "duration_ms": execution.duration_ms,
        "jobs": execution.jobs,
        "output": redact_text(execution.output),
        "operators": [
            {
                "name": operator.name,
                "text": redact_text(operator.text[:_SHOWN]),
                "rows_in": execution.rows_in(operator),
                "rows_out": execution.rows_out(place),
                "inputs": operator.children,
            }
            for place, operator in enumerate(execution.plan)
        ],
    }


def _status(*, succeeded: bool | None) -> str:
    return "RUNNING" if succeeded is None else "SUCCEEDED" if succeeded else "FAILED"


def _what_if(found: WhatIf | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "observed_ms": found.observed_ms,
        "driver_ms": found.driver_ms,
        "critical_ms": round(found.critical_ms),
        "calibration": round(found.calibration, 3),
        "smallest_within_10_percent": {"executors": found.smallest.executors, "cores": found.smallest.cores},
        "estimates": [
            {
                "executors": one.executors,
                "cores": one.cores,
                "wall_ms": round(one.wall_ms),
                "core_hours": round(one.core_hours, 4),
                "is_observed": one.is_observed,
            }
            for one in found.estimates
        ],
    }
