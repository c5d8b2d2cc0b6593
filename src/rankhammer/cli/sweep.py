"""Commands for sweeps over sizes of a model; thin, as `cli` is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from rankhammer.cli.options import WholeHelp, ends_with_exit_code, env_option, json_option, print_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rankhammer.sweeps.sized_rankers import RankerSweepSettings

_MOST_SIZES = 20
_SIZES = "5,7,10,30,50,75,100,200,400,600"


@click.group(cls=WholeHelp, epilog="Example:  rankhammer sweep toy --sizes 5,30,200")
def sweep() -> None:
    """Train sizes of a model side by side, and choose the smallest that is good enough.

    With learning curves beside it, for rankers of a run: `kedro run --pipeline=ranker_report`.
    """


@sweep.command(epilog="Example:  rankhammer sweep toy --sizes 5,30,200 --points 3000")
@click.option("--sizes", default=_SIZES, show_default=True, help="Neurons of the hidden layers.")
@click.option("--points", type=click.IntRange(30, 1_000_000), default=15_000, show_default=True, help="Of all classes.")
@click.option(
    "--grid", type=click.IntRange(11, 256), default=101, show_default=True, help="Points of a surface's side."
)
@click.option("--max-iter", type=click.IntRange(1, 10_000), default=200, show_default=True, help="Of the optimiser.")
@click.option("--parallel", type=click.IntRange(1, 64), default=4, show_default=True, help="Models at the same time.")
@click.option("--jitter", type=click.FloatRange(0, 2), default=0.12, show_default=True, help="Spread of the points.")
@click.option("--random-state", type=click.IntRange(min=0), default=42, show_default=True, help="Seed.")
@env_option()
@json_option("what was found")
@ends_with_exit_code
def toy(*, env: str | None, sizes: str, points: int, jitter: float, as_json: bool, **settings: Any) -> None:
    """Sweep perceptrons of Spark ML over three classes in a plane, and draw what each size decides where.

    The dashboard shows the result (Capacity).
    """
    from rankhammer.runs.sweeping import toy_sweep
    from rankhammer.sweeps.perceptrons import SweepSettings

    names = {"grid": "n_grid", "parallel": "n_parallel", "random_state": "seed", "max_iter": "max_iter"}
    chosen = SweepSettings(sizes=_parsed(sizes), **{names[name]: value for name, value in settings.items()})
    found, path = toy_sweep(env, points, chosen, jitter)
    if as_json:
        print_json(found)
        return
    for row in found["rows"]:
        mark = "chosen" if row["is_chosen"] else "best" if row["is_best"] else ""
        interval = f"({row['lower']:.4f}-{row['upper']:.4f})"
        click.echo(f"{row['name']:>12}  {row['mean']:.4f} {interval}  {row['seconds']:7.1f} s  {mark}".rstrip())
    click.echo(f"{found['metric']} on {found['n_held_out']:,} held-out points. Surfaces: {path}, rankhammer dashboard")


@sweep.command(epilog="Example:  rankhammer sweep rankers --ranker xgboost --parameter max_depth --sizes 1,2,4,6,8")
@click.option("--ranker", default="xgboost", show_default=True, help="Registered ranker; `rankhammer plugins`.")
@click.option(
    "--parameter", default="max_depth", show_default=True, help="Its parameter that grows with size; n_rounds: trees."
)
@click.option("--sizes", default="1,2,3,4,6,8", show_default=True, help="Values of that parameter.")
@click.option("--rounds", type=click.IntRange(1, 100_000), default=100, show_default=True, help="Of each fit.")
@click.option("--metric-k", type=click.IntRange(1, 100), default=10, show_default=True, help="NDCG down to this rank.")
@click.option("--features", default="", help="Two for the surfaces, as in a,b; else the two that matter most.")
@click.option("--corpus", "corpora", multiple=True, help="Repeatable; all by default.")
@click.option(
    "--grid", type=click.IntRange(11, 256), default=101, show_default=True, help="Points of a surface's side."
)
@click.option("--run", default=None, help="Id of a run, where runs have ids; the newest with a matrix by default.")
@env_option()
@json_option("what was found")
@ends_with_exit_code
def rankers(*, env: str | None, run: str | None, corpora: tuple[str, ...], as_json: bool, **given: Any) -> None:
    """Sweep sizes of a ranker over a training matrix: side by side on Spark, chosen by cross-validation.

    The smallest size that is at most one standard error behind the best is chosen; the dashboard shows intervals, and
    what each size scores over two features (Capacity).
    """
    from rankhammer.runs.sweeping import ranker_sweep

    found, path = ranker_sweep(env, _ranker_settings(given), run=run, corpora=corpora)
    if as_json:
        print_json(found)
        return
    for corpus, of in found.items():
        click.echo(f"{corpus}: {of['family']}, {of['metric']}, {of['held_out']}")
        for row in of["rows"]:
            _print_row(row)
        for one in of["failed"]:
            click.secho(f"  {one['value']:g} failed: {one['error']}", fg="red", err=True)
    click.echo(f"Surfaces: {path}, rankhammer dashboard")


def _ranker_settings(given: dict[str, Any]) -> RankerSweepSettings:
    from rankhammer import plugins
    from rankhammer.errors import ConfigError, did_you_mean
    from rankhammer.plugins import PluginSpec
    from rankhammer.sweeps.sized_rankers import RankerSweepSettings
    from rankhammer.training.held_out_curves import ROUNDS, Family

    spec = PluginSpec(name=given["ranker"])
    known = {**plugins.create("rankers", spec).default_params(), ROUNDS: 1}
    parameter = given["parameter"]
    if parameter not in known:
        raise ConfigError(f"{spec.name} has no parameter {parameter!r}.", hint=did_you_mean(parameter, known))
    family = Family(spec, parameter, _numbers(given["sizes"], known[parameter]), given["rounds"], given["metric_k"])
    features = tuple(part.strip() for part in given["features"].split(",") if part.strip())
    return RankerSweepSettings(family, features, given["grid"])


def _numbers(text: str, like: object) -> tuple[float, ...]:
    """Read sizes: whole numbers where the parameter has one."""
    from rankhammer.errors import ConfigError

    kind = int if isinstance(like, int) else float
    try:
        found = sorted({float(kind(part)) for part in text.split(",") if part.strip()})
    except ValueError:
        found = []
    if not found or len(found) > _MOST_SIZES or not all(0 <= value < float("inf") for value in found):
        what = "whole numbers" if kind is int else "numbers"
        raise ConfigError(f"--sizes {text!r}: expected 1 to {_MOST_SIZES} {what}.", hint="As in --sizes 1,2,4,8.")
    return tuple(found)


def _print_row(row: Mapping[str, Any]) -> None:
    mark = "chosen" if row["is_chosen"] else "best" if row["is_best"] else ""
    interval = "" if row["lower"] is None else f"({row['lower']:.4f}-{row['upper']:.4f})"
    click.echo(f"  {row['name']:>20}  {row['mean']:.4f} {interval}  {mark}".rstrip())


def _parsed(sizes: str) -> tuple[int, ...]:
    from rankhammer.errors import ConfigError

    parts = [part.strip() for part in sizes.split(",") if part.strip()]
    if not parts or not all(part.isascii() and part.isdecimal() and 0 < int(part) <= 10_000 for part in parts):
        raise ConfigError(f"--sizes {sizes!r}: expected numbers from 1 to 10000.", hint="As in --sizes 5,30,200.")
    return tuple(sorted({int(part) for part in parts}))
