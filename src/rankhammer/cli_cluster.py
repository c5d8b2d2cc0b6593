"""Commands for a YARN cluster; thin, as `cli` is."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from rankhammer.run_options import PARAMS_HELP, read_params

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
    from rankhammer.cluster.probe import FAILED
    from rankhammer.run import probe as ask
    from rankhammer.user_errors import USER_ERROR, guarded

    failed: list[str] = []

    def act() -> None:
        answers = []
        for answer in ask(env, with_container=not without_container):
            answers.append(answer)
            if answer.state == FAILED:
                failed.append(answer.part)
            if not as_json:
                _print_answer(answer)
        if as_json:
            click.echo(json.dumps([asdict(answer) for answer in answers], indent=1))

    sys.exit(guarded(act) or (USER_ERROR if failed else 0))


class PlanOptions(click.Command):
    """Takes --params as `rankhammer run` does; Kedro is imported when somebody gives it."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """Return the options."""
        params = click.Option(["--params"], type=click.UNPROCESSED, default="", callback=read_params, help=PARAMS_HELP)
        return [*self.params, params, self.get_help_option(ctx)]  # type: ignore[list-item]


@click.command(cls=PlanOptions, epilog="Example:  rankhammer plan --env=prod --pipeline=train --params corpora=shop_fr")
@click.option("--env", "-e", default=None, help="Kedro environment.")
@click.option("--pipeline", "--pipelines", "-p", "names", default="", help="Stages or lines, with commas between them.")
@click.option("--json", "as_json", is_flag=True, help="Print the plan as JSON.")
def plan(env: str | None, *, names: str, params: dict[str, Any], as_json: bool) -> None:
    """Say what a run would read, make, ask for and cost, and what it would end with; change nothing.

    Exit codes: 0, or 2 where the run would end with an error before work.
    """
    from rankhammer.plan_text import lines
    from rankhammer.run import plan as plan_run
    from rankhammer.user_errors import USER_ERROR, guarded

    faults: list[str] = []

    def act() -> None:
        options = {"env": env, "params": params, "pipelines": [name for name in names.split(",") if name]}
        planned = plan_run(options)
        faults.extend(planned.errors)
        click.echo(json.dumps(planned.facts(), indent=1) if as_json else "\n".join(lines(planned)))
        for fault in planned.errors:
            click.secho(f"Error: {fault}", fg="red", err=True)

    sys.exit(guarded(act) or (USER_ERROR if faults else 0))


def _print_answer(answer: Answer) -> None:
    from rankhammer.cluster.probe import OK

    state = click.style(f"{answer.state:6}", fg="green" if answer.state == OK else "red")
    click.echo(f"{state} {answer.seconds:5.1f} s  {answer.part}: {answer.told}")
    if answer.hint:
        click.echo(f"{'':15} Hint: {answer.hint}")


COMMANDS = (build_env, plan, probe)
