"""The command line: `rankhammer-doctor conf`, `log`, `compare`, `live` and `mcp`."""

from __future__ import annotations

import functools
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import orjson

from rankhammer_doctor import __version__
from rankhammer_doctor.errors import DoctorError
from rankhammer_doctor.exit_codes import USER_ERROR
from rankhammer_doctor.thresholds import read_thresholds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from rankhammer_doctor.findings import Finding
    from rankhammer_doctor.reports.facts import Report
    from rankhammer_doctor.static_rules.inputs import ConfSource

_EXIT_CODES = "Exit codes: 0, 2 (something to correct in the command), 4 (warnings), 5 (errors)."
_BASELINE = 10


def output_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --json, --html and --thresholds to a command."""
    options = (
        click.option("--json", "as_json", is_flag=True, help="Print the report as JSON (docs/doctor/json.md)."),
        click.option("--html", type=click.Path(path_type=Path, dir_okay=False), help="Write one page to this file."),
        click.option(
            "--thresholds",
            type=click.Path(path_type=Path, dir_okay=False),
            help="YAML that replaces thresholds of rules.",
        ),
    )
    return functools.reduce(lambda found, option: option(found), reversed(options), command)


def ends_with_exit_code(command: Callable[..., int]) -> Callable[..., None]:
    """Let a command end with its exit code, and what the user can cure with a message."""

    @functools.wraps(command)
    def ended(*args: Any, **given: Any) -> None:
        try:
            sys.exit(command(*args, **given))
        except DoctorError as error:
            click.secho(f"Error: {error}", fg="red", err=True)
            sys.exit(USER_ERROR)

    return ended


@click.group(name="rankhammer-doctor")
@click.version_option(__version__, prog_name="rankhammer-doctor")
def doctor() -> None:
    """Say before a run of Spark what will fail, and after one what to change."""


@doctor.command(epilog="Example:  rankhammer-doctor conf spark-defaults.conf --cluster shape.yml --fix")
@click.argument("source")
@click.option(
    "--cluster", type=click.Path(path_type=Path, dir_okay=False), help="YAML: the cluster's shape, and the job."
)
@click.option("--here", is_flag=True, help="This machine submits: check its environment, too.")
@click.option("--fix", "wants_fix", is_flag=True, help="Write the changes of the first remedies, after asking.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@output_options
@ends_with_exit_code
def conf(source: str, *, cluster: Path | None, here: bool, wants_fix: bool, yes: bool, **given: Any) -> int:
    """Check SOURCE (a spark-submit line, spark-defaults.conf, an EMR JSON, flat YAML) against a cluster's shape."""
    from rankhammer_doctor.reports.build import conf_report
    from rankhammer_doctor.static_rules import check_conf
    from rankhammer_doctor.static_rules.inputs import read_conf
    from rankhammer_doctor.static_rules.shape import read_shape, with_site

    read = read_conf(source)
    check = functools.partial(
        check_conf,
        shape=with_site(read_shape(cluster), read.site),
        thresholds=read_thresholds(given["thresholds"]),
        environ=dict(os.environ) if here else None,
        is_python=read.is_python,
        platform=read.defaults,
    )
    findings = check(read.conf)
    code = show(conf_report(read, findings), as_json=given["as_json"], html=given["html"])
    if wants_fix:
        fix(read, check, is_agreed=yes)
    return code


def fix(source: ConfSource, check: Callable[[Mapping[str, str]], Iterable[Finding]], *, is_agreed: bool) -> None:
    """Write changes into the file that they are for, after asking; say what is left to do by hand.

    Args:
        source: What was read.
        check: Returns the findings about a configuration, the gravest first.
        is_agreed: Write without asking.
    """
    from rankhammer_doctor.reports.text import summary_line
    from rankhammer_doctor.static_rules.fixes import fixed, settled
    from rankhammer_doctor.static_rules.inputs import SUBMIT

    found = settled(source.conf, check)
    changes = found.changes
    for change in found.elsewhere:
        click.echo(f"By hand, in {change.file}: {change.key}={change.value}", err=True)
    if not changes:
        click.echo("Nothing to write.", err=True)
        return
    if source.file is None or source.kind == SUBMIT:
        click.echo("Flags for spark-submit, in place of those that set the same:", err=True)
        click.echo(fixed(source, changes))
        return
    for change in changes:
        click.echo("\n".join(change.lines()), err=True)
    click.echo(f"The doctor then says: {summary_line(found.left)}", err=True)
    text = fixed(source, changes)
    if is_agreed or click.confirm(f"Write {len(changes)} keys into {source.file}?", err=True):
        source.file.write_text(text, encoding="utf-8")
        click.echo(f"{source.file} is written.", err=True)


@doctor.command(
    epilog="Example:  rankhammer-doctor log eventlog_v2_application_17_0004 --logs logs/ --html report.html"
)
@click.argument("place")
@click.option("--logs", type=click.Path(path_type=Path, exists=True), help="Folder of driver and executor logs.")
@click.option("--executor-cores", type=click.IntRange(min=1), help="Cores of an executor in the what-if table.")
@output_options
@ends_with_exit_code
def log(
    place: str,
    *,
    logs: Path | None,
    executor_cores: int | None,
    as_json: bool,
    html: Path | None,
    thresholds: Path | None,
) -> int:
    """Read the event log at PLACE (file, rolling folder, zip; also s3:// and hdfs://) and say what to change."""
    from rankhammer_doctor.reports.build import log_report

    report = log_report(place, logs=logs, thresholds=thresholds, executor_cores=executor_cores)
    return show(report, as_json=as_json, html=html)


@doctor.command(epilog="Example:  rankhammer-doctor compare history/ eventlog_v2_application_17_0004")
@click.argument("before", nargs=-1, required=True)
@click.argument("after")
@output_options
@ends_with_exit_code
def compare(before: tuple[str, ...], after: str, *, as_json: bool, html: Path | None, thresholds: Path | None) -> int:
    """Say what is slower in AFTER than in BEFORE: one log, several, or a folder whose last ten count."""
    from rankhammer_doctor.reports.build import compare_report

    report = compare_report(before, after, thresholds=thresholds, newest=_BASELINE)
    return show(report, as_json=as_json, html=html)


@doctor.command(epilog="Example:  rankhammer-doctor live http://127.0.0.1:4040")
@click.argument("place")
@click.option("--application", default=None, help="Its id, where several are at one address.")
@click.option(
    "--seconds",
    type=click.FloatRange(0, 600),
    default=5,
    show_default=True,
    help="Between the two looks.",
)
@output_options
@ends_with_exit_code
def live(
    place: str, *, application: str | None, seconds: float, as_json: bool, html: Path | None, thresholds: Path | None
) -> int:
    """Look at a run in progress at PLACE: address of its web UI, port of this machine, or an application's id there."""
    from rankhammer_doctor.reports.live import live_report

    report = live_report(
        place, application=application, seconds=seconds, thresholds=thresholds, on_wait=lambda: say_wait(seconds)
    )
    return show(report, as_json=as_json, html=html)


@doctor.command(epilog="Example:  rankhammer-doctor mcp --root /data/spark-history")
@click.option(
    "--root",
    "roots",
    multiple=True,
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Folder that may be read; repeatable. The current one by default.",
)
@ends_with_exit_code
def mcp(roots: tuple[Path, ...]) -> int:
    """Answer an assistant over MCP, on standard input and output (needs the extra `mcp`)."""
    from rankhammer_doctor.mcp_server import serve

    serve(roots or (Path(),))
    return 0


def say_wait(seconds: float) -> None:
    """Say that it takes a moment, to who looks on."""
    click.echo(f"Looking again in {seconds:g} s", err=True)


def show(report: Report, *, as_json: bool, html: Path | None) -> int:
    """Print a report, write its page, and return the exit code."""
    if html is not None:
        try:
            html.write_text(report.page(), encoding="utf-8")
        except OSError as exc:
            raise DoctorError(f"{html} cannot be written: {exc}", hint="Name another file.") from exc
    if as_json:
        click.echo(as_text(report.facts))
    else:
        _print(report.lines())
    return report.exit_code


def as_text(facts: dict[str, Any]) -> str:
    """Write a report as JSON; a damaged log can hold numbers of more than 64 bits, which orjson refuses."""
    try:
        return orjson.dumps(facts, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS).decode()
    except orjson.JSONEncodeError:
        return json.dumps(facts, indent=2, default=str)


def _print(lines: Iterable[str]) -> None:
    for line in lines:
        click.echo(line)


def main() -> None:
    """Entry point of the command."""
    doctor(prog_name="rankhammer-doctor")
