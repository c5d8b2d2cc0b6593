"""`rankhammer doctor`: thin; the rules are in the package rankhammer-doctor."""

from __future__ import annotations

import functools
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rankhammer.cli.options import WholeHelp, ends_with_exit_code, env_option, json_option

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from rankhammer.runs.doctor_inputs import DoctorInputs
    from rankhammer_doctor.findings import Finding

_FILE = click.Path(path_type=Path, dir_okay=False)
_NEWEST = 10


def _report_options(command: Callable[..., Any]) -> Callable[..., Any]:
    options = (
        json_option("the report"),
        click.option("--html", type=_FILE, help="Write one page with plots to this file."),
        click.option("--thresholds", type=_FILE, help="YAML that replaces thresholds of rules."),
    )
    return functools.reduce(lambda found, option: option(found), reversed(options), command)


def _with_its_errors(command: Callable[..., int]) -> Callable[..., int]:
    """Let the doctor's own errors end as ours do."""

    @functools.wraps(command)
    def ended(*args: Any, **given: Any) -> int:
        from rankhammer.errors import ConfigError

        try:
            from rankhammer_doctor.errors import DoctorError
        except ModuleNotFoundError:
            hint = "`make setup` installs it, as does `pip install ./packages/rankhammer-doctor`."
            raise ConfigError("The package rankhammer-doctor is not installed.", hint=hint) from None
        try:
            return command(*args, **given)
        except DoctorError as exc:
            raise ConfigError(exc.message, hint=exc.hint) from exc

    return ended


@click.group(cls=WholeHelp, short_help="Say before a run what will fail, and after one what to change.")
def doctor() -> None:
    """Say before a run what will fail, and after one what to change (docs/doctor/)."""


@doctor.command(epilog="Example:  rankhammer doctor conf --env=prod --cluster shape.yml")
@env_option()
@click.option("--pipeline", "-p", default="__default__", help="Stage, branch or line that is to run.")
@click.option("--cluster", type=_FILE, help="YAML with the cluster's shape; asked of the ResourceManager by default.")
@click.option("--fix", is_flag=True, help="Write the changes into conf/<env>/spark.yml, after asking.")
@_report_options
@ends_with_exit_code
@_with_its_errors
def conf(env: str | None, *, pipeline: str, cluster: Path | None, fix: bool, as_json: bool, **given: Any) -> int:
    """Check what a run would be submitted with against the cluster.

    Exit codes: 0, 2 (something to correct first), 4 (warnings), 5 (errors).
    """
    from rankhammer.runs.doctor_inputs import read_inputs
    from rankhammer_doctor.cli import show
    from rankhammer_doctor.reports.build import conf_report
    from rankhammer_doctor.static_rules import check_conf
    from rankhammer_doctor.static_rules.inputs import YAML, ConfSource
    from rankhammer_doctor.static_rules.shape import read_shape
    from rankhammer_doctor.thresholds import read_thresholds

    limits = read_thresholds(given["thresholds"])
    found = read_inputs(env, pipeline, read_shape(cluster) if cluster else None)
    check = functools.partial(check_conf, shape=found.shape, thresholds=limits, environ=found.environ, is_python=True)
    findings = check(found.conf)
    source = ConfSource(YAML, dict(found.conf), file=found.file, notes=list(found.notes))
    code = show(conf_report(source, findings), as_json=as_json, html=given["html"])
    if fix:
        _fix(found, source, check)
    return code


@doctor.command(epilog="Example:  rankhammer doctor log application_1700000000000_0004 --env=prod --html report.html")
@click.argument("place")
@env_option("Kedro environment whose spark.eventLog.dir an application's id is looked for in.")
@click.option("--logs", type=click.Path(path_type=Path, exists=True), help="Folder of driver and executor logs.")
@click.option("--executor-cores", type=click.IntRange(min=1), help="Cores of an executor in the what-if table.")
@_report_options
@ends_with_exit_code
@_with_its_errors
def log(place: str, env: str | None, *, as_json: bool, html: Path | None, **given: Any) -> int:
    """Read the event log at PLACE (path, URI or application's id), and say what to change.

    Exit codes: 0, 2 (nothing could be read), 4 (warnings), 5 (errors).
    """
    from rankhammer.runs.doctor_inputs import event_log
    from rankhammer_doctor.cli import show
    from rankhammer_doctor.reports.build import log_report

    with event_log(place, env) as found:
        report = log_report(found, **given)
    return show(report, as_json=as_json, html=html)


@doctor.command(epilog="Example:  rankhammer doctor compare history/ eventlog_v2_application_1700000000000_0004")
@click.argument("before", nargs=-1, required=True)
@click.argument("after")
@env_option("Kedro environment whose spark.eventLog.dir applications' ids are looked for in.")
@_report_options
@ends_with_exit_code
@_with_its_errors
def compare(before: tuple[str, ...], after: str, env: str | None, *, as_json: bool, **given: Any) -> int:
    """Say which stages of AFTER are slower than in BEFORE (logs, applications' ids, or a folder whose last ten count).

    Exit codes: 0, 2 (nothing could be read), 4 (something is slower).
    """
    from rankhammer.runs.doctor_inputs import event_log
    from rankhammer_doctor.cli import show
    from rankhammer_doctor.reports.build import compare_report

    with ExitStack() as opened:
        places = [opened.enter_context(event_log(place, env)) for place in (*before, after)]
        report = compare_report(places[:-1], places[-1], thresholds=given["thresholds"], newest=_NEWEST)
        return show(report, as_json=as_json, html=given["html"])


@doctor.command(epilog="Example:  rankhammer doctor live application_1700000000000_0004")
@click.argument("place")
@click.option("--application", default=None, help="Its id, where several are at one address.")
@click.option(
    "--seconds",
    type=click.FloatRange(0, 600),
    default=5,
    show_default=True,
    help="Between the two looks.",
)
@_report_options
@ends_with_exit_code
@_with_its_errors
def live(place: str, *, application: str | None, seconds: float, as_json: bool, html: Path | None, **given: Any) -> int:
    """Look at a run in progress at PLACE (address of its web UI, port, or application's id): what stands still, where.

    Exit codes: 0, 2 (nothing answers there), 4 (something stands still).
    """
    from rankhammer.runs.doctor_inputs import live_place
    from rankhammer_doctor.cli import say_wait, show
    from rankhammer_doctor.reports.live import live_report

    report = live_report(
        live_place(place), application=application, seconds=seconds, on_wait=lambda: say_wait(seconds), **given
    )
    return show(report, as_json=as_json, html=html)


def _fix(found: DoctorInputs, source: Any, check: Callable[[Mapping[str, str]], list[Finding]]) -> None:
    """Write changes into conf/<env>/spark.yml; what is worked out of cluster.yml is overridden there."""
    from rankhammer_doctor.cli import fix

    found.file.parent.mkdir(parents=True, exist_ok=True)
    source.text = found.file.read_text() if found.file.exists() else ""
    fix(source, check, is_agreed=False)
