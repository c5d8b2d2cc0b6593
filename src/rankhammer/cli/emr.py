"""`rankhammer emr`: a cluster on Amazon EMR for one job; thin, as `cli` is."""

from __future__ import annotations

import signal
import sys
import threading
from typing import TYPE_CHECKING, Any

import click

from rankhammer.cli.options import WholeHelp, ends_with_exit_code, json_option, print_json

if TYPE_CHECKING:
    from collections.abc import Callable

    from rankhammer.emr.checks import Finding
    from rankhammer.emr.following import LaunchProgress
    from rankhammer.emr.launcher import LaunchView
    from rankhammer.runs.emr_jobs import EmrProject, JobOptions

_COLOURS = {"ok": "green", "warning": "yellow", "error": "red"}


@click.group(cls=WholeHelp, epilog="Example:  rankhammer emr launch --env=emr --pipeline=train")
def emr() -> None:
    """A cluster on Amazon EMR for one job: checked and priced before, followed, and gone afterwards."""


def env_of_emr() -> Callable[[Any], Any]:
    """Return the option --env."""
    return click.option("--env", "-e", default="emr", show_default=True, help="Kedro environment with an emr.yml.")


def job_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say what to run."""
    options = (
        click.option("--pipeline", "-p", default=None, help="Stage, branch or line of this project."),
        click.option("--params", default=None, help="Its parameters, as `kedro run` takes them."),
        click.option("--script", default=None, help="A Spark script of yours instead: a file here, or s3://..."),
        click.option("--wheel", default=None, help="A wheel of yours instead; --module says what of it is run."),
        click.option("--module", default=None, help="Module of the wheel, such as shop.jobs.sweep."),
        click.option("--project", default=None, help="Folder of another Kedro project instead."),
        click.option("--copy", "copies", multiple=True, help="hdfs:///out=s3://bucket/out, after a job of yours."),
        click.argument("arguments", nargs=-1, type=click.UNPROCESSED),
    )
    for option in reversed(options):
        command = option(command)
    return command


@emr.command(epilog="Example:  rankhammer emr launch --env=emr --pipeline=train --keep-alive-on-failure")
@env_of_emr()
@job_options
@click.option("--keep-alive-on-failure", is_flag=True, help="After a failure wait for `emr step`, ttl_h at most.")
@click.option("--keep-alive", type=click.FloatRange(0, 24), default=0, help="Hours to wait for further jobs.")
@click.option("--dry-run", is_flag=True, help="Print the request and the price; start nothing.")
@click.option("--serverless", is_flag=True, help="On EMR Serverless: for scripts and wheels.")
@click.option("--detach", is_flag=True, help="Leave the cluster alone once it has started.")
@ends_with_exit_code
def launch(
    env: str,
    *,
    keep_alive_on_failure: bool,
    keep_alive: float,
    dry_run: bool,
    detach: bool,
    serverless: bool,
    **job: Any,
) -> int:
    """Start a cluster, run one job on it, follow it, and see the cluster gone; ARGUMENTS stand behind `--`.

    Exit codes: 0; 2 (refused before anything is paid, or by the job) and 3 as of `run`; 7 the job failed, 8 no cluster
    came, 9 it was lost, 10 somebody ended it, 130 interrupted.
    """
    from rankhammer.runs import emr_launches

    project = emr_launches.read_project(env)
    options = emr_launches.LaunchOptions(keep_alive_on_failure, keep_alive, detach)
    if serverless or project.settings.serverless.use:
        emr_launches.require_no_cluster_options(options)
        return _launch_serverless(project, job, dry_run=dry_run)
    if dry_run:
        print_json(emr_launches.dry_run(project, _asked(job), options))
        click.echo(f"Cost: {emr_launches.estimate(project, options)}", err=True)
        return 0
    _end_by_sigterm()
    return emr_launches.launch(project, _asked(job), options, new_screen(), on_found=_print_finding)


def _launch_serverless(project: EmrProject, job: dict[str, Any], *, dry_run: bool) -> int:
    from rankhammer.runs import emr_launches

    if dry_run:
        print_json(emr_launches.dry_run_serverless(project, _asked(job)))
        return 0
    _end_by_sigterm()
    return emr_launches.launch_serverless(project, _asked(job), new_screen(), on_found=_print_finding)


@emr.command(epilog="Example:  rankhammer emr step j-2ABCDEFGHIJKL --env=emr --pipeline=export")
@click.argument("cluster")
@env_of_emr()
@job_options
@ends_with_exit_code
def step(cluster: str, env: str, **job: Any) -> int:
    """Run one more job on CLUSTER, which was launched with --keep-alive.

    Exit codes: as of `launch`; Ctrl-C cancels the job, and the cluster waits on.
    """
    from rankhammer.runs import emr_launches

    _end_by_sigterm()
    return emr_launches.run_step(emr_launches.read_project(env), cluster, _asked(job), new_screen())


@emr.command(epilog="Example:  rankhammer emr check --env=emr --json")
@env_of_emr()
@json_option("what was found")
@ends_with_exit_code
def check(env: str, *, as_json: bool) -> int:
    """Look at each part that a launch needs: who you are, permissions, roles, network, bucket, quotas, price.

    Exit codes: 0, or 2 where a launch would be refused. Nothing is changed.
    """
    from dataclasses import asdict

    from rankhammer.exit_codes import USER_ERROR
    from rankhammer.runs import emr_launches

    project = emr_launches.read_project(env)
    found = emr_launches.look(project, emr_launches.clients_of(project), emr_launches.LaunchOptions())
    if as_json:
        print_json([asdict(finding) for finding in found])
    for finding in () if as_json else found:
        _print_finding(finding)
    return USER_ERROR if any(finding.level == "error" for finding in found) else 0


def new_screen() -> LaunchView:
    """Return a screen on standard error: in a terminal the state moves in one line, else each change is a line."""
    from rankhammer.emr.launcher import LaunchView

    shown = _Shown()
    return LaunchView(line=shown.line, state=shown.state, log=shown.log, may_end=shown.may_end)


class _Shown:
    def __init__(self) -> None:
        from rich.console import Console

        self._console = Console(stderr=True, highlight=False)
        self._status = self._console.status("starting")
        self._last = ("", "")

    def line(self, text: str) -> None:
        self._console.print(text, markup=False, soft_wrap=True)

    def log(self, text: str) -> None:
        self.line(f"  | {text}")

    def state(self, progress: LaunchProgress) -> None:
        has_ended = progress.state.startswith("TERMINATED")
        if self._console.is_terminal:
            self._status.update(f"{progress.cluster} {progress}")
            (self._status.stop if has_ended else self._status.start)()
        if (progress.state, progress.step) != self._last:
            self.line(f"{progress.cluster} {progress}")
        self._last = (progress.state, progress.step)

    def may_end(self, cluster: str) -> bool:
        """Ask whether to end a cluster; without a terminal nobody is there to say no."""
        self._status.stop()
        return not sys.stdin.isatty() or click.confirm(f"End {cluster}?", default=True, err=True)


def _asked(job: dict[str, Any]) -> JobOptions:
    from rankhammer.runs.emr_jobs import JobOptions
    from rankhammer.runs.params_option import read_params

    return JobOptions(**job, values=read_params(click.get_current_context(), None, job["params"] or ""))


def _print_finding(finding: Finding) -> None:
    click.secho(f"{finding.level:8} {finding.name:12} {finding.message}", fg=_COLOURS[finding.level], err=True)
    if finding.hint:
        click.echo(f"{'':22}{finding.hint}", err=True)


def _end_by_sigterm() -> None:
    """Let SIGTERM, by which a scheduler ends a job, mean the same as Ctrl-C."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.default_int_handler)
