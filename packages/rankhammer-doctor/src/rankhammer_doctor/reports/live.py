"""The report on a run in progress."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rankhammer_doctor.exit_codes import exit_code
from rankhammer_doctor.live import live_findings, look_twice
from rankhammer_doctor.live.check import doing
from rankhammer_doctor.live.rest import find
from rankhammer_doctor.redaction import redact_text
from rankhammer_doctor.reports import html, text
from rankhammer_doctor.reports.facts import Report, head
from rankhammer_doctor.thresholds import read_thresholds
from rankhammer_doctor.units import format_ms

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from rankhammer_doctor.live.looks import Look, RunningStage

_TASKS, _FRAMES = 5, 20


def live_report(
    place: str,
    *,
    application: str | None = None,
    seconds: float = 5,
    thresholds: Path | None = None,
    on_wait: Callable[[], None] = lambda: None,
) -> Report:
    """Look at a run in progress.

    Args:
        place: Address of its web UI, a port of this machine, or its id.
        application: Its id, where several are at one address.
        seconds: Between both looks.
        thresholds: File that replaces thresholds.
        on_wait: Called before the pause.

    Raises:
        DoctorError: Nothing is there.
    """
    limits = read_thresholds(thresholds)
    first, second = look_twice(find(place, application), seconds, on_wait)
    findings = live_findings(first, second, limits)

    def facts() -> dict[str, Any]:
        active = [one for one in second.executors if one.is_active]
        return {
            **head("live", findings),
            "application": {"id": second.application[0], "name": redact_text(second.application[1])},
            "has_ended": second.is_complete,
            "executors": {"active": len(active), "slots": sum(one.slots for one in active)},
            "stages": [_stage(second, stage) for stage in second.stages],
        }

    def lines() -> Iterator[str]:
        yield from _lines(second)
        yield ""
        yield from text.finding_lines(findings)
        yield text.summary_line(findings, "Nothing stands still.")

    return Report(exit_code(findings), facts, lines, lambda: html.findings_page("a run in progress", facts()))


def _stage(look: Look, stage: RunningStage) -> dict[str, Any]:
    return {
        "id": stage.stage_id,
        "attempt": stage.attempt,
        "name": redact_text(stage.name),
        "tasks": stage.n_tasks,
        "active_tasks": stage.n_active,
        "complete_tasks": stage.n_complete,
        "failed_tasks": stage.n_failed,
        "median_ms": stage.median_ms,
        "submitted_ago_ms": round(stage.waited_ms),
        "longest": [
            {
                "task": task.task_id,
                "index": task.index,
                "executor": task.executor,
                "host": task.host,
                "duration_ms": round(task.duration_ms),
                "state": thread.state if thread else "",
                "does": redact_text(doing(thread)) if thread else "",
                "frames": [redact_text(frame) for frame in thread.frames[:_FRAMES]] if thread else [],
            }
            for task in stage.tasks[:_TASKS]
            for thread in [look.threads.get(task.task_id)]
        ],
    }


def _lines(look: Look) -> Iterator[str]:
    active = [one for one in look.executors if one.is_active]
    state = "has ended" if look.is_complete else "runs"
    yield (
        f"{text.plain(look.application[1])} ({text.plain(look.application[0])}) {state}: {len(active)} executors, "
        f"{sum(one.slots for one in active)} slots, {sum(one.n_active for one in active)} tasks run"
    )
    for stage in look.stages:
        longest = f", the longest for {format_ms(stage.tasks[0].duration_ms)}" if stage.tasks else ""
        yield (
            f"stage {stage.stage_id} ({text.plain(stage.name)[:60]}): {stage.n_complete} of {stage.n_tasks} tasks are "
            f"done, {stage.n_active} run{longest}"
        )
