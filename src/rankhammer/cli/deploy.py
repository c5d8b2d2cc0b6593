"""Commands that change a search engine: rankers deployed and rolled back, judgments pushed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from rankhammer.cli.options import ends_with_exit_code, env_option, json_option, print_json

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rankhammer.deploy import Deployed
    from rankhammer.deploy.judgment_lists import PushedList
    from rankhammer.deploy.requests import EngineRequest

EXPORTED_RANKER = "data/07_model_output/exported_model/current/shop/opensearch_ltr-3.6"
EXPORTED_JUDGMENTS = "data/07_model_output/exported_judgments/shop/srw"


def _deployment_options(command: Any) -> Any:
    """Add what `deploy` and `rollback` have in common."""
    for option in reversed(
        (
            env_option("Kedro environment whose deploy.yml counts."),
            click.option("--url", "urls", multiple=True, help="Cluster to use instead of deploy.yml's; repeatable."),
            click.option("--engine", default=None, help="opensearch, elasticsearch or solr, as in deploy.yml."),
            click.option("--credentials", default=None, help="Entry of credentials.yml for --url."),
            click.option("--index", default=None, help="Index on which the ranker is tried; may hold {corpus}."),
            click.option("--query", "queries", multiple=True, help="Search by which it is tried; repeatable."),
            click.option("--dry-run", is_flag=True, help="Print every request, and change nothing."),
            json_option("what was done"),
        )
    ):
        command = option(command)
    return command


@click.command(epilog=f"Example:  rankhammer deploy {EXPORTED_RANKER} --dry-run")
@click.argument("folders", nargs=-1, required=True)
@_deployment_options
@click.option("--keep", type=int, default=None, help="Rankers of a corpus that stay for a rollback.")
@ends_with_exit_code
def deploy(folders: tuple[str, ...], *, dry_run: bool, as_json: bool, **given: Any) -> None:
    """Put exported rankers (FOLDERS) into a search engine, try them there, and make them active."""
    from rankhammer import deploy as deploying
    from rankhammer.runs.execute import read_deploy_options

    options = read_deploy_options(given)
    packages = [deploying.read_exported_ranker(folder) for folder in folders]
    for exported in packages:
        if dry_run:
            print_requests(deploying.planned(exported, options))
        else:
            _print_deployed(deploying.deploy(exported, options), as_json=as_json)


@click.command(epilog="Example:  rankhammer rollback shop --env=prod")
@click.argument("corpus")
@_deployment_options
@click.option("--to", default=None, help="Name of the ranker; the one before the active one by default.")
@ends_with_exit_code
def rollback(corpus: str, *, to: str | None, dry_run: bool, as_json: bool, **given: Any) -> None:
    """Make an earlier ranker of CORPUS active again; it is still on the clusters."""
    from rankhammer import deploy as deploying
    from rankhammer.runs.execute import read_deploy_options

    options = read_deploy_options(given)
    if dry_run:
        print_requests(deploying.planned_rollback(corpus, options, to=to))
    else:
        _print_deployed(deploying.rollback(corpus, options, to=to), as_json=as_json)


def _print_deployed(done: list[Deployed], *, as_json: bool) -> None:
    from dataclasses import asdict

    if as_json:
        print_json([asdict(one) for one in done])
        return
    for one in done:
        before = "as before" if one.before == one.active else f"before: {one.before or 'none'}"
        click.echo(f"{one.url}  {one.corpus}: {one.active} is active ({before})")
        for trial in one.tried:
            difference = f"scores differ by {trial['max_abs_difference']:.2g} at most"
            click.echo(f"  tried on {trial['n_documents']} documents for {trial['query']!r}: {difference}")
        for name in one.removed:
            click.echo(f"  removed {name}")


@click.command(
    epilog=f"Example:  rankhammer push-judgments {EXPORTED_JUDGMENTS} --url https://search:9200 --credentials search"
)
@click.argument("folders", nargs=-1, required=True)
@env_option("Kedro environment whose deploy.yml names the clusters.")
@click.option("--url", "urls", multiple=True, help="Cluster to use instead of deploy.yml's; repeatable.")
@click.option("--credentials", default=None, help="Entry of credentials.yml for --url.")
@click.option("--dry-run", is_flag=True, help="Print every request, and send none.")
@json_option("what was done")
@ends_with_exit_code
def push_judgments(folders: tuple[str, ...], *, dry_run: bool, as_json: bool, **given: Any) -> None:
    """Put exported judgments (FOLDERS, each <corpus>/srw) into OpenSearch's Search Relevance Workbench, each once."""
    from rankhammer.deploy import planned_push, push_lists
    from rankhammer.runs.execute import read_deploy_options

    clusters = read_deploy_options(given).clusters
    if dry_run:
        print_requests(planned_push(folders, clusters))
    else:
        _print_pushed(push_lists(folders, clusters), as_json=as_json)


def print_requests(planned: list[tuple[str, list[EngineRequest]]]) -> None:
    """Print what a dry run would send.

    Args:
        planned: (url, requests) of each cluster.
    """
    for url, requests in planned:
        click.echo(f"# {url}")
        for request in requests:
            click.echo(str(request))


def _print_pushed(pushed: Iterable[PushedList], *, as_json: bool) -> None:
    """One line a list as soon as it is there: a later one may fail."""
    from dataclasses import asdict

    if as_json:
        print_json([asdict(one) for one in pushed])
        return
    for one in pushed:
        click.echo(f"{one.url}  {one.name}: {one.judgment_id} ({'imported' if one.is_new else 'was there'})")
