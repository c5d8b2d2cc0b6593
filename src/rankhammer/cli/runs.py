"""Commands for the history of runs; thin, as `cli` is."""

from __future__ import annotations

import json
from itertools import islice
from typing import TYPE_CHECKING, Any

import click

from rankhammer.cli.options import WholeHelp, ends_with_exit_code, env_option, json_option, print_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_MOST_CORPORA = 3
_TITLES = {
    "measured": "Measured",
    "data": "Counted",
    "inputs": "Inputs (checksum)",
    "parameters": "Parameters",
    "made_by": "Made by",
    "seconds": "Seconds",
}
_ALL_SHOWN = ("seconds",)


@click.group(cls=WholeHelp, invoke_without_command=True, epilog="Example:  rankhammer runs --env=prod --limit 50")
@env_option()
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="Runs to list at most.")
@json_option("everything")
@click.pass_context
def runs(context: click.Context, /, **given: Any) -> None:
    """List the runs of an environment, the newest first, failed ones too; `diff` compares two."""
    if context.invoked_subcommand is None:
        _list_runs(**given)


@ends_with_exit_code
def _list_runs(env: str | None, *, limit: int, as_json: bool) -> None:
    from rankhammer.runs.execute import history
    from rankhammer.runs.history import identity

    found = list(map(identity, islice(history(env), limit)))
    if as_json:
        print_json(found)
    else:
        click.echo("\n".join(_lines(found)))


@runs.command(epilog="Example:  rankhammer runs diff 11 12   (or ids: rankhammer runs diff 20261128T220457Z-ab12 last)")
@click.argument("a")
@click.argument("b")
@env_option()
@json_option("everything")
@ends_with_exit_code
def diff(a: str, b: str, *, env: str | None, as_json: bool) -> None:
    """Compare runs A and B: what was measured and counted, parameters, inputs, code, durations.

    A and B are numbers or ids of `rankhammer runs`, the beginning of an id, or `last`.
    """
    from rankhammer.runs.execute import find_runs
    from rankhammer.runs.history import difference

    found = difference(*find_runs(env, (a, b)))
    if as_json:
        print_json(found)
    else:
        click.echo("\n".join(_difference_lines(found)))


def _lines(found: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    if not found:
        yield "No run is in the history yet; `kedro run` adds each."
        return
    yield f"{'#':>4}  {'id':21} {'ended (UTC)':16}  {'state':7} {'seconds':>8}  stages; measured"
    for run in found:
        ended, state = run["ended"][:16].replace("T", " "), {"some corpora failed": "partly"}.get(run["state"])
        first = f"{run['number']:4}  {run['id']:21} {ended}  {state or run['state']:7} {run['total_seconds']:8.1f}"
        yield f"{first}  {_stages(run['stages'])}{_headline(run)}"
        if run["error"]:
            yield f"{'':28} {run['error']}"


def _stages(stages: Sequence[str]) -> str:
    from rankhammer.pipeline_registry import STAGES

    return "all" if {*STAGES} <= {*stages} else ", ".join(stages) or "none"


def _headline(run: Mapping[str, Any]) -> str:
    measured = {corpus: value for corpus, value in run["corpora"].items() if value is not None}
    corpora = [
        f"{corpus} {value:.3f}{_verdict(run, corpus)}" for corpus, value in list(measured.items())[:_MOST_CORPORA]
    ]
    if len(measured) > _MOST_CORPORA:
        corpora.append(f"{len(measured) - _MOST_CORPORA} more")
    return f"; {run['metric']}: {', '.join(corpora)}" if corpora else ""


def _verdict(run: Mapping[str, Any], corpus: str) -> str:
    word = run["verdicts"].get(corpus)
    held_back = ", not current" if corpus in run["held_back"] else ""
    return f" ({word}{held_back})" if word else ""


def _difference_lines(found: Mapping[str, Any]) -> Iterator[str]:
    for letter in ("a", "b"):
        run = found[letter]
        made = f"{run['environment']}, {run['ended']}, {run['state']}: {_stages(run['stages'])}"
        yield f"{letter.upper()}: #{run['number']} {run['id']}, {made}"
    for part, title in _TITLES.items():
        pairs = {name: pair for name, pair in found[part].items() if _is_shown(part, name, pair, found)}
        yield f"{title}:" if pairs else f"{title}: the same"
        width = max(map(len, pairs), default=0)
        for name, (one, other) in pairs.items():
            yield f"  {name:{width}}  {_value(one)} -> {_value(other)}{_change(one, other)}"


def _is_shown(part: str, name: str, pair: Sequence[Any], found: Mapping[str, Any]) -> bool:
    """Say whether a person sees a pair: what differs, and the measured means of both runs' metric in any case."""
    if part in _ALL_SHOWN:
        return True
    if part == "data":
        # Of stages that both have run: the first lines say which.
        return None not in pair and pair[0] != pair[1]
    if part != "measured":
        return bool(pair[0] != pair[1])
    is_headline = any(f".{found[run]['metric']}." in name and ".metrics." not in name for run in ("a", "b"))
    return name.endswith(".mean") and is_headline


def _value(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.4g}"
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _change(one: object, other: object) -> str:
    are_numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in (one, other))
    return f"  ({other - one:+.4g})" if are_numbers and one != other else ""  # type: ignore[operator]
