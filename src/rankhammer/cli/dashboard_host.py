"""`rankhammer dashboard deploy | remove`: a small instance that keeps it; thin, as `cli` is."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from rankhammer.cli.dashboard import dashboard
from rankhammer.cli.emr import env_of_emr
from rankhammer.cli.options import ends_with_exit_code, print_json

if TYPE_CHECKING:
    from rankhammer.runs.dashboard_hosts import PlannedHost

GROUP = dashboard
"""With the commands of both modules."""


@dashboard.command(
    epilog="Example:  rankhammer dashboard deploy --network 203.0.113.0/24 --name ranking.example.org"
    " --certificate rankhammer/certificate --dry-run"
)
@env_of_emr()
@click.option("--network", "networks", multiple=True, required=True, help="From which browsers come; repeatable.")
@click.option("--name", required=True, help="Host name that browsers use, which the certificate is for.")
@click.option(
    "--certificate", required=True, help="Secret of AWS Secrets Manager: JSON with `chain` and `key`, as PEM."
)
@click.option("--instance-type", default="t3.small", show_default=True, help="A plain one: no charge of EMR.")
@click.option("--dry-run", is_flag=True, help="Print the CloudFormation template; change nothing.")
@ends_with_exit_code
def deploy(
    env: str, *, networks: tuple[str, ...], name: str, certificate: str, instance_type: str, dry_run: bool
) -> None:
    """Make a small instance that keeps the dashboard, or update the one that is there.

    Port 443 is open to --network alone. The token is shown once, by the first deployment.
    """
    from rankhammer.dashboard.host import Host
    from rankhammer.runs import dashboard_hosts, emr_launches

    project = emr_launches.read_project(env)
    wanted = Host(env, networks, name, certificate, instance_type, str(project.settings.region))
    state = project.folder / "conf" / "local" / f"dashboard_{env}.json"
    if dry_run:
        planned = dashboard_hosts.plan(project, wanted, state, None, lambda _: None)
        print_json(planned.body)
        click.echo(_cost(planned), err=True)
        return
    found, done, address = dashboard_hosts.deploy(project, wanted, state, lambda line: click.echo(line, err=True))
    click.echo(f"{found.name}: {done}. {_cost(found)}")
    click.echo(f"Let {name} lead to {address}: an A record of your DNS. Then https://{name}/")
    click.echo(
        f"The certificate is that of the secret {certificate}; the host fetches it at each start, and each week."
    )
    if found.token:
        click.echo(f"Token: {found.token}\nIt is shown this once; {state} keeps its hash for updates.", err=True)


@dashboard.command(epilog="Example:  rankhammer dashboard remove --env=emr --dry-run")
@env_of_emr()
@click.option("--dry-run", is_flag=True, help="Say what would be removed; change nothing.")
@click.option("--yes", "is_sure", is_flag=True, help="Do not ask.")
@ends_with_exit_code
def remove(env: str, *, dry_run: bool, is_sure: bool) -> None:
    """Remove the host that `deploy` has made, its address and its role; results and the secret stay."""
    from rankhammer.errors import ConfigError
    from rankhammer.runs import dashboard_hosts, emr_launches

    project = emr_launches.read_project(env)
    name = dashboard_hosts.stack_name(env)
    click.echo(f"The stack {name}: instance, address, role, security group.")
    if dry_run:
        return
    if not is_sure and not sys.stdin.isatty():
        raise ConfigError("Nobody is there to be asked.", hint="Say --yes, or look first with --dry-run.")
    if not is_sure:
        click.confirm(f"Remove {name}?", abort=True, err=True)
    click.echo("Removed." if dashboard_hosts.remove(project) else f"There is no stack {name}.")


def _cost(planned: PlannedHost) -> str:
    return f"About {planned.monthly:.2f} $ a month (list prices of {planned.as_of}, without transfer)."
