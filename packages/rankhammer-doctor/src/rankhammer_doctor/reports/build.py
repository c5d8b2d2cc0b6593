"""Makes a report: reads, asks the rules, and puts text, JSON and page together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rankhammer_doctor.compare import compare, slower
from rankhammer_doctor.dynamic_rules import check_run
from rankhammer_doctor.dynamic_rules.context import RunContext
from rankhammer_doctor.errors import DoctorError
from rankhammer_doctor.event_log import read_run
from rankhammer_doctor.event_log.location import logs_in
from rankhammer_doctor.exit_codes import exit_code
from rankhammer_doctor.findings import ranked
from rankhammer_doctor.redaction import redact_settings, redact_text, redact_value
from rankhammer_doctor.reports import html, plots, text
from rankhammer_doctor.reports.facts import Report, head, log_facts
from rankhammer_doctor.text_logs import read_text_logs
from rankhammer_doctor.thresholds import read_thresholds
from rankhammer_doctor.units import format_ms
from rankhammer_doctor.what_if import what_if

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from rankhammer_doctor.compare import Comparison
    from rankhammer_doctor.event_log.run import Run
    from rankhammer_doctor.findings import Finding
    from rankhammer_doctor.static_rules.inputs import ConfSource
    from rankhammer_doctor.what_if import WhatIf

_SETTINGS = 12


def log_report(
    place: str, *, logs: Path | None = None, thresholds: Path | None = None, executor_cores: int | None = None
) -> Report:
    """Read an event log, and report on it.

    Args:
        place: Of the event log.
        logs: Folder of driver and executor logs.
        thresholds: File that replaces thresholds.
        executor_cores: Cores of an executor in the what-if table; None for those that the run had.

    Raises:
        DoctorError: Something cannot be read.
    """
    limits = read_thresholds(thresholds)
    run = read_run(place)
    said = None if logs is None else read_text_logs(logs, containers(run))
    findings = check_run(run, limits, said)
    estimates = what_if(run, cores=executor_cores)

    def facts(most_stages: int | None = None) -> dict[str, Any]:
        return log_facts(run, findings, estimates, limits, logs=said, most_stages=most_stages)

    def page() -> str:
        context = RunContext(run, limits, said)
        return html.log_page(
            facts(html.MOST_STAGES), [plots.timeline(run), plots.memory_by_kind(context), plots.skew(run)]
        )

    return Report(exit_code(findings), facts, lambda: _log_lines(run, findings, estimates), page)


def containers(run: Run) -> dict[str, str]:
    """Return YARN's container ids of a run's executors, which stand in the addresses of their logs."""
    found: dict[str, str] = {}
    for executor in run.executors.values():
        for url in executor.log_urls.values():
            names = [part for part in url.split("/") if part.startswith("container_")]
            found |= dict.fromkeys(names, executor.executor_id)
    return found


def compare_report(before: Sequence[str], after: str, *, thresholds: Path | None, newest: int) -> Report:
    """Compare a run with earlier ones.

    Args:
        before: Logs, or folders of them.
        after: The log that is looked at.
        thresholds: File that replaces thresholds.
        newest: Logs of a folder that count, the newest ones.

    Raises:
        DoctorError: Something cannot be read.
    """
    read_thresholds(thresholds)
    runs, skipped = _earlier(before, after, newest)
    if not runs:
        said = f" {'; '.join(skipped)}" if skipped else ""
        raise DoctorError(f"There is no earlier log to compare with.{said}", hint="Name one, or a folder of them.")
    found = compare(list(runs.values()), read_run(after))
    findings = ranked(slower(found))
    facts = {
        **head("compare", findings),
        "before_ms": found.before_ms,
        "after_ms": found.after_ms,
        "baseline": [redact_text(place) for place in runs],
        "skipped": skipped,
        "stages": [
            {
                "label": redact_text(row.label),
                "before_ms": row.before_ms,
                "after_ms": row.after_ms,
                "change_ms": row.change_ms,
                "cause": row.cause,
            }
            for row in found.rows
        ],
        "conf": [
            {"key": key, "before": redact_value(key, old), "after": redact_value(key, new)}
            for key, old, new in found.conf
        ],
    }
    return Report(
        exit_code(findings),
        lambda: facts,
        lambda: _comparison_lines(found, findings, skipped),
        lambda: _comparison_page(found, facts),
    )


def _earlier(before: Sequence[str], after: str, newest: int) -> tuple[dict[str, Run], list[str]]:
    """Read the logs to compare with; what is no log in a folder is passed over and named."""
    runs: dict[str, Run] = {}
    skipped: list[str] = []
    for place in before:
        for log in (log for log in logs_in(place)[-newest:] if log.rstrip("/") != after.rstrip("/")):
            run = read_run(log) if log == place else _readable(log, skipped)
            runs |= {log: run} if run is not None else {}
    return runs, skipped


def _readable(log: str, skipped: list[str]) -> Run | None:
    try:
        return read_run(log)
    except DoctorError as exc:
        skipped.append(redact_text(exc.message))
        return None


def conf_report(source: ConfSource, findings: Sequence[Finding]) -> Report:
    """Report on a configuration.

    Args:
        source: What was read.
        findings: Of the static rules.
    """
    facts = {
        **head("conf", findings),
        "source": source.kind,
        "notes": source.notes,
        "conf": redact_settings(source.conf),
    }

    def lines() -> Iterator[str]:
        yield f"{len(source.conf)} Spark keys ({source.kind})"
        yield from (f"Note: {text.plain(note)}" for note in source.notes)
        yield from text.finding_lines(findings)
        yield text.summary_line(findings)

    return Report(exit_code(findings), lambda: facts, lines, lambda: html.findings_page("configuration", facts))


def _log_lines(run: Run, findings: Sequence[Finding], estimates: WhatIf | None) -> Iterator[str]:
    yield from text.run_lines(run)
    yield ""
    yield from text.finding_lines(findings)
    if estimates is not None:
        yield ""
        yield from text.what_if_lines(estimates)
    yield ""
    yield text.summary_line(findings)


def _comparison_lines(found: Comparison, findings: Sequence[Finding], skipped: Sequence[str]) -> Iterator[str]:
    yield from (f"Not compared with: {text.plain(one)}" for one in skipped)
    yield from text.comparison_lines(found)
    for key, old, new in found.conf[:_SETTINGS]:
        yield f"setting {text.plain(key)}: {text.plain(redact_value(key, old))} -> {text.plain(redact_value(key, new))}"
    if len(found.conf) > _SETTINGS:
        yield f"{len(found.conf) - _SETTINGS} more settings differ; --json has all."
    yield ""
    yield from text.finding_lines(findings)
    yield text.summary_line(findings, "No stage is clearly slower.")


def _comparison_page(found: Comparison, facts: dict[str, object]) -> str:
    rows = (
        (redact_text(row.label), format_ms(row.before_ms), format_ms(row.after_ms), row.cause) for row in found.rows
    )
    return html.findings_page("comparison", facts, [html.table(("stages", "before", "after", "cause"), rows)])
