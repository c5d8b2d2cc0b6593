"""Commands for the dashboard; thin, as `cli` is."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from rankhammer.cli.options import WholeHelp, ends_with_exit_code, env_option, write_output

_ACCESS = "conf/local/dashboard.json"


@click.group(cls=WholeHelp, invoke_without_command=True, epilog="Example:  rankhammer dashboard --env=prod --port 8050")
@env_option()
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="Address to listen on; others need TLS or --proxy."
)
@click.option("--port", type=click.IntRange(0, 65535), default=8050, show_default=True, help="0: any free one.")
@click.option("--name", "names", multiple=True, help="Host name that browsers use; repeatable.")
@click.option("--tls-cert", type=click.Path(dir_okay=False), default=None, help="PEM file of the certificate chain.")
@click.option("--tls-key", type=click.Path(dir_okay=False), default=None, help="PEM file of its key.")
@click.option("--proxy", default=None, help="IP address of the one proxy that may ask, and that ends TLS.")
@click.option(
    "--token-file", type=click.Path(path_type=Path), default=Path(_ACCESS), show_default=True, help="Holds its hash."
)
@click.option("--every", type=click.FloatRange(1), default=10, show_default=True, help="Seconds between two copies.")
@click.option(
    "--table-memory",
    type=click.IntRange(32, 65536),
    default=48,
    show_default=True,
    help="MB that a page may use to read a table.",
)
@click.option("--new-token", is_flag=True, help="Make another token; everybody has to sign in again.")
@click.pass_context
def dashboard(context: click.Context, /, **given: Any) -> None:
    """Show runs and their results in a browser: read-only pages, for whoever has the token.

    The token is shown once, at the first start; only its hash is kept. Results on HDFS or S3 are copied here.
    """
    if context.invoked_subcommand is None:
        _serve(**given)


@ends_with_exit_code
def _serve(
    env: str | None, *, token_file: Path, new_token: bool, every: float, table_memory: int, **binding: Any
) -> int:
    from rankhammer.dashboard.access import open_access
    from rankhammer.dashboard.headers import Binding
    from rankhammer.dashboard.requirements import require_installed
    from rankhammer.runs.dashboard_places import result_places, serve

    require_installed()
    # Refused before anything is opened, and before a token is shown.
    Binding(**binding)
    found = result_places(env)
    token = open_access(token_file, renew=new_token)[1]
    if token:
        click.echo(f"Token: {token}\nIt is shown this once; --new-token makes another.", err=True)
    sys.stdout.flush()
    sys.stderr.flush()
    return serve(found, str(token_file.absolute()), binding, every_s=every, table_memory_mb=table_memory)


@dashboard.command(epilog="Example:  rankhammer dashboard install --env=prod --user rankhammer -- --port 8050")
@env_option()
@click.option("--user", required=True, help="User of this host who runs it.")
@click.option(
    "--state",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("/var/lib/rankhammer-dashboard"),
    show_default=True,
    help="Folder of the token's hash and of copies.",
)
@click.option("--output", "-o", type=click.Path(path_type=Path), default=None, help="File of the unit.")
@click.option("--dry-run", is_flag=True, help="Print the unit, and write nothing.")
@click.argument("options", nargs=-1)
@ends_with_exit_code
def install(
    env: str | None, *, user: str, state: Path, output: Path | None, dry_run: bool, options: tuple[str, ...]
) -> None:
    """Write a unit of systemd that keeps the dashboard running on this host.

    OPTIONS, after --, are those of `rankhammer dashboard`, such as --port. The token is shown here, once.
    """
    from rankhammer.dashboard.unit import PLACE
    from rankhammer.runs.dashboard_service import install_service

    text, token = install_service(env, user, state, output or Path(PLACE), options, dry_run=dry_run)
    if dry_run:
        click.echo(text)
        return
    click.echo(
        f"{output or PLACE}. What to do next:\n  systemctl daemon-reload\n  systemctl enable --now {Path(PLACE).name}"
    )
    click.echo("To remove it: systemctl disable --now, and delete the file." + (f"\nToken: {token}" if token else ""))


@click.command(epilog="Example:  rankhammer report last -o report.html --env=prod")
@click.argument("run")
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    help="File to write, as in report.html.",
)
@env_option()
@ends_with_exit_code
def report(run: str, *, output: Path, env: str | None) -> None:
    """Write the dashboard's pages of RUN as one HTML file that needs nothing beside it.

    RUN is a number or an id of `rankhammer runs`, the beginning of an id, or `last`.
    """
    from rankhammer.dashboard.requirements import require_installed
    from rankhammer.runs.dashboard_places import report_of_run

    require_installed()
    content = report_of_run(env, run)
    write_output(output, content)
    click.echo(f"{output}: {len(content.encode()) / 1e6:.1f} MB.")
