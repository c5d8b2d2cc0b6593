"""`rankhammer emr setup`: thin, as `cli` is."""

from __future__ import annotations

import getpass

import click

from rankhammer.cli.emr import emr, env_of_emr
from rankhammer.cli.options import ends_with_exit_code, print_json


@emr.command(epilog="Example:  rankhammer emr setup --env=emr --dry-run")
@env_of_emr()
@click.option("--dry-run", is_flag=True, help="Print the CloudFormation template; change nothing.")
@ends_with_exit_code
def setup(env: str, *, dry_run: bool) -> None:
    """Make what launches need, by CloudFormation: network, roles, bucket, encryption. Nothing in it runs."""
    from rankhammer.emr import stack
    from rankhammer.emr.template import MONTHLY, template
    from rankhammer.runs import emr_launches

    project = emr_launches.read_project(env)
    click.echo(f"Cost while nothing runs: about {MONTHLY:.2f} $ a month (a key of KMS), and what lies on S3.", err=True)
    if dry_run:
        print_json(template(project.settings))
        return
    clients = emr_launches.clients_of(project)
    owner = project.settings.owner or getpass.getuser()
    outputs = stack.create(clients.client("cloudformation"), project.settings, owner)
    click.echo(f"The stack {stack.NAME} is there. In conf/{env}/emr.yml:")
    for line in stack.lines_of_emr_yml(outputs, project.settings):
        click.echo(f"  {line}")
