"""The command that looks at a user's own files and writes configuration for them; thin, as `cli` is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from rankhammer.cli.options import ends_with_exit_code

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rankhammer.input_guesses.guess import InputGuesses


@click.command(
    "init-log",
    epilog="Example:  rankhammer init-log data/01_raw/clicks.csv --documents data/01_raw/products.jsonl",
)
@click.argument("log", nargs=-1, required=True)
@click.option("--documents", default=None, help="What is searched: a file, folder or pattern.")
@click.option("--judgments", default=None, help="Grades from people, where there are any.")
@click.option("--env", "-e", default="local", show_default=True, help="Environment to write to: conf/<env>.")
@click.option(
    "--column",
    "columns",
    multiple=True,
    help="What a column is: clicked=is_click, documents.doc_id=sku. Repeatable.",
)
@click.option("--force", is_flag=True, help="Write over files that exist.")
@click.option("--dry-run", is_flag=True, help="Print the files instead of writing them.")
@ends_with_exit_code
def init_log(
    log: tuple[str, ...],
    *,
    documents: str | None,
    judgments: str | None,
    env: str,
    columns: tuple[str, ...],
    force: bool,
    dry_run: bool,
) -> None:
    """Look at a click log, documents and grades, and write the configuration to run on them.

    LOG is a file, folder or pattern: CSV, JSON lines, Parquet, UBI or Yandex WSCD. At most some thousand rows are read.
    """
    from rankhammer.input_guesses.guess import guess_inputs
    from rankhammer.input_guesses.settings_files import settings_files, write_settings
    from rankhammer.runs.execute import project_folder

    guesses = guess_inputs(log, documents=documents, judgments=judgments, given=_given(columns))
    files = settings_files(guesses)
    folder = project_folder() / "conf" / env
    written = [] if dry_run else write_settings(folder, files, replaces=force)
    click.echo("\n".join(_lines(guesses)))
    if dry_run:
        click.echo("\n".join(f"\n--- conf/{env}/{name}\n{text.rstrip()}" for name, text in files.items()))
    for path in written:
        click.echo(f"Wrote {path.relative_to(folder.parents[1])}")
    run = "kedro run" if guesses.documents else "kedro run --pipelines=ingestion,labeling"
    flag = "" if env == "local" else f" --env={env}"
    click.echo(f"What to do next: read these files, then\n  rankhammer plan{flag}\n  {run}{flag}")


def _given(columns: Sequence[str]) -> dict[str, str]:
    from rankhammer.errors import ConfigError

    pairs = [text.partition("=") for text in columns]
    for role, sign, name in pairs:
        if not (role and sign and name):
            raise ConfigError(f"--column {role}{sign}{name} is no pair.", hint="As in clicked=is_click.")
    return {role: name for role, _, name in pairs}


def _lines(guesses: InputGuesses) -> Iterator[str]:
    rows = [("input", "is read as", "your column", "confidence", "what it holds")]
    for name, columns in guesses.columns().items():
        rows += [
            (name, guess.role, guess.column, guess.confidence, " ".join(guess.why.split()))
            for guess in columns.values()
        ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for name, found in guesses.formats.items():
        reader = f", reader {guesses.log.reader}" if name == "click_log" else ""
        yield f"{name}: {found.path} ({found.name}{reader}; {guesses.n_rows[name]:,} rows looked at)"
    yield ""
    yield from ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)
    yield ""
    yield f"language of the queries: {guesses.language}"
    if guesses.documents:
        languages = ", ".join(f"{corpus}: {one or 'not known'}" for corpus, one in guesses.documents.languages.items())
        yield f"languages of the documents: {languages}"
    doubts = [doubt for found in guesses.doubts.values() for doubt in found]
    yield from (f"Unsure: {doubt}" for doubt in doubts)
