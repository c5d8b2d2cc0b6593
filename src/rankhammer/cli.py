"""The command line: `kedro run` as people expect it, and the `rankhammer` commands.

Kedro is imported inside the commands: `rankhammer --help` must answer at once.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rankhammer import __version__

if TYPE_CHECKING:
    from rankhammer.demo import DemoSummary

EPILOG = "Example:  kedro run --pipeline=train --env=prod"


class LazyRun(click.Command):
    """Kedro's own `run` options, read only when somebody asks for them."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """Return Kedro's options of `run`."""
        from kedro.framework.cli.project import run as kedro_run

        return [*kedro_run.params, self.get_help_option(ctx)]  # type: ignore[list-item]


@click.group(name="rankhammer")
def cli() -> None:
    """Commands of this project; Kedro adds them to its own."""


@click.group(name="rankhammer", epilog=EPILOG)
@click.version_option(__version__, prog_name="rankhammer")
def rankhammer() -> None:
    """From a search click log to a ranker that the search engine loads."""


@click.command(cls=LazyRun, epilog=EPILOG)
def run(**options: Any) -> None:
    """Run stages: all six, or those of --pipelines (collect, train, or single stages)."""
    from rankhammer.run import execute

    sys.exit(execute(options))


@click.command(epilog="Example:  rankhammer demo --out data/01_raw/demo")
@click.option("--out", type=click.Path(path_type=Path), default=Path("data/01_raw/demo"), show_default=True)
@click.option(
    "--random-state", type=click.IntRange(min=0), default=42, show_default=True, help="Seed of queries and clicks."
)
@click.option("--json", "as_json", is_flag=True, help="Print the facts as JSON.")
def demo(out: Path, random_state: int, as_json: bool) -> None:
    """Make the demo: Python's own documentation as corpus, and a simulated click log on it."""
    from rankhammer.demo import make_demo
    from rankhammer.run import guarded

    sys.exit(guarded(lambda: _print_demo(make_demo(out, random_state=random_state), as_json=as_json)))


@click.command(epilog="Example:  rankhammer plugins --json")
@click.option("--json", "as_json", is_flag=True, help="Print the list as JSON.")
def plugins(as_json: bool) -> None:
    """List every click-log reader, click model, feature source, ranker and exporter."""
    from dataclasses import asdict

    from rankhammer.plugins import installed

    found = installed()
    if as_json:
        click.echo(json.dumps([asdict(plugin) for plugin in found], indent=1))
        return
    for plugin in found:
        provider = f"{plugin.distribution} {plugin.version}"
        click.echo(f"{plugin.group:18} {plugin.name:16} {provider:32} {plugin.error or plugin.summary}")


@click.command(epilog="Example:  rankhammer handoffs --env=prod --json")
@click.option("--env", "-e", default=None, help="Kedro environment.")
@click.option("--json", "as_json", is_flag=True, help="Print the list as JSON.")
def handoffs(env: str | None, as_json: bool) -> None:
    """List the hand-offs between stages: rows and a digest of them that order and partitioning do not change."""
    from rankhammer.run import guarded
    from rankhammer.run import handoffs as describe

    sys.exit(guarded(lambda: _print_handoffs(describe(env), as_json=as_json)))


def _print_demo(made: DemoSummary, *, as_json: bool) -> None:
    from dataclasses import asdict

    click.echo(json.dumps(asdict(made), default=str) if as_json else str(made))


def _print_handoffs(found: list[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(found, indent=1))
        return
    for handoff in found:
        click.echo(f"{handoff['name']:18} {handoff['state']:10} {handoff['rows'] or '':>10}  {handoff['digest']}")


def main() -> None:
    """Entry point of the `rankhammer` command."""
    rankhammer()


for _command in (run, demo, plugins, handoffs):
    rankhammer.add_command(_command)
cli.add_command(run)
cli.add_command(rankhammer)
