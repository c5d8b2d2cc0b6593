"""`rankhammer push-judgments`."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rankhammer.deploy.judgment_lists import PushedList
    from rankhammer.deploy.requests import Request

EXPORTED = "data/07_model_output/exported_judgments/shop/srw"


@click.command(epilog=f"Example:  rankhammer push-judgments {EXPORTED} --url https://search:9200 --credentials search")
@click.argument("folders", nargs=-1, required=True)
@click.option("--env", "-e", default=None, help="Kedro environment whose deploy.yml names the clusters.")
@click.option("--url", "urls", multiple=True, help="Cluster to use instead of deploy.yml's; repeatable.")
@click.option("--credentials", default=None, help="Entry of credentials.yml for --url.")
@click.option("--dry-run", is_flag=True, help="Print every request, and send none.")
@click.option("--json", "as_json", is_flag=True, help="Print what was done as JSON.")
def push_judgments(folders: tuple[str, ...], *, dry_run: bool, as_json: bool, **given: Any) -> None:
    """Put exported judgments (FOLDERS, each <corpus>/srw) into OpenSearch's Search Relevance Workbench, each once."""
    from rankhammer.deploy import planned_push, push_lists
    from rankhammer.run import read_deploy_options
    from rankhammer.user_errors import guarded

    def act() -> None:
        clusters = read_deploy_options(given).clusters
        if dry_run:
            print_requests(planned_push(folders, clusters))
        else:
            _print(push_lists(folders, clusters), as_json=as_json)

    sys.exit(guarded(act))


def print_requests(planned: list[tuple[str, list[Request]]]) -> None:
    """Print what a dry run would send.

    Args:
        planned: (url, requests) of each cluster.
    """
    for url, requests in planned:
        click.echo(f"# {url}")
        for request in requests:
            click.echo(str(request))


def _print(pushed: Iterable[PushedList], *, as_json: bool) -> None:
    """One line a list as soon as it is there: a later one may fail."""
    from dataclasses import asdict

    if as_json:
        click.echo(json.dumps([asdict(one) for one in pushed], indent=1))
        return
    for one in pushed:
        click.echo(f"{one.url}  {one.name}: {one.judgment_id} ({'imported' if one.is_new else 'was there'})")
