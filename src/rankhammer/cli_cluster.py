"""Commands for a YARN cluster; thin, as `cli` is."""

from __future__ import annotations

import sys

import click


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
    from rankhammer.run import cluster_settings, guarded, project_folder

    def act() -> None:
        wanted = cluster_settings(env).python
        planned = environment.plan(project_folder(), interpreter=wanted.interpreter, without=wanted.without)
        click.echo(environment.build(planned, Lines()))

    sys.exit(guarded(act))


COMMANDS = (build_env,)
