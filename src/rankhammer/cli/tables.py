"""`rankhammer tables`: tables of Glue and Hive, and queries of Athena; thin, as `cli` is."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rankhammer.cli.options import WholeHelp, ends_with_exit_code, env_option, json_option, print_json, write_output

if TYPE_CHECKING:
    from rankhammer.runs.table_catalogs import TableCatalog


@click.group(cls=WholeHelp, epilog="Example:  rankhammer tables publish --env=emr --dry-run")
def tables() -> None:
    """Announce hand-offs, reports and tables of your own jobs in AWS Glue and Athena, or in Hive."""


@tables.command(epilog="Example:  rankhammer tables publish --env=emr --dry-run")
@env_option("Kedro environment whose results are on S3.")
@click.option("--run", default=None, help="Id of a run, where runs have ids; the newest complete one by default.")
@click.option("--dry-run", is_flag=True, help="Print what would be announced; write nothing.")
@ends_with_exit_code
def publish(env: str | None, *, run: str | None, dry_run: bool) -> None:
    """Let Glue's tables be what the results are now: each is replaced in one step, and none is dropped first.

    A table that is missing or half written is left out, and what was announced of it stays.
    """
    from rankhammer.runs import table_catalogs

    found = table_catalogs.read(env, run)
    _say_left_out(found)
    if dry_run:
        print_json(_planned(found))
        return
    clients = table_catalogs.clients_for(found.region)
    table_catalogs.publish(found, clients, lambda kind, name, done: click.echo(f"{done:10} {kind} {name}"))
    click.echo(f"Database {found.settings.database} in {found.region}: {len(found.entries)} tables.")


@tables.command(epilog="Example:  rankhammer tables hive --env=prod -o tables.sql")
@env_option("Kedro environment whose results are on HDFS, S3 or a disk that Hive can reach.")
@click.option("--run", default=None, help="Id of a run, where runs have ids; the newest complete one by default.")
@click.option("--output", "-o", type=click.Path(path_type=Path, dir_okay=False), default=None, help="File to write.")
@ends_with_exit_code
def hive(env: str | None, *, run: str | None, output: Path | None) -> None:
    """Print the statements that make external tables of Hive, for BI tools that ask by JDBC.

    Hive's metastore is not asked: beeline or spark-sql run the statements. They may be run again after each run.
    """
    from rankhammer.runs import table_catalogs
    from rankhammer.sql_tables import hive as hive_tables

    found = table_catalogs.read(env, run, hive_tables.location)
    _say_left_out(found)
    text = table_catalogs.hive_statements(found)
    if output is None:
        click.echo(text, nl=False)
        return
    write_output(output, text)
    click.echo(f"{output}: {len(found.entries)} tables of the database {found.settings.database}.")


@tables.command("list", epilog="Example:  rankhammer tables list --env=emr --json")
@env_option()
@json_option("the list")
@ends_with_exit_code
def list_tables(env: str | None, *, as_json: bool) -> None:
    """List the tables that `publish` has announced, and where each is."""
    from rankhammer.emr.clients import translated
    from rankhammer.runs import table_catalogs
    from rankhammer.sql_tables import glue

    settings, region = table_catalogs.settings_of(env)
    with translated(f"Tables of {settings.database}"):
        found = glue.listed(table_catalogs.clients_for(region).client("glue"), settings.database)
    if as_json:
        print_json(found)
        return
    for table in found:
        click.echo(f"{table['name']:24} {table['location']}")
    if not found:
        click.echo(f"No tables in {settings.database}.")


@tables.command(epilog="Example:  rankhammer tables remove --env=emr --dry-run")
@env_option()
@click.option("--dry-run", is_flag=True, help="List what would be removed; change nothing.")
@click.option("--yes", "is_sure", is_flag=True, help="Do not ask.")
@ends_with_exit_code
def remove(env: str | None, *, dry_run: bool, is_sure: bool) -> None:
    """Remove the announced tables and kept queries; the files on S3 stay."""
    from rankhammer.emr.clients import translated
    from rankhammer.errors import ConfigError
    from rankhammer.runs import table_catalogs
    from rankhammer.sql_tables import athena, glue

    settings, region = table_catalogs.settings_of(env)
    clients = table_catalogs.clients_for(region)
    with translated(f"Tables of {settings.database}"):
        found = glue.listed(clients.client("glue"), settings.database)
        for table in found:
            click.echo(f"{table['name']:24} {table['location']}")
        if dry_run or not found:
            return
        if not is_sure and not sys.stdin.isatty():
            raise ConfigError("Nobody is there to be asked.", hint="Say --yes, or look first with --dry-run.")
        if not is_sure:
            click.confirm(f"Remove {len(found)} tables?", abort=True, err=True)
        athena.remove(clients.client("athena"), settings.database, settings.workgroup)
        glue.remove(clients.client("glue"), settings.database)


def _say_left_out(found: TableCatalog) -> None:
    for name, why in found.left_out.items():
        click.echo(f"left out   {name}: {why}", err=True)


def _planned(found: TableCatalog) -> dict[str, object]:
    from dataclasses import asdict

    from rankhammer.sql_tables import glue

    return {
        "database": found.settings.database,
        "tables": [glue.table_input(entry) for entry in found.entries],
        "queries": [asdict(query) for query in found.queries],
    }
