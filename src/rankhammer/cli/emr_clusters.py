"""`rankhammer emr status | logs | ui | shell | list-orphans | destroy`: what runs, and its end; thin, as `cli` is."""

from __future__ import annotations

import shlex
import shutil
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from rankhammer.cli import emr_setup  # noqa: F401 - adds its command
from rankhammer.cli.emr import emr, env_of_emr, new_screen
from rankhammer.cli.options import ends_with_exit_code, json_option, print_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rankhammer.emr.inventory import ManagedCluster


GROUP = emr
"""With the commands of both modules."""


@emr.command(epilog="Example:  rankhammer emr status --env=emr --json")
@env_of_emr()
@click.option("--all", "with_ended", is_flag=True, help="Also clusters that have ended.")
@json_option("the list")
@ends_with_exit_code
def status(env: str, *, with_ended: bool, as_json: bool) -> None:
    """List clusters that launches have started: state, owner, when they end at the latest, cost so far."""
    from rankhammer.emr.inventory import managed
    from rankhammer.runs import emr_launches

    project = emr_launches.read_project(env)
    clients = emr_launches.clients_of(project)
    client = clients.client("emr")
    _print(project, client, list(managed(client, live=not with_ended)), as_json=as_json)
    for application in () if as_json else emr_launches.serverless_applications(clients):
        click.echo("  ".join(application.values()))


@emr.command("list-orphans", epilog="Example:  rankhammer emr list-orphans --env=emr")
@env_of_emr()
@json_option("the list")
@ends_with_exit_code
def list_orphans(env: str, *, as_json: bool) -> int:
    """List clusters that run although their time is over, or that nobody has given a time.

    Exit codes: 0 where there is none, else 2, so that a scheduler can tell somebody.
    """
    from rankhammer.emr.inventory import managed
    from rankhammer.exit_codes import USER_ERROR
    from rankhammer.runs import emr_launches

    project = emr_launches.read_project(env)
    client = emr_launches.clients_of(project).client("emr")
    found = [cluster for cluster in managed(client) if cluster.is_orphan(datetime.now(UTC))]
    _print(project, client, found, as_json=as_json)
    if found:
        click.echo("Hint: `rankhammer emr destroy --cluster ID` ends one.", err=True)
    return USER_ERROR if found else 0


@emr.command(epilog="Example:  rankhammer emr logs j-2ABCDEFGHIJKL --env=emr")
@click.argument("cluster")
@env_of_emr()
@click.option("--follow/--no-follow", default=True, show_default=True, help="Wait for the job's end.")
@ends_with_exit_code
def logs(cluster: str, env: str, *, follow: bool) -> int:
    """Print the log of CLUSTER's first job, and follow it while it runs.

    Exit codes: of the job, as of `launch`; 0 with --no-follow.
    """
    from rankhammer.emr.following import Follower, JobFolder
    from rankhammer.emr.inventory import one
    from rankhammer.runs import emr_launches

    project = emr_launches.read_project(env)
    clients = emr_launches.clients_of(project)
    about = one(clients.client("emr"), cluster)
    folder, screen = JobFolder(clients.client("s3"), about.launch_uri), new_screen()
    click.echo(f"Log: {about.launch_uri}/log; of YARN and the nodes: {about.log_uri}", err=True)
    if not follow:
        for line in folder.new_lines():
            click.echo(line)
        return 0
    poll_s = project.settings.poll_s
    follower = Follower(clients.client("emr"), folder, poll_s=poll_s, on_state=screen.state, on_line=click.echo)
    found = follower.follow(cluster, None, until_gone=False)
    screen.line(found.message)
    return found.code


@emr.command(epilog="Example:  rankhammer emr shell j-2ABCDEFGHIJKL --env=emr")
@click.argument("cluster")
@env_of_emr()
@click.option("--dry-run", is_flag=True, help="Print the command instead of running it.")
@ends_with_exit_code
def shell(cluster: str, env: str, *, dry_run: bool) -> int:
    """Open a shell on CLUSTER's primary node by SSM: no port is open for it, and no key is needed."""
    from rankhammer.emr.inventory import shell_command

    instance, region = _primary(cluster, env)
    return _run(shell_command(instance, region), dry_run=dry_run)


@emr.command(epilog="Example:  rankhammer emr ui j-2ABCDEFGHIJKL --page 'resource manager'")
@click.argument("cluster")
@env_of_emr()
@click.option(
    "--page",
    type=click.Choice(["history server", "resource manager", "name node"]),
    default="history server",
    show_default=True,
    help="Which page.",
)
@click.option("--dry-run", is_flag=True, help="Print the command instead of running it.")
@ends_with_exit_code
def ui(cluster: str, env: str, *, page: str, dry_run: bool) -> int:
    """Bring a page of CLUSTER's primary node to this machine by SSM, until Ctrl-C."""
    from rankhammer.emr.inventory import tunnel_command

    instance, region = _primary(cluster, env)
    command, address = tunnel_command(instance, region, page)
    click.echo(f"The {page}: {address}", err=True)
    return _run(command, dry_run=dry_run)


@emr.command(epilog="Example:  rankhammer emr destroy --cluster j-2ABCDEFGHIJKL --dry-run")
@env_of_emr()
@click.option("--cluster", "clusters", multiple=True, help="Id of one to end; repeatable.")
@click.option("--all-clusters", is_flag=True, help="All that launches have started.")
@click.option("--setup", "with_setup", is_flag=True, help="What `emr setup` has made; the bucket stays.")
@click.option("--bucket", "named_bucket", multiple=True, help="The bucket with all results: its name, given twice.")
@click.option("--dry-run", is_flag=True, help="Say what would be ended, and what it has cost; change nothing.")
@click.option("--yes", "is_sure", is_flag=True, help="Do not ask.")
@ends_with_exit_code
def destroy(
    env: str,
    clusters: Sequence[str],
    *,
    all_clusters: bool,
    with_setup: bool,
    named_bucket: tuple[str, ...],
    dry_run: bool,
    is_sure: bool,
) -> int:
    """End clusters that launches have started, and remove what `emr setup` has made.

    Tables and the dashboard's host: `rankhammer tables remove`, `rankhammer dashboard remove`.

    Exit codes: 0, or 2 where nothing was named.
    """
    from rankhammer.emr import bucket_removal, stack
    from rankhammer.emr.inventory import managed, one
    from rankhammer.emr.launcher import ClusterLauncher
    from rankhammer.emr.serverless import ServerlessLauncher
    from rankhammer.errors import ConfigError
    from rankhammer.runs import emr_launches

    if not (clusters or all_clusters or with_setup or named_bucket):
        raise ConfigError("Nothing is named that should be ended.", hint="--cluster ID, --all-clusters, or --setup.")
    project = emr_launches.read_project(env)
    clients = emr_launches.clients_of(project)
    client = clients.client("emr")
    named = [name for name in clusters if name.startswith("j-")]
    found = [one(client, name) for name in named] + (list(managed(client)) if all_clusters else [])
    there = emr_launches.serverless_applications(clients)
    applications = [one["id"] for one in there if all_clusters or one["id"] in clusters]
    _require_known(set(clusters) - {*named, *applications})
    _print(project, client, found, as_json=False)
    for name in applications:
        click.echo(f"{name}  application of EMR Serverless")
    if with_setup:
        click.echo(f"The stack {stack.NAME}: network, roles, key; s3://{project.settings.bucket} stays.")
    if named_bucket:
        bucket_removal.require_named_twice(project.settings, named_bucket)
        n_files, size = bucket_removal.content(clients.client("s3"), project.settings)
        click.echo(f"s3://{project.settings.bucket}: {n_files:,} files, {size / 1e9:.2f} GB, which nobody brings back.")
    if dry_run or not (found or applications or with_setup or named_bucket):
        return 0
    more = f"{' and the stack' if with_setup else ''}{' and the bucket' if named_bucket else ''}"
    _confirm(f"End {len(found) + len(applications)} clusters{more}?", is_sure=is_sure)
    launcher = ClusterLauncher(project.settings, clients, new_screen())
    for cluster in found:
        launcher.end(cluster.id)
    for name in applications:
        ServerlessLauncher(project.settings, clients, new_screen()).end(name)
    if with_setup and not stack.delete(clients.client("cloudformation"), project.settings):
        click.echo(f"There is no stack {stack.NAME}.")
    if named_bucket:
        bucket_removal.remove(clients.client("s3"), project.settings)
        click.echo(f"s3://{project.settings.bucket} is gone.")
    return 0


def _require_known(unknown: set[str]) -> None:
    from rankhammer.errors import ConfigError

    if unknown:
        hint = "`rankhammer emr status` lists them; is the region of --env the right one?"
        raise ConfigError(f"There is no cluster {', '.join(sorted(unknown))} here.", hint=hint)


def _confirm(question: str, *, is_sure: bool) -> None:
    from rankhammer.errors import ConfigError

    if is_sure:
        return
    if not sys.stdin.isatty():
        raise ConfigError("Nobody is there to be asked.", hint="Say --yes, or look first with --dry-run.")
    click.confirm(question, abort=True, err=True)


def _primary(cluster: str, env: str) -> tuple[str, str]:
    from rankhammer.emr.inventory import one, primary_instance
    from rankhammer.runs import emr_launches

    project = emr_launches.read_project(env)
    client = emr_launches.clients_of(project).client("emr")
    return primary_instance(client, one(client, cluster).id), str(project.settings.region)


def _run(command: list[str], *, dry_run: bool) -> int:
    """Run a command of AWS's own, in this terminal.

    Raises:
        ConfigError: It is not installed.
    """
    import subprocess

    from rankhammer.errors import ConfigError

    if dry_run:
        click.echo(shlex.join(command))
        return 0
    missing = [name for name in ("aws", "session-manager-plugin") if shutil.which(name) is None]
    if missing:
        hint = f"Install AWS's command line and its Session Manager plugin. What would be run: {shlex.join(command)}"
        raise ConfigError(f"{' and '.join(missing)} is not on the PATH.", hint=hint)
    return subprocess.run(command, check=False).returncode


def _print(project: Any, client: Any, found: Sequence[ManagedCluster], *, as_json: bool) -> None:
    from rankhammer.emr.launcher import cost_so_far

    rows = [
        {
            "id": cluster.id,
            "state": cluster.state,
            "owner": cluster.owner,
            "ends_at": cluster.ttl.isoformat() if cluster.ttl else None,
            "launch": cluster.launch,
            "cost": cost_so_far(project.settings, client, cluster.id),
        }
        for cluster in found
    ]
    if as_json:
        print_json(rows)
        return
    for row in rows:
        click.echo("  ".join(f"{row[key] or '-'}" for key in ("id", "state", "owner", "ends_at", "launch", "cost")))
    if not rows:
        click.echo("No clusters.")
