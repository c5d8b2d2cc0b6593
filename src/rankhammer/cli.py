"""The command line: `kedro run` as people expect it, and the `rankhammer` commands.

Kedro is imported inside the commands: `rankhammer --help` must answer at once.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rankhammer import __version__, cli_cluster, cli_submit
from rankhammer.push_command import print_requests, push_judgments
from rankhammer.run_options import with_corpora

if TYPE_CHECKING:
    from rankhammer.demo import DemoSummary
    from rankhammer.deploy import Deployed
    from rankhammer.ranking import RankedDocument

EPILOG = "Example:  kedro run --pipeline=train --env=prod"
EXPORTED = "data/07_model_output/exported_model/current/shop/opensearch_ltr-3.6"


class LazyRun(click.Command):
    """Kedro's own `run` options, read only when somebody asks for them."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """Return Kedro's options of `run`."""
        from kedro.framework.cli.project import run as kedro_run

        return [*map(with_corpora, kedro_run.params), self.get_help_option(ctx)]  # type: ignore[list-item]


@click.group(name="rankhammer")
def cli() -> None:
    """Commands of this project; Kedro adds them to its own."""


@click.group(name="rankhammer", epilog=EPILOG)
@click.version_option(__version__, prog_name="rankhammer")
def rankhammer() -> None:
    """From a search click log to a ranker that the search engine loads."""


@click.command(cls=LazyRun, epilog=EPILOG)
def run(**options: Any) -> None:
    """Run stages: all six, or those of --pipelines (collect, train, or single stages)."""
    from rankhammer.run import execute

    sys.exit(execute(options))


@click.command(epilog="Example:  rankhammer demo --out data/01_raw/demo")
@click.option("--out", type=click.Path(path_type=Path), default=Path("data/01_raw/demo"), show_default=True)
@click.option(
    "--random-state", type=click.IntRange(min=0), default=42, show_default=True, help="Seed of queries and clicks."
)
@click.option("--json", "as_json", is_flag=True, help="Print the facts as JSON.")
def demo(out: Path, random_state: int, as_json: bool) -> None:
    """Make the demo: Python's own documentation as corpus, and a simulated click log on it."""
    from rankhammer.demo import make_demo
    from rankhammer.user_errors import guarded

    sys.exit(guarded(lambda: _print_demo(make_demo(out, random_state=random_state), as_json=as_json)))


@click.command(epilog="Example:  rankhammer plugins --json")
@click.option("--json", "as_json", is_flag=True, help="Print the list as JSON.")
def plugins(as_json: bool) -> None:
    """List every click-log reader, click model, feature source, ranker and exporter."""
    from dataclasses import asdict

    from rankhammer.plugins import installed

    found = installed()
    if as_json:
        click.echo(json.dumps([asdict(plugin) for plugin in found], indent=1))
        return
    for plugin in found:
        provider = f"{plugin.distribution} {plugin.version}"
        click.echo(f"{plugin.group:18} {plugin.name:16} {provider:32} {plugin.error or plugin.summary}")


@click.command(epilog="Example:  rankhammer handoffs --env=prod --json")
@click.option("--env", "-e", default=None, help="Kedro environment.")
@click.option("--run", default=None, help="Id of a run, where runs have ids; the newest complete one by default.")
@click.option("--json", "as_json", is_flag=True, help="Print the list as JSON.")
def handoffs(env: str | None, run: str | None, as_json: bool) -> None:
    """List the hand-offs between stages: rows and a digest of them that order and partitioning do not change."""
    from rankhammer.run import handoffs as describe
    from rankhammer.user_errors import guarded

    sys.exit(guarded(lambda: _print_handoffs(describe(env, run), as_json=as_json)))


@click.command(epilog='Example:  rankhammer rank stdlib --query "read lines from a file" --top 5')
@click.argument("corpus")
@click.option("--query", "-q", required=True, help="Search, as a user types it.")
@click.option("--top", type=click.IntRange(1, 1000), default=10, show_default=True, help="Documents to show.")
@click.option(
    "--candidates", type=click.IntRange(1, 10_000), default=100, show_default=True, help="Documents to rerank."
)
@click.option("--env", "-e", default=None, help="Kedro environment.")
@click.option("--run", default=None, help="Id of a run, where runs have ids; the newest with a ranker by default.")
@click.option("--json", "as_json", is_flag=True, help="Print the documents as JSON.")
def rank(corpus: str, *, query: str, top: int, candidates: int, as_json: bool, **place: str | None) -> None:
    """Search CORPUS with its exported ranker, and say what put each document where it is."""
    from rankhammer.run import rank as search
    from rankhammer.user_errors import guarded

    def act() -> None:
        found = search(place["env"], corpus, query, n_candidates=max(candidates, top), run=place["run"])
        _print_ranked(found[:top], as_json=as_json)

    sys.exit(guarded(act))


@click.command(epilog="Example:  rankhammer collect-bundle 3f9c2a61d04b7e15 --url http://search:9200")
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--url", default=None, help="Address of the engine here; as in the bundle by default.")
@click.option("--credentials", default=None, help="Entry of credentials.yml for it.")
@click.option("--env", "-e", default=None, help="Kedro environment that has the credentials.")
def collect_bundle(folder: Path, *, url: str | None, credentials: str | None, env: str | None) -> None:
    """Answer FOLDER, a bundle of searches that a run wrote where it could not reach the engine."""
    from rankhammer.engines.answering import answer_bundle
    from rankhammer.run import read_credentials
    from rankhammer.user_errors import guarded

    def act() -> None:
        if credentials:
            read_credentials(env)
        answered = answer_bundle(folder, told=_print_progress, url=url, credentials=credentials)
        click.echo(f"{answered.n_queries} queries answered ({answered.n_parts} parts asked now): {folder / 'answers'}")

    sys.exit(guarded(act))


def _print_progress(done: int, n: int) -> None:
    """One line that is written over in a terminal, one a part elsewhere."""
    click.echo(f"{done} of {n} queries", err=True, nl=not sys.stderr.isatty() or done >= n)
    if sys.stderr.isatty() and done < n:
        click.echo("\r", err=True, nl=False)


def _deployment_options(command: Any) -> Any:
    """Add what `deploy` and `rollback` have in common."""
    for option in reversed(
        (
            click.option("--env", "-e", default=None, help="Kedro environment whose deploy.yml counts."),
            click.option("--url", "urls", multiple=True, help="Cluster to use instead of deploy.yml's; repeatable."),
            click.option("--engine", default=None, help="opensearch, elasticsearch or solr, as in deploy.yml."),
            click.option("--credentials", default=None, help="Entry of credentials.yml for --url."),
            click.option("--index", default=None, help="Index on which the ranker is tried; may hold {corpus}."),
            click.option("--query", "queries", multiple=True, help="Search by which it is tried; repeatable."),
            click.option("--dry-run", is_flag=True, help="Print every request, and change nothing."),
            click.option("--json", "as_json", is_flag=True, help="Print what was done as JSON."),
        )
    ):
        command = option(command)
    return command


@click.command(epilog=f"Example:  rankhammer deploy {EXPORTED} --dry-run")
@click.argument("folders", nargs=-1, required=True)
@_deployment_options
@click.option("--keep", type=int, default=None, help="Rankers of a corpus that stay for a rollback.")
def deploy(folders: tuple[str, ...], *, dry_run: bool, as_json: bool, **given: Any) -> None:
    """Put exported rankers (FOLDERS) into a search engine, try them there, and make them active."""
    from rankhammer import deploy as deploying
    from rankhammer.run import read_deploy_options
    from rankhammer.user_errors import guarded

    def act() -> None:
        options = read_deploy_options(given)
        packages = [deploying.read_package(folder) for folder in folders]
        for package in packages:
            if dry_run:
                print_requests(deploying.planned(package, options))
            else:
                _print_deployed(deploying.deploy(package, options), as_json=as_json)

    sys.exit(guarded(act))


@click.command(epilog="Example:  rankhammer rollback shop --env=prod")
@click.argument("corpus")
@_deployment_options
@click.option("--to", default=None, help="Name of the ranker; the one before the active one by default.")
def rollback(corpus: str, *, to: str | None, dry_run: bool, as_json: bool, **given: Any) -> None:
    """Make an earlier ranker of CORPUS active again; it is still on the clusters."""
    from rankhammer import deploy as deploying
    from rankhammer.run import read_deploy_options
    from rankhammer.user_errors import guarded

    def act() -> None:
        options = read_deploy_options(given)
        if dry_run:
            print_requests(deploying.planned_rollback(corpus, options, to=to))
        else:
            _print_deployed(deploying.rollback(corpus, options, to=to), as_json=as_json)

    sys.exit(guarded(act))


def _print_deployed(done: list[Deployed], *, as_json: bool) -> None:
    from dataclasses import asdict

    if as_json:
        click.echo(json.dumps([asdict(one) for one in done], indent=1))
        return
    for one in done:
        before = "as before" if one.before == one.active else f"before: {one.before or 'none'}"
        click.echo(f"{one.url}  {one.corpus}: {one.active} is active ({before})")
        for trial in one.tried:
            difference = f"scores differ by {trial['max_abs_difference']:.2g} at most"
            click.echo(f"  tried on {trial['n_documents']} documents for {trial['query']!r}: {difference}")
        for name in one.removed:
            click.echo(f"  removed {name}")


def _print_ranked(found: list[RankedDocument], *, as_json: bool) -> None:
    from dataclasses import asdict

    if as_json:
        click.echo(json.dumps([asdict(document) for document in found], indent=1))
        return
    click.echo(f"{'rank':>4} {'by words':>8} {'score':>9}  document, and the three features that say most")
    for document in found:
        most = ", ".join(f"{name} {added:+.3f}" for name, added in list(document.contributions.items())[:3])
        click.echo(f"{document.rank:4} {document.rank_by_words:8} {document.score:9.4f}  {document.doc_id}: {most}")


def _print_demo(made: DemoSummary, *, as_json: bool) -> None:
    from dataclasses import asdict

    click.echo(json.dumps(asdict(made), default=str) if as_json else str(made))


def _print_handoffs(found: list[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(found, indent=1))
        return
    for handoff in found:
        click.echo(f"{handoff['name']:18} {handoff['state']:10} {handoff['rows'] or '':>10}  {handoff['digest']}")


def main() -> None:
    """Entry point of the `rankhammer` command."""
    rankhammer()


_OWN = (run, demo, plugins, handoffs, rank, collect_bundle, deploy, rollback, push_judgments)
for _command in (*_OWN, *cli_cluster.COMMANDS, cli_submit.submit):
    rankhammer.add_command(_command)
cli.add_command(run)
cli.add_command(rankhammer)
