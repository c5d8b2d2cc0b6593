"""The command that reads out an online test: which of two rankers users prefer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from rankhammer.cli.options import ends_with_exit_code, json_option, print_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rankhammer.evaluation.bootstrap import Bootstrap

INTERLEAVING, AB = "interleaving", "ab"
_UNITS = {INTERLEAVING: "session_id", AB: "user_id"}
_OF_KIND = {INTERLEAVING: ("clicks_a", "clicks_b"), AB: ("variant", "value", "a", "b", "leave_out", "share_b")}
"""Options that one kind of test alone has."""
_WORDS = {
    "A": "Users prefer A.",
    "B": "Users prefer B.",
    "not distinguishable": "The two cannot be told apart: a longer test may.",
    "too few units": "Too few units for a verdict.",
}


@click.command(
    epilog="Example:  rankhammer online-test searches.csv --kind interleaving    "
    "(or: visits.parquet --kind ab --value clicks)"
)
@click.argument("log", type=click.Path())
@click.option("--kind", type=click.Choice([INTERLEAVING, AB]), required=True, help="How the test was made.")
@click.option("--unit", default=None, help="Column that is drawn as a whole; session_id, or user_id of an A/B test.")
@click.option("--clicks-a", default="clicks_a", show_default=True, help="Interleaving: column with clicks on A's.")
@click.option("--clicks-b", default="clicks_b", show_default=True, help="Interleaving: column with clicks on B's.")
@click.option("--variant", default="variant", show_default=True, help="A/B: column that names the arm.")
@click.option("--value", default="clicks", show_default=True, help="A/B: column that is compared.")
@click.option("--a", default="A", show_default=True, help="A/B: the variant that is A.")
@click.option("--b", default="B", show_default=True, help="A/B: the variant that is B.")
@click.option("--leave-out", multiple=True, help="A/B: a variant whose rows are not looked at. Repeatable.")
@click.option(
    "--share-b", type=click.FloatRange(0.01, 0.99), default=0.5, show_default=True, help="A/B: planned for B."
)
@click.option("--confidence", type=click.FloatRange(0.5, 0.999), default=0.95, show_default=True, help="Of intervals.")
@click.option("--resamples", type=click.IntRange(100, 100_000), default=2000, show_default=True, help="Of the units.")
@click.option("--random-state", type=click.IntRange(min=0), default=42, show_default=True, help="Seed of resamples.")
@json_option("all figures")
@ends_with_exit_code
def online_test(log: str, *, kind: str, unit: str | None, as_json: bool, **given: Any) -> None:
    """Read out an online test: which of two rankers users prefer, with an interval.

    LOG is a CSV, JSON lines or Parquet file, or a folder of them. `interleaving`: a row per search that team drafting
    put together, with the clicks on each team's documents. `ab`: a row per observation, with the arm and a value.
    """
    from rankhammer.evaluation.bootstrap import Bootstrap

    _require_options_of(kind)
    bootstrap = Bootstrap(given["resamples"], given["confidence"], given["random_state"])
    read = _read_interleaving if kind == INTERLEAVING else _read_ab
    found = read(log, unit or _UNITS[kind], given, bootstrap)
    if as_json:
        print_json(found)
    else:
        lines = _interleaving_lines if kind == INTERLEAVING else _ab_lines
        click.echo("\n".join([*lines(found), _WORDS[found["verdict"]]]))


def _require_options_of(kind: str) -> None:
    """Refuse options of the other kind of test, which would change nothing.

    Raises:
        ConfigError: One was given.
    """
    from rankhammer.errors import ConfigError

    context = click.get_current_context()
    others = {name for of_kind, names in _OF_KIND.items() if of_kind != kind for name in names}
    given = sorted(name for name in others if context.get_parameter_source(name) is not ParameterSource.DEFAULT)
    if given:
        raise ConfigError(
            f"--{given[0].replace('_', '-')} is no option of --kind {kind}.",
            hint=f"`{kind}` has " + ", ".join(f"--{name.replace('_', '-')}" for name in _OF_KIND[kind]) + ".",
        )


def _read_interleaving(log: str, unit: str, given: Mapping[str, Any], bootstrap: Bootstrap) -> dict[str, Any]:
    from rankhammer.evaluation.online_logs import interleaved_log
    from rankhammer.evaluation.online_tests import read_interleaving

    found = interleaved_log(log, clicks_a=given["clicks_a"], clicks_b=given["clicks_b"], unit=unit)
    return read_interleaving(found, bootstrap)


def _read_ab(log: str, unit: str, given: Mapping[str, Any], bootstrap: Bootstrap) -> dict[str, Any]:
    from rankhammer.evaluation.online_logs import ab_log
    from rankhammer.evaluation.online_tests import read_ab

    arms = (given["a"], given["b"])
    left_out = given["leave_out"]
    found = ab_log(log, variant=given["variant"], value=given["value"], unit=unit, arms=arms, left_out=left_out)
    return {**read_ab(found, bootstrap, share_b=given["share_b"]), "left_out": list(left_out)}


def _interleaving_lines(found: Mapping[str, Any]) -> Iterator[str]:
    yield f"{found['n_clicked']} of {found['n_searches']} searches have a click; {found['n_units']} units."
    yield f"A wins {found['wins_a']}, B wins {found['wins_b']}, {found['ties']} ties."
    yield f"Preference for B (0.5: none): {found['preference']:.4f} ({_interval(found)})"


def _ab_lines(found: Mapping[str, Any]) -> Iterator[str]:
    if found["left_out"]:
        yield f"Left out: the rows of {', '.join(found['left_out'])}."
    yield f"A: mean {found['mean_a']:.4f} of {found['units_a']} units; B: {found['mean_b']:.4f} of {found['units_b']}."
    yield f"B less A: {found['difference']:+.4f} ({_interval(found)})"


def _interval(found: Mapping[str, Any]) -> str:
    return "no interval" if found["lower"] is None else f"{found['lower']:.4f} to {found['upper']:.4f}"
