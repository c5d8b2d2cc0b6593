"""The command that cuts a data set into a smaller one; thin, as `cli` is."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rankhammer.cli.cluster import PlanOptions
from rankhammer.cli.options import ends_with_exit_code, env_option, json_option, print_json

if TYPE_CHECKING:
    from rankhammer.click_logs.sessions import DayRange

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")


@click.command(
    cls=PlanOptions,
    epilog="Example:  rankhammer split small --env=prod --days 2024-05-01:2024-05-07 --share 0.1 "
    "--params corpora=shop_fr",
)
@click.argument("name")
@env_option("Kedro environment whose data are cut.")
@click.option("--days", default="", help="UTC days, FIRST:LAST; either may be left out. All, if not given.")
@click.option("--share", type=float, default=1.0, show_default=True, help="Share of the query clusters, above 0 to 1.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of that choice.")
@click.option("--shown-only", is_flag=True, help="Leave out documents that no page of the part shows.")
@click.option("--folder", default=None, help="New folder for the data, also hdfs:// or s3a://. [default: data/NAME]")
@json_option("what was written")
@ends_with_exit_code
def split(
    name: str, *, env: str | None, as_json: bool, folder: str | None, params: dict[str, Any], **given: Any
) -> None:
    """Cut a data set into a smaller one, and write an environment NAME that runs on it: conf/NAME/globals.yml.

    Log, documents and grades are cut by days, by corpora (--params corpora=...) and by a share of the query clusters.
    The log is written as result pages without the faulty ones; users and addresses are hashed. What is there already is
    never written over.
    """
    from dataclasses import asdict

    from rankhammer.errors import ConfigError
    from rankhammer.runs.execute import project_folder
    from rankhammer.runs.execute import split as split_data
    from rankhammer.runs.splitting import Cut

    if not _NAME.fullmatch(name):
        raise ConfigError(f"{name!r} is no name of an environment.", hint="Use letters, digits, _ and -.")
    if not 0 < given["share"] <= 1:
        raise ConfigError(f"--share {given['share']} is not above 0 and at most 1.", hint="As in --share 0.1.")
    cut = Cut(_days(given["days"]), given["share"], given["seed"], given["shown_only"])
    settings = project_folder() / "conf" / name / "globals.yml"
    place = folder.rstrip("/") if folder else str(project_folder() / "data" / name)
    place = place if "://" in place else str(Path(place).absolute())
    facts = split_data(env, params, folder=place, settings=str(settings), cut=cut)
    if as_json:
        print_json(asdict(facts))
        return
    click.echo(f"Wrote {place} and conf/{name}/globals.yml: {facts.n_pages} result pages", nl=False)
    for what, n in (("documents", facts.n_documents), ("grades", facts.n_judgments)):
        click.echo(f", {n} {what}" if n is not None else "", nl=False)
    click.echo(f" ({facts.n_set_aside} faulty pages were left out).")
    run = "kedro run" if facts.n_documents is not None else "kedro run --pipelines=ingestion,labeling"
    click.echo(f"What to do next:\n  {run} --env={name}")


def _days(text: str) -> DayRange:
    from pydantic import ValidationError

    from rankhammer.click_logs.sessions import DayRange
    from rankhammer.errors import ConfigError

    first, sign, last = text.partition(":")
    try:
        return DayRange.model_validate({"first": first or None, "last": (last if sign else first) or None})
    except ValidationError:
        hint = "As in --days 2024-05-01:2024-05-07, 2024-05-01: or one day."
        raise ConfigError(f"--days {text} is no range of days.", hint=hint) from None
