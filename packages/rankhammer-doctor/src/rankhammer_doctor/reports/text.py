"""Findings for a terminal."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click

from rankhammer_doctor.findings import Severity
from rankhammer_doctor.units import format_bytes, format_ms

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rankhammer_doctor.compare import Comparison
    from rankhammer_doctor.event_log.run import Run
    from rankhammer_doctor.findings import Finding
    from rankhammer_doctor.what_if import WhatIf

_COLOURS = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.INFO: "blue"}
_BREAK = re.compile(r"[\t\n\v\f\r\x85\u2028\u2029]+ *")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""Of terminals, and those that turn the direction of writing."""
NO_VERSION = "(its version is not in the log)"
_TOP = 8
_LABEL = 48


def plain(text: str) -> str:
    """Return a text of a log on one line, without characters that move a terminal's cursor or change its colours."""
    return _CONTROL.sub("?", _BREAK.sub(" ", text))


def finding_lines(findings: Sequence[Finding]) -> Iterator[str]:
    """Yield each finding: what, evidence, arithmetic, remedies, the change, the page."""
    for finding in findings:
        severity = click.style(f"{finding.severity.label:7}", fg=_COLOURS[finding.severity], bold=True)
        place = f" [{plain(finding.place)}]" if finding.place else ""
        yield f"{severity} {click.style(finding.rule, bold=True)} {plain(finding.summary)}{place}"
        yield from (f"          {plain(line)}" for line in finding.evidence)
        yield from (f"        = {plain(line)}" for line in finding.arithmetic)
        yield from (f"     {place}. {plain(remedy)}" for place, remedy in enumerate(finding.remedies, 1))
        yield from _diff(finding)
        if finding.effect:
            yield f"        > {plain(finding.effect)}"
        yield f"          {finding.docs}"


def _diff(finding: Finding) -> Iterator[str]:
    files = dict.fromkeys(change.file for change in finding.changes)
    for file in files:
        yield f"          {file}"
        for change in finding.changes:
            if change.file == file:
                colours = {"-": "red", "+": "green"}
                yield from (click.style(f"            {plain(line)}", fg=colours[line[0]]) for line in change.lines())


def summary_line(findings: Sequence[Finding], nothing: str = "Nothing to change.") -> str:
    """Count findings by severity; `nothing` is what is said without any."""
    counts = [(severity, sum(one.severity == severity for one in findings)) for severity in reversed(list(Severity))]
    said = [f"{count} {severity.label}{'s' if count != 1 else ''}" for severity, count in counts if count]
    return ", ".join(said) or nothing


def run_lines(run: Run) -> Iterator[str]:
    """Yield what the run was, and its longest stages."""
    name, version = plain(run.app_name or run.name), plain(run.version or NO_VERSION)
    yield f"{name} ({plain(run.app_id or 'no id')}), Spark {version}, {format_ms(run.duration_ms)}"
    if run.in_progress or run.end_ms is None:
        yield "The application has not ended, or its log has not."
    done = sum(stage.n_complete for stage in run.stages.values())
    yield f"{len(run.jobs)} jobs, {len(run.stages)} stages, {done:,} tasks, {len(run.workers)} executors"
    longest = sorted((one for one in run.stages.values() if one.n_complete), key=lambda one: -one.totals.run_ms)[:_TOP]
    if longest:
        yield ""
        yield f"{'stage':>9}  {'what':{_LABEL}} {'tasks':>7} {'time':>12} {'task time':>12} {'read':>10} {'GC':>5}"
    for stage in longest:
        share = stage.totals.gc_ms / stage.totals.run_ms if stage.totals.run_ms else 0
        key = f"{stage.stage_id}.{stage.attempt}" if stage.attempt else str(stage.stage_id)
        yield (
            f"{key:>9}  {plain(stage.label)[:_LABEL]:{_LABEL}} {stage.n_complete:>7} "
            f"{format_ms(stage.duration_ms):>12} {format_ms(stage.totals.run_ms):>12} "
            f"{format_bytes(stage.bytes_in):>10} {share:>5.0%}"
        )


def what_if_lines(found: WhatIf) -> Iterator[str]:
    """Yield the table of wall time and cost by size."""
    yield f"{'executors':>10} {'cores each':>11} {'wall time':>14} {'core-hours':>11}"
    for one in found.estimates:
        marks = [
            *(["this run"] if one.is_observed else []),
            *(["within 10 % of the best"] if one == found.smallest else []),
        ]
        yield (
            f"{one.executors:>10} {one.cores:>11} {format_ms(one.wall_ms):>14} {one.core_hours:>11.2f}  "
            f"{', '.join(marks)}"
        ).rstrip()
    yield f"No job ran for {format_ms(found.driver_ms)} of {format_ms(found.observed_ms)}: more executors do not help."


def comparison_lines(found: Comparison) -> Iterator[str]:
    """Yield what has become slower or faster, with the cause."""
    yield f"wall time: {format_ms(found.before_ms)} -> {format_ms(found.after_ms)}"
    yield f"{'what':{_LABEL}} {'before':>12} {'after':>12} {'change':>12}  cause"
    for row in found.rows[: 2 * _TOP]:
        sign = "+" if row.change_ms >= 0 else "-"
        yield (
            f"{plain(row.label)[:_LABEL]:{_LABEL}} {format_ms(row.before_ms):>12} {format_ms(row.after_ms):>12} "
            f"{sign + format_ms(abs(row.change_ms)):>12}  {plain(row.cause)}"
        )
