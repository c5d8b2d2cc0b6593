"""`rankhammer experiment`: thin, as `cli` is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rankhammer.cli.options import WholeHelp, ends_with_exit_code, env_option, json_option, print_json, write_output

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rankhammer.experiments.coordinator import View


@click.group(cls=WholeHelp, epilog="Example:  rankhammer experiment run examples/tiny_regression.py:train --local")
def experiment() -> None:
    """Run a function in several roles at once, on YARN or on this machine: docs/experiments.md."""


class LiveTable:
    """Shows the instances: in a terminal a table that changes in its place, else a line for each change."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.live import Live

        self._console = Console(stderr=True, highlight=False)
        self._live = Live(console=self._console, refresh_per_second=4, transient=True)
        self._seen = dict[str, str]()

    def line(self, text: str) -> None:
        """Print a line."""
        self._console.print(text, markup=False, soft_wrap=True)

    def view(self, view: View) -> None:
        """Show what is known."""
        from rankhammer.experiments import table

        found = table.rows(view.groups)
        if self._console.is_terminal:
            self._live.start()
            self._live.update("\n".join([f"attempt {view.attempt}, {view.seconds:.0f} s", *table.lines(found)]))
            return
        for row in found:
            name, state = f"{row['role']} {row['instance']}", f"{row['state']} {row['node']} {row['message']}".strip()
            if self._seen.get(name) != f"{view.attempt} {state}":
                self.line(f"{view.seconds:.0f} s  {name}: {state}")
                self._seen[name] = f"{view.attempt} {state}"

    def close(self) -> None:
        """Leave the terminal as it was."""
        self._live.stop()


@experiment.command("run", epilog="Example:  rankhammer experiment run hello --env=prod --role worker:instances=2")
@click.argument("name")
@env_option("Kedro environment that names the cluster.")
@click.option("--local", "is_local", is_flag=True, help="Run it as processes of this machine.")
@click.option("--role", "roles", multiple=True, metavar="NAME:KEY=VALUE,...", help="A role, or some of its keys.")
@click.option("--file", "files", multiple=True, metavar="NAME=PATH", help="File for each container's folder.")
@click.option("--pip", "packages", multiple=True, metavar="PACKAGE", help="Package beside the project's.")
@click.option("--extra", "extras", multiple=True, metavar="NAME", help="Extra of this project, as neural.")
@click.option("--name-node", "name_nodes", multiple=True, metavar="URI", help="Further filesystem that needs a token.")
@click.option("--set", "variables", multiple=True, metavar="NAME=VALUE", help="Environment variable; no secrets.")
@click.option("--arg", "arguments", multiple=True, metavar="NAME=VALUE", help="For `context.arguments`; JSON or text.")
@click.option("--before", default=None, help="Function that each instance calls first.")
@click.option("--queue", default=None, help="YARN queue.")
@click.option("--conf", "pairs", multiple=True, metavar="KEY=VALUE", help="Spark setting of every group; repeatable.")
@click.option("--retries", type=click.IntRange(0, 100), default=None, help="Times to start again.  [default: 0]")
@click.option("--time-limit", "time_limit_s", type=float, default=None, help="Seconds.  [default: 86400]")
@click.option("--start-limit", "start_limit_s", type=float, default=None, help="Seconds.  [default: 600]")
@click.option("--dry-run", "is_dry", is_flag=True, help="Say whether the cluster can run it, and submit nothing.")
@click.option("--detach", "is_detached", is_flag=True, help="Leave it alone once YARN has accepted it.")
@ends_with_exit_code
def run(*, name: str, env: str | None, is_local: bool, is_dry: bool, is_detached: bool, **given: Any) -> int:
    """Run NAME: package.module:function, file.py:function, or an experiment of conf/<env>/experiments.yml.

    Exit codes: 0, 1 (it failed), 2 (refused before work), 130 (interrupted).
    """
    from rankhammer.cli.submit import read_flags
    from rankhammer.exit_codes import FAILURE
    from rankhammer.experiments.roles import read_experiment
    from rankhammer.runs import experimenting

    flags = read_flags(given)
    values = _values(experimenting.configured(name, env), given)
    spec = read_experiment(values, f"The experiment {name}")
    label = experimenting.name_of(name) if ":" in name else name
    shown = LiveTable()
    listener = experimenting.Listener(shown.view, shown.line)
    try:
        if is_local:
            code = experimenting.start_here(spec, label, listener=listener)
        else:
            how = experimenting.Submitted(env, is_detached=is_detached, is_dry=is_dry, flags=flags)
            code = experimenting.start_on_yarn(spec, label, how, listener=listener)
    finally:
        shown.close()
    if code == FAILURE:
        where = f" --env={env}" if env and not is_local else ""
        shown.line(f"`rankhammer experiment logs{where}` shows the end of each instance's log.")
    return code


@experiment.command("status", epilog="Example:  rankhammer experiment status --env=prod --json")
@click.argument("experiment_id", required=False)
@env_option("Kedro environment that names the cluster; none for experiments of this machine.")
@click.option("--all", "is_list", is_flag=True, help="List the ids of all experiments.")
@json_option("the state")
@ends_with_exit_code
def status(experiment_id: str | None, env: str | None, *, is_list: bool, as_json: bool) -> int:
    """Show the instances of an experiment, the newest by default: role, state, node, container and log.

    Exit codes: 0 where it runs or is done, 1 where it failed or whoever submitted it was killed, 2 where there is none.
    """
    from rankhammer.experiments import table
    from rankhammer.runs import experimenting

    if is_list:
        names = experimenting.listed(env=env)
        print_json(names) if as_json else click.echo("\n".join(names))
        return 0
    found = table.status(experimenting.find(experiment_id, env=env))
    if as_json:
        print_json(found)
    else:
        click.echo(f"{found['experiment']}: {found['state']}, attempt {found['attempt']} {found['message']}".rstrip())
        click.echo("\n".join(table.lines(found["instances"])))
    return 1 if found["state"] in ("failed", "lost") else 0


@experiment.command("logs", epilog="Example:  rankhammer experiment logs --env=prod --role worker --instance 1")
@click.argument("experiment_id", required=False)
@env_option("Kedro environment that names the cluster; none for experiments of this machine.")
@click.option("--role", default=None, help="Of this role alone.")
@click.option("--instance", type=int, default=None, help="Of this instance alone.")
@click.option("--lines", "n_lines", type=click.IntRange(1), default=40, show_default=True, help="Lines an instance.")
@ends_with_exit_code
def logs(experiment_id: str | None, env: str | None, **asked: Any) -> None:
    """Print the end of each instance's log; of applications that have ended, as YARN has gathered them."""
    from rankhammer.runs import experiment_logs, experimenting

    folder = experimenting.find(experiment_id, env=env)
    for heading, found in experiment_logs.ends(folder, **asked):
        click.echo(f"== {heading}")
        click.echo("\n".join(found))


@experiment.command("kill", epilog="Example:  rankhammer experiment kill hello-20261129-101500-3fa2 --env=prod")
@click.argument("experiment_id")
@env_option("Kedro environment that names the cluster.")
@ends_with_exit_code
def kill(experiment_id: str, env: str | None) -> None:
    """End an experiment: its groups see the end and leave, and applications that do not are killed."""
    from rankhammer.runs import experiment_logs, experimenting

    folder = experimenting.find(experiment_id, env=env)
    for line in experiment_logs.kill(folder):
        click.echo(line)


@experiment.command("metrics", epilog="Example:  rankhammer experiment metrics --html loss.html")
@click.argument("experiment_id", required=False)
@env_option("Kedro environment that names the cluster; none for experiments of this machine.")
@click.option("--html", type=click.Path(path_type=Path), default=None, help="Write a page with a plot.")
@click.option("--tensorboard", type=click.Path(path_type=Path), default=None, help="Write TensorBoard's event files.")
@json_option("the rows")
@ends_with_exit_code
def metrics(
    experiment_id: str | None, env: str | None, html: Path | None, tensorboard: Path | None, *, as_json: bool
) -> None:
    """Show the metrics that instances logged: the last value of each, all of them as JSON, or a plot over steps."""
    from rankhammer.experiments import metrics_table
    from rankhammer.runs import experiment_results, experimenting

    folder = experimenting.find(experiment_id, env=env)
    found = metrics_table.read_metrics(folder)
    experiment_results.keep_metrics(env, folder)
    if html is not None:
        write_output(html, metrics_table.plot(found, f"Metrics of {folder.path.rsplit('/', 1)[-1]}").to_html())
    if tensorboard is not None:
        click.echo(f"{metrics_table.write_tensorboard(found, tensorboard)} values: {tensorboard}", err=True)
    if as_json:
        print_json(found)
        return
    last = {(row["instance"], row["metric"]): row for row in found}
    for (instance, metric), row in last.items():
        click.echo(f"{instance:16} {metric:24} step {row['step']:8} {row['value']}")


@experiment.command("files", epilog="Example:  rankhammer experiment files --get results/table.csv")
@click.argument("experiment_id", required=False)
@env_option("Kedro environment that names the cluster; none for experiments of this machine.")
@click.option("--get", "name", default=None, help="Write this one to standard output.")
@json_option("the list")
@ends_with_exit_code
def files(experiment_id: str | None, env: str | None, name: str | None, *, as_json: bool) -> None:
    """List what the instances have written: bytes and name of each file, checkpoints and metrics among them."""
    from rankhammer.runs import experimenting

    folder = experimenting.find(experiment_id, env=env)
    if name is not None:
        click.echo(folder.file(name), nl=False)
        return
    found = folder.files()
    if as_json:
        print_json(found)
    elif found:
        click.echo("\n".join(f"{size:12} {name}" for name, size in found.items()))


@experiment.command("group", hidden=True)
@click.argument("folder")
@click.argument("role")
@click.argument("attempt", type=int)
@click.argument("start", type=int)
@ends_with_exit_code
def group(folder: str, role: str, attempt: int, start: int) -> int:
    """Drive a group; YARN starts this."""
    from rankhammer.experiments.driven import drive_group
    from rankhammer.experiments.group import GroupTask

    return drive_group(folder, GroupTask(role, attempt, start))


def _values(values: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """Put what the command line says over what is configured."""
    from rankhammer.experiments.roles import items_of, with_roles
    from rankhammer.secret_settings import require_no_secrets

    values = with_roles(values, given["roles"])
    variables = _pairs(given["variables"], "--set")
    require_no_secrets(variables, "--set")
    arguments = {key: _json_or_text(value) for key, value in _pairs(given["arguments"], "--arg").items()}
    more = {"files": _pairs(given["files"], "--file"), "env": variables, "arguments": arguments}
    for key, pairs in more.items():
        values[key] = {**items_of(values, key, named=True), **pairs}
    lists = {"pip_packages": given["packages"], "extras": given["extras"], "name_nodes": given["name_nodes"]}
    for key, more in lists.items():
        values[key] = [*items_of(values, key, named=False), *more]
    single = ("before", "queue", "retries", "time_limit_s", "start_limit_s")
    return {**values, **{key: given[key] for key in single if given[key] is not None}}


def _pairs(given: Iterable[str], option: str) -> dict[str, str]:
    from rankhammer.errors import ConfigError

    pairs = [text.partition("=") for text in given]
    for number, (_, separator, _) in enumerate(pairs, 1):
        if not separator:
            raise ConfigError(f"Number {number} of the options {option} is no NAME=VALUE.", hint=f"As in {option} a=b")
    return {key: value for key, _, value in pairs}


def _json_or_text(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
