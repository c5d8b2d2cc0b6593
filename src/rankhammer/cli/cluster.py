"""Commands for a YARN cluster; thin, as `cli` is."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import click

from rankhammer.cli.options import ends_with_exit_code, env_option, json_option, print_json
from rankhammer.runs.params_option import PARAMS_HELP, read_params

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from rankhammer.runs.planning import RunPlan, State
    from rankhammer.yarn.probe import ProbeResult


def lines(plan: RunPlan) -> Iterator[str]:
    """Yield a plan's lines."""
    yield f"Environment: {plan.environment}"
    if plan.run:
        yield f"Run:         {plan.run.removeprefix('Run ')}"
    yield f"Corpora:     {', '.join(plan.corpora) if plan.corpora else 'all'}"
    yield "Stages:"
    yield from _aligned((stage, ", ".join(nodes)) for stage, nodes in plan.stages.items())
    for title, states in (("Reads:", plan.inputs), ("Makes, and what is there now:", plan.outputs)):
        yield title
        yield from _aligned(_state(state) for state in states if not _is_report(state))
        yield from _reports([state.state for state in states if _is_report(state)])
    yield "Asks for:"
    yield from _asked(plan.resources)
    if plan.cost:
        yield from _cost(plan.cost)


def _is_report(state: State) -> bool:
    return not state.is_given and PurePosixPath(state.path).suffix in (".json", ".csv")


def _reports(states: Sequence[str]) -> Iterator[str]:
    """Yield one line for all reports: they are many, and small."""
    if states:
        counts = (f"{states.count(state)} {state}" for state in dict.fromkeys(states))
        yield f"  reports: {', '.join(counts)}"


def _state(state: State) -> tuple[str, ...]:
    why = f" ({state.why} changed)" if state.why else ""
    return state.name, state.state + why, state.path


def _asked(resources: Mapping[str, Any]) -> Iterator[str]:
    yield f"  master {resources['master']}"
    if "profile" not in resources:
        return
    yield (
        f"  profile {resources['profile']} in queue {resources['queue']}: at most {resources['executors']} executors "
        f"of {resources['executor_cores']} cores and {resources['executor_mb']} MB, {resources['slots']} tasks at once"
    )
    yield from (f"    {line}" for line in resources["arithmetic"])
    own = resources["set_in_spark_yml"]
    if own:
        yield "  over that, spark.yml says: " + ", ".join(f"{key}={value}" for key, value in own.items())


def _cost(cost: Mapping[str, Any]) -> Iterator[str]:
    yield f"Costs about {cost['core_hours']:.3g} core-hours, {cost['seconds']:.0f} s, going by the {cost['from']}:"
    rows = ((stage, facts, facts["rows"]) for stage, facts in cost["stages"].items())
    yield from _aligned(
        (stage, f"{facts['core_hours']:.3g} core-hours", f"{facts['seconds']:.0f} s", f"rows x {growth:g}")
        for stage, facts, growth in rows
    )
    if cost["unknown"]:
        yield f"  not known: {', '.join(cost['unknown'])}"


def _aligned(rows: Iterable[Sequence[str]]) -> Iterator[str]:
    cells = list(rows)
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        yield "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


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
@env_option("Kedro environment whose cluster.yml counts.")
@ends_with_exit_code
def build_env(env: str | None) -> None:
    """Pack the Python that runs on the cluster's nodes; a later call takes the same file from the cache."""
    from rankhammer.runs.execute import cluster_settings, project_folder
    from rankhammer.runs.node_extras import with_extras
    from rankhammer.runs.submissions import read_parameters
    from rankhammer.yarn import environment

    wanted = with_extras(cluster_settings(env)[0], read_parameters(env, {})).python
    planned = environment.plan(
        project_folder(),
        interpreter=wanted.interpreter,
        standalone=wanted.of_nodes,
        without=wanted.without,
        extras=wanted.extras or (),
    )
    click.echo(environment.build(planned, Lines()))


@click.command(epilog="Example:  rankhammer probe --env=prod")
@env_option()
@click.option("--without-container", is_flag=True, help="Start nothing on YARN; the rest takes a few seconds.")
@json_option("the answers")
@ends_with_exit_code
def probe(env: str | None, *, without_container: bool, as_json: bool) -> int:
    """Ask every part of the cluster that runs need, one line per check, with fixes."""
    from rankhammer.exit_codes import USER_ERROR
    from rankhammer.runs.execute import probe as ask
    from rankhammer.yarn.probe import FAILED

    answers = []
    for answer in ask(env, with_container=not without_container):
        answers.append(answer)
        if not as_json:
            _print_answer(answer)
    if as_json:
        print_json([asdict(answer) for answer in answers])
    return USER_ERROR if any(answer.state == FAILED for answer in answers) else 0


class PlanOptions(click.Command):
    """Takes --params as `rankhammer run` does; Kedro is imported when somebody gives it."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """Return the options."""
        params = click.Option(["--params"], type=click.UNPROCESSED, default="", callback=read_params, help=PARAMS_HELP)
        return [*self.params, params, self.get_help_option(ctx)]  # type: ignore[list-item]


@click.command(cls=PlanOptions, epilog="Example:  rankhammer plan --env=prod --pipeline=train --params corpora=shop_fr")
@env_option()
@click.option("--pipeline", "--pipelines", "-p", "names", default="", help="Stages or lines, with commas between them.")
@json_option("the plan")
@ends_with_exit_code
def plan(env: str | None, *, names: str, params: dict[str, Any], as_json: bool) -> int:
    """Say what a run would read, make, ask for and cost, and what it would end with; change nothing.

    Exit codes: 0, or 2 where the run would end with an error before work.
    """
    from rankhammer.exit_codes import USER_ERROR
    from rankhammer.runs.execute import plan as plan_run

    wanted = [name for name in names.split(",") if name]
    planned = plan_run({"env": env, "params": params, "pipelines": wanted})
    if str(planned.resources["master"]).startswith("yarn") and not planned.errors:
        planned = _with_doctor(planned, env, wanted)
    if as_json:
        print_json(planned.facts())
    else:
        click.echo("\n".join(lines(planned)))
    for note in planned.notes:
        click.secho(f"Note: {note}", fg="yellow", err=True)
    for fault in planned.errors:
        click.secho(f"Error: {fault}", fg="red", err=True)
    return USER_ERROR if planned.errors else 0


def _with_doctor(planned: RunPlan, env: str | None, names: Sequence[str]) -> RunPlan:
    """Add what the doctor says of the settings: warnings to the notes, errors to the errors."""
    from rankhammer.runs.doctor_inputs import check_plan

    found = [(one.severity.label, f"{one.summary} (doctor, {one.rule})") for one in check_plan(env, names)]
    errors = [text for severity, text in found if severity == "error"]
    notes = [text for severity, text in found if severity != "error"]
    return replace(planned, notes=[*planned.notes, *notes], errors=[*planned.errors, *errors])


def _print_answer(answer: ProbeResult) -> None:
    from rankhammer.yarn.probe import OK

    state = click.style(f"{answer.state:6}", fg="green" if answer.state == OK else "red")
    click.echo(f"{state} {answer.seconds:5.1f} s  {answer.part}: {answer.message}")
    if answer.hint:
        click.echo(f"{'':15} Hint: {answer.hint}")


COMMANDS = (build_env, plan, probe)
