"""Commands for a YARN cluster; thin, as `cli` is."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rankhammer.cluster.probe import Answer


class Lines:
    """Tells steps on stderr: each with the seconds since the first one."""

    def __init__(self) -> None:
        from time import monotonic

        self._clock = monotonic
        self._start = monotonic()

    def __call__(self, text: str) -> None:
        """Print one step."""
        click.echo(f"[{self._clock() - self._start:5.1f} s] {text}", err=True)


@click.command("build-env", epilog="Example:  rankhammer build-env --env=prod")
@click.option("--env", "-e", default=None, help="Kedro environment whose cluster.yml counts.")
def build_env(env: str | None) -> None:
    """Pack the Python that runs on the cluster's nodes; a later call takes the same file from the cache."""
    from rankhammer.cluster import environment
    from rankhammer.run import cluster_settings, project_folder
    from rankhammer.user_errors import guarded

    def act() -> None:
        wanted = cluster_settings(env)[0].python
        planned = environment.plan(project_folder(), interpreter=wanted.interpreter, without=wanted.without)
        click.echo(environment.build(planned, Lines()))

    sys.exit(guarded(act))


@click.command(epilog="Example:  rankhammer probe --env=prod")
@click.option("--env", "-e", default=None, help="Kedro environment.")
@click.option("--without-container", is_flag=True, help="Start nothing on YARN; the rest takes a few seconds.")
@click.option("--json", "as_json", is_flag=True, help="Print the answers as JSON.")
def probe(env: str | None, *, without_container: bool, as_json: bool) -> None:
    """Ask every part of the cluster that runs need, a line each, and say what to mend."""
    from rankhammer.run import probe as ask
    from rankhammer.user_errors import USER_ERROR, guarded

    failed: list[str] = []

    def act() -> None:
        answers = []
        for answer in ask(env, with_container=not without_container):
            answers.append(answer)
            if answer.state == "failed":
                failed.append(answer.part)
            if not as_json:
                _print_answer(answer)
        if as_json:
            click.echo(json.dumps([asdict(answer) for answer in answers], indent=1))

    sys.exit(guarded(act) or (USER_ERROR if failed else 0))


def _print_answer(answer: Answer) -> None:
    state = click.style(f"{answer.state:6}", fg="green" if answer.state == "ok" else "red")
    click.echo(f"{state} {answer.seconds:5.1f} s  {answer.part}: {answer.told}")
    if answer.hint:
        click.echo(f"{'':15} Hint: {answer.hint}")


COMMANDS = (build_env, probe)
