"""`rankhammer submit`: thin, as `cli` is."""

from __future__ import annotations

import signal
import sys
import threading
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rankhammer.cluster.following import Progress
    from rankhammer.cluster.settings import ClusterSettings
    from rankhammer.cluster.submission import Wish


class Screen:
    """Tells steps and states: in a terminal the last state moves in one line, else each change is a line."""

    def __init__(self) -> None:
        from rich.console import Console

        self._console = Console(stderr=True, highlight=False)
        self._status = self._console.status("starting")
        self._last = ""

    def line(self, text: str) -> None:
        """Print a line."""
        self._console.print(text, markup=False, soft_wrap=True)

    def state(self, progress: Progress) -> None:
        """Show the state."""
        if self._console.is_terminal:
            self._status.update(f"{progress.application} {progress}")
            (self._status.stop if progress.has_ended else self._status.start)()
        elif progress.state != self._last:
            self.line(f"{progress.application} {progress.state}")
        self._last = progress.state

    def may_kill(self, application: str) -> bool:
        """Ask whether to end an application; without a terminal nobody is there to say no."""
        self._status.stop()
        return not sys.stdin.isatty() or click.confirm(f"Kill {application}?", default=True, err=True)


@click.command(epilog="Example:  rankhammer submit --pipeline=train --env=prod --queue=ltr")
@click.option("--pipeline", "-p", default=None, help="Stage, branch or line, as `kedro run` takes it.")
@click.option("--env", "-e", default=None, help="Kedro environment.")
@click.option("--params", default=None, help="Parameters, as `kedro run` takes them.")
@click.option("--deploy-mode", type=click.Choice(["cluster", "client"]), default=None, help="Where the driver runs.")
@click.option("--queue", default=None, help="YARN queue.")
@click.option("--conf", "pairs", multiple=True, metavar="KEY=VALUE", help="Spark setting, over spark.yml; repeatable.")
@click.option("--dry-run", is_flag=True, help="Print what would be submitted, and change nothing.")
@click.option("--detach", is_flag=True, help="Leave the application alone once YARN has accepted it.")
@click.argument("more", nargs=-1, type=click.UNPROCESSED)
def submit(*, dry_run: bool, detach: bool, **given: Any) -> None:
    """Run on YARN what `kedro run` runs here; further options of it (MORE) stand behind `--`.

    Exit codes: 0, 1 (the application failed), 2 (refused before work), 3 (some corpora failed), 130 (interrupted).
    """
    from rankhammer.user_errors import guarded

    codes: list[int] = []
    if threading.current_thread() is threading.main_thread():
        # A scheduler ends a job by SIGTERM; it means the same as Ctrl-C.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    code = guarded(lambda: codes.append(_submit(given, is_dry=dry_run, is_detached=detach)))
    sys.exit(code or codes[0])


def _submit(given: dict[str, Any], *, is_dry: bool, is_detached: bool) -> int:
    from rankhammer import spark
    from rankhammer.cluster.resource_manager import ResourceManager
    from rankhammer.cluster.submission import prepare, shown
    from rankhammer.cluster.submitting import Submitting
    from rankhammer.cluster.uploads import NoUploads, Uploads
    from rankhammer.run import project_folder

    screen, manager = Screen(), ResourceManager()
    if not is_dry:
        # A JVM of this command's own, small and without the settings of the run; it starts while Kedro is imported.
        spark.configure(lambda: {"spark.master": "yarn", "spark.driver.memory": "256m"})
        threading.Thread(target=spark.hadoop, name="jvm-start", daemon=True).start()
    wanted, settings = wish(given)
    project, root = project_folder(), settings.runtime.root
    if is_dry:
        click.echo(shown(prepare(wanted, settings, NoUploads(root), project=project, told=screen.line)))
        return 0
    target = Uploads(*spark.hadoop(), root, screen.line)
    planned = prepare(wanted, settings, target, project=project, told=screen.line)
    submitting = Submitting(manager, settings.submit, told=screen.line, watched=screen.state, may_kill=screen.may_kill)
    return submitting.run(planned, is_detached=is_detached)


def wish(given: dict[str, Any]) -> tuple[Wish, ClusterSettings]:
    """Work out what a submission asks for.

    Args:
        given: Options of `submit`.

    Raises:
        ConfigError: A pipeline is unknown, or a setting wrong.
        ClusterError: The cluster has no room for it.
    """
    from rankhammer.cluster.resources import spark_settings
    from rankhammer.cluster.session import plan
    from rankhammer.cluster.submission import CLUSTER, Wish
    from rankhammer.pipeline_registry import COMPOSITES
    from rankhammer.run import cluster_settings, require_known
    from rankhammer.run_options import read_params

    flags, name = _flags(given), given["pipeline"] or "__default__"
    require_known([name])
    settings, keys = cluster_settings(
        given["env"], read_params(click.get_current_context(), None, given["params"] or "")
    )
    mode = given["deploy_mode"] or settings.submit.deploy_mode
    if mode == CLUSTER:
        # There the profile says how large the driver is; spark.yml's size is for a driver here.
        keys.pop("spark.driver.memory", None)
    queue = {"queue": flags.get("spark.yarn.queue", settings.resources.queue)}
    settings = settings.model_copy(update={"resources": settings.resources.model_copy(update=queue)})
    stages = frozenset(COMPOSITES.get(name, (name,)))
    asked = plan(settings, stages=stages, matrix=None, driver_in_cluster=mode == CLUSTER)
    arguments = tuple(f"--{option}={given[option]}" for option in ("pipeline", "params") if given[option])
    worked_out = spark_settings(asked, settings.resources)
    return Wish((*arguments, *given["more"]), given["env"], mode, {**worked_out, **keys}, flags), settings


def _flags(given: dict[str, Any]) -> dict[str, str]:
    """Return the Spark settings of the command line.

    Raises:
        ConfigError: One is no KEY=VALUE.
    """
    from rankhammer.errors import ConfigError

    wrong = [pair for pair in given["pairs"] if "=" not in pair or not pair.startswith("spark.")]
    if wrong:
        raise ConfigError(f"--conf {wrong[0]} is no KEY=VALUE.", hint="Such as --conf spark.executor.memory=2g")
    flags = {key: value for key, _, value in (pair.partition("=") for pair in given["pairs"])}
    return flags | ({"spark.yarn.queue": given["queue"]} if given["queue"] else {})
