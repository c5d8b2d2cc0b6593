"""The command that asks a search engine what it shows for the queries of a log; thin, as `cli` is."""

from __future__ import annotations

from pathlib import Path

import click

from rankhammer.cli.options import ends_with_exit_code, env_option


@click.command(epilog="Example:  rankhammer result-lists data/result_lists --env=prod")
@click.argument("folder")
@env_option("Kedro environment whose log and search engine are meant.")
@click.option(
    "--run", default=None, help="Id of a run, where runs have ids; the newest that ingested a log by default."
)
@ends_with_exit_code
def result_lists(folder: str, *, env: str | None, run: str | None) -> None:
    """Ask the search engine of `features.source` for the first documents of the log's queries; write them to FOLDER.

    Only queries are asked that share their normal form with others. `clusters: results` then goes by these lists: set
    result_lists.path in globals.yml, and run ingestion again. FOLDER is new, and may be hdfs:// or s3a://.
    """
    from rankhammer.runs.result_lists import write_result_lists

    place = folder if "://" in folder else str(Path(folder).absolute())
    n_asked, n_found = write_result_lists(env, place.rstrip("/"), run=run)
    click.echo(f"Wrote {folder}: lists of {n_found} of {n_asked} queries that share their normal form with others.")
    click.echo("What to do next: in conf/<env>/globals.yml")
    click.echo(f"  result_lists: {{path: {folder}}}\n  language: {{default: english, clusters: results}}")
