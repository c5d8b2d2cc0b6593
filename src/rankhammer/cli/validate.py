"""The command that looks at a whole click log before a run; thin, as `cli` is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from rankhammer.cli.cluster import PlanOptions
from rankhammer.cli.options import ends_with_exit_code, env_option, json_option, print_json, write_output


@click.command(cls=PlanOptions, epilog="Example:  rankhammer validate --env=prod --html build/click_log.html")
@env_option()
@json_option("everything that was found")
@click.option("--html", type=click.Path(path_type=Path, dir_okay=False), default=None, help="Page with plots to write.")
@click.option("--faulty", default=None, help="New folder for the pages that would be set aside, with their reasons.")
@ends_with_exit_code
def validate(env: str | None, *, as_json: bool, html: Path | None, faulty: str | None, params: dict[str, Any]) -> int:
    """Read the whole click log, and say what a run would leave out of it and what is likely wrong; change nothing.

    Exit codes: 0, or 2 where a run would end with an error, or give a corpus up.
    """
    from rankhammer.exit_codes import USER_ERROR
    from rankhammer.runs.execute import validate as validate_inputs
    from rankhammer.runs.validation_page import html_page, text_lines

    found = validate_inputs(env, params, faulty=faulty)
    if as_json:
        print_json(found.facts())
    else:
        click.echo("\n".join(text_lines(found)))
    if html is not None:
        write_output(html, html_page(found))
        click.echo(f"Wrote {html}", err=True)
    return USER_ERROR if found.has_errors else 0
