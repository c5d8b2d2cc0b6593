"""`rankhammer sql`: thin, as `cli` is."""

from __future__ import annotations

import csv
import json
import sys
from itertools import islice
from typing import TYPE_CHECKING, Any

import click

from rankhammer.cli.options import ends_with_exit_code, env_option, print_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rankhammer.sql_tables.laptop import Answer

_SHOWN, _WIDTH = 100, 60
"""Rows, and signs of a value, that are printed for people."""


@click.command(epilog='Example:  rankhammer sql "SELECT corpus, count(*) AS n FROM judgments GROUP BY corpus"')
@click.argument("statement", required=False)
@env_option()
@click.option("--file", type=click.File(encoding="utf-8"), default=None, help="File with the statement; - is stdin.")
@click.option("--run", default=None, help="Id of a run, where runs have ids; the newest with these tables by default.")
@click.option("--json", "form", flag_value="json", help="Print the rows as JSON, one object a line.")
@click.option("--csv", "form", flag_value="csv", help="Print the rows as CSV.")
@click.option(
    "--most-mb", type=click.IntRange(0), default=4096, show_default=True, help="Of a table on HDFS or S3, copied here."
)
@ends_with_exit_code
def sql(statement: str | None, *, env: str | None, file: Any, run: str | None, form: str | None, most_mb: int) -> None:
    """Read hand-offs with SQL, without Spark: the catalog's tables by their names; without STATEMENT list them.

    DuckDB answers, and only reads. The current version of each table is read where it lies; from HDFS and S3 it is
    copied here once. Exit codes: 0, or 2 for a statement or table that cannot be read.
    """
    from rankhammer.runs import table_queries

    text = _text(statement, file)
    if text is None:
        _print_tables(table_queries.overview(env, run=run), as_json=form == "json")
        return
    found = table_queries.query(
        env, text, run=run, most_mb=most_mb, on_progress=lambda line: click.echo(line, err=True)
    )
    {"json": _print_json, "csv": _print_csv, None: _print_rows}[form](found)


def _text(statement: str | None, file: Any) -> str | None:
    from rankhammer.errors import ConfigError

    if statement is not None and file is not None:
        raise ConfigError("A statement and --file are given.", hint="Give one of them.")
    return statement if file is None else str(file.read())


def _print_tables(tables: Sequence[Mapping[str, Any]], *, as_json: bool) -> None:
    if as_json:
        print_json(tables)
        return
    for table in tables:
        click.echo(f"{table['name']:22} {table['state']:9} {table['path']}")
        if table["columns"]:
            click.echo(
                f"{'':22} " + ", ".join(f"{name} {_short(kind)}" for name, kind in table["columns"].items()),
            )


def _print_json(found: Answer) -> None:
    for row in found.rows:
        click.echo(json.dumps(dict(zip(found.columns, row, strict=True)), default=str))


def _print_csv(found: Answer) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(found.columns)
    for row in found.rows:
        writer.writerow([json.dumps(v, default=str) if isinstance(v, list | dict) else v for v in row])


def _print_rows(found: Answer) -> None:
    """Print the first rows in columns; numbers stand on the right."""
    rows = list(islice(found.rows, _SHOWN))
    texts = [[_cell(value) for value in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(found.columns, *texts, strict=True)]
    right = [all(isinstance(row[k], int | float) or row[k] is None for row in rows) for k in range(len(widths))]
    for line in (found.columns, *texts):
        cells = (
            text.rjust(width) if is_number else text.ljust(width)
            for text, width, is_number in zip(line, widths, right, strict=True)
        )
        click.echo("  ".join(cells).rstrip())
    if next(found.rows, None) is not None:
        click.echo(f"The first {_SHOWN} rows; --csv and --json print all.", err=True)


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return _short("".join(sign if sign.isprintable() else " " for sign in text))


def _short(text: str) -> str:
    return text if len(text) <= _WIDTH else f"{text[: _WIDTH - 3]}..."
