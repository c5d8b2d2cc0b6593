"""The command line: `kedro run` as people expect it, and the `rankhammer` commands.

Kedro is imported inside the commands: `rankhammer --help` must answer at once.
"""

from __future__ import annotations

import atexit
import gc
import sys
from pathlib import Path
from typing import Any

import click

from rankhammer import __version__
from rankhammer.cli import (
    cluster,
    dashboard,
    dashboard_host,
    doctor,
    emr_clusters,
    experiment,
    queries,
    rankers,
    runs,
    submit,
)
from rankhammer.cli.copy_folder import copy
from rankhammer.cli.deploy import deploy, push_judgments, rollback
from rankhammer.cli.init_log import init_log
from rankhammer.cli.online_test import online_test
from rankhammer.cli.options import WholeHelp, ends_with_exit_code, env_option, json_option, print_json
from rankhammer.cli.result_lists import result_lists
from rankhammer.cli.split import split
from rankhammer.cli.sql import sql
from rankhammer.cli.sweep import sweep
from rankhammer.cli.tables import tables
from rankhammer.cli.validate import validate
from rankhammer.runs.params_option import with_corpora

# Whatever is left when a command ends is given back with the process: to look for garbage in it takes half a second.
atexit.register(gc.freeze)


@click.command(epilog="Example:  rankhammer new my-ranking")
@click.argument("folder", type=click.Path(path_type=Path))
@ends_with_exit_code
def new(folder: Path) -> None:
    """Make FOLDER a project of your own: conf, data folders and the notebook, around the installed package."""
    from rankhammer.project_template import create_project

    written = create_project(folder)
    click.echo(f"{folder}: {len(written)} files. What to do next:")
    click.echo(f"  cd {folder}\n  rankhammer demo\n  kedro run")


EPILOG = "Example:  kedro run --pipeline=train --env=prod"


_DIAGNOSE = click.Option(
    ["--diagnose"],
    is_flag=True,
    help="Write Spark's event log, open its pages, and end with a line of the doctor (docs/doctor/).",
)


class LazyRun(click.Command):
    """Kedro's own `run` options and --diagnose, read only when somebody asks for them."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """Return Kedro's options of `run`."""
        from kedro.framework.cli.project import run as kedro_run

        return [*map(with_corpora, kedro_run.params), _DIAGNOSE, self.get_help_option(ctx)]  # type: ignore[list-item]


@click.group(name="rankhammer")
def cli() -> None:
    """Commands of this project; Kedro adds them to its own."""


@click.group(
    name="rankhammer",
    cls=WholeHelp,
    epilog=EPILOG,
    short_help="From a click log to a ranker: all commands.",
)
@click.version_option(__version__, prog_name="rankhammer")
def rankhammer() -> None:
    """From a search click log to a ranker that the search engine loads."""


@click.command(cls=LazyRun, epilog=EPILOG, short_help="Run stages: all six, or those of --pipelines.")
def run(**options: Any) -> None:
    """Run stages: all six, or those of --pipelines (collect, train, or single stages)."""
    from rankhammer import display

    try:
        # What follows imports for seconds.
        with display.shown("reading the project"):
            if options.pop("diagnose", False):
                from rankhammer.runs.diagnosing import execute_diagnosed as execute
            else:
                from rankhammer.runs.execute import execute

            code = execute(options)
    except KeyboardInterrupt:
        from rankhammer.runs.user_errors import interrupted

        code = interrupted("Nothing was run.")
    sys.exit(code)


@click.command(epilog="Example:  rankhammer demo --out data/01_raw/demo")
@click.option("--out", type=click.Path(path_type=Path), default=Path("data/01_raw/demo"), show_default=True)
@click.option(
    "--random-state", type=click.IntRange(min=0), default=42, show_default=True, help="Seed of queries and clicks."
)
@json_option("the facts")
@ends_with_exit_code
def demo(out: Path, random_state: int, as_json: bool) -> None:
    """Make the demo: Python's own documentation as corpus, and a simulated click log on it."""

    from dataclasses import asdict

    from rankhammer.demo import make_demo

    made = make_demo(out, random_state=random_state)
    if as_json:
        print_json(asdict(made))
    else:
        click.echo(str(made))


@click.command(epilog="Example:  rankhammer build-class-archive --force")
@click.option("--force", "is_forced", is_flag=True, help="Make it again where it exists.")
@click.option("--quiet", "is_quiet", is_flag=True, help="Print nothing where it is there.")
@ends_with_exit_code
def build_class_archive(*, is_forced: bool, is_quiet: bool) -> None:
    """Make the archive of Spark's classes that lets every later command start in half the time."""
    from rankhammer.spark.class_archive_build import build

    file = build(click.echo, is_forced=is_forced)
    if not is_quiet:
        click.echo(file)


@click.command(epilog="Example:  rankhammer plugins --json")
@json_option("the list")
def plugins(as_json: bool) -> None:
    """List every click-log reader, click model, feature source, ranker and exporter."""
    from dataclasses import asdict

    from rankhammer.plugins import installed

    found = installed()
    if as_json:
        print_json([asdict(plugin) for plugin in found])
        return
    for plugin in found:
        provider = f"{plugin.distribution} {plugin.version}"
        click.echo(f"{plugin.group:18} {plugin.name:16} {provider:32} {plugin.error or plugin.summary}")


@click.command(epilog="Example:  rankhammer handoffs --env=prod --verify --json")
@env_option()
@click.option("--run", default=None, help="Id of a run, where runs have ids; the newest complete one by default.")
@click.option("--verify", is_flag=True, help="Compare every file with the checksum that was recorded.")
@json_option("the list")
@ends_with_exit_code
def handoffs(env: str | None, run: str | None, *, verify: bool, as_json: bool) -> int:
    """List the hand-offs between stages: rows and a digest of them that order and partitioning do not change.

    Exit codes: 0, or 2 where a hand-off is damaged.
    """
    from rankhammer.exit_codes import USER_ERROR
    from rankhammer.runs.execute import handoffs as describe

    found = describe(env, run, verify=verify)
    _print_handoffs(found, as_json=as_json)
    return USER_ERROR if any(handoff["faults"] for handoff in found) else 0


@click.command(epilog="Example:  rankhammer collect-bundle 3f9c2a61d04b7e15 --url http://search:9200")
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--url", default=None, help="Address of the engine here; as in the bundle by default.")
@click.option("--credentials", default=None, help="Entry of credentials.yml for it.")
@env_option("Kedro environment that has the credentials.")
@ends_with_exit_code
def collect_bundle(folder: Path, *, url: str | None, credentials: str | None, env: str | None) -> None:
    """Answer FOLDER, a bundle of searches that a run wrote where it could not reach the engine."""
    from rankhammer.feature_sources.bundle_answers import answer_bundle
    from rankhammer.runs.execute import read_credentials

    if credentials:
        read_credentials(env)
    answered = answer_bundle(folder, on_progress=_print_progress, url=url, credentials=credentials)
    click.echo(f"{answered.n_queries} queries answered ({answered.n_parts} parts asked now): {folder / 'answers'}")


def _print_progress(done: int, n: int) -> None:
    """One line that is written over in a terminal, one a part elsewhere."""
    click.echo(f"{done} of {n} queries", err=True, nl=not sys.stderr.isatty() or done >= n)
    if sys.stderr.isatty() and done < n:
        click.echo("\r", err=True, nl=False)


def _print_handoffs(found: list[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    for handoff in found:
        click.echo(f"{handoff['name']:22} {handoff['state']:10} {handoff['rows'] or '':>10}  {handoff['digest']}")
        for fault in handoff["faults"]:
            click.secho(f"  {fault}", fg="red")
    if any(handoff["faults"] for handoff in found):
        hint = "remove its folder, and `kedro run --only-missing-outputs` makes it again"
        click.secho(f"What is damaged is refused by a run, or, where only --verify finds it: {hint}.", err=True)


def main() -> None:
    """Entry point of the `rankhammer` command."""
    try:
        rankhammer()
    except Exception as exc:
        # Kedro reads its logging configuration where it is imported first, so also before a command begins.
        from rankhammer.exit_codes import USER_ERROR
        from rankhammer.runs.user_errors import user_error

        refused = user_error(exc)
        if refused is None:
            raise
        click.secho(f"Error: {refused}", fg="red", err=True)
        sys.exit(USER_ERROR)


_OWN = (
    new,
    init_log,
    validate,
    split,
    copy,
    result_lists,
    run,
    demo,
    plugins,
    handoffs,
    queries.rank,
    queries.queries,
    collect_bundle,
)
_RANKERS = (rankers.rankers, rankers.evaluate, rankers.promote, online_test)
_GROUPS = (runs.runs, submit.submit, doctor.doctor, experiment.experiment, emr_clusters.GROUP)
_PAGES = (dashboard_host.GROUP, dashboard.report, sweep, sql, tables)
_ENGINE = (deploy, rollback, push_judgments, build_class_archive)
for _command in (*_OWN, *_RANKERS, *_PAGES, *_ENGINE, *cluster.COMMANDS, *_GROUPS):
    rankhammer.add_command(_command)
cli.add_command(run)
cli.add_command(rankhammer)
