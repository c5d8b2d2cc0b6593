"""Commands for the registry of rankers: what there is, how good it is today, and which one is current."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from rankhammer.cli.options import WholeHelp, ends_with_exit_code, env_option, json_option, print_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_ORDERS = {"champion": "the current ranker", "baseline": "baseline", "logged": "logged order"}
_SYSTEMS = ("ranker", "champion", "baseline", "logged")
_ID_SIGNS = 12
_run_option = click.option(
    "--run", default=None, help="Id of the run whose test queries count, where runs have ids; the newest by default."
)


@click.group(cls=WholeHelp, invoke_without_command=True, epilog="Example:  rankhammer rankers --corpus shop --env=prod")
@env_option()
@click.option("--corpus", default=None, help="Whose; all by default.")
@json_option("everything")
@click.pass_context
def rankers(context: click.Context, /, **given: Any) -> None:
    """List exported rankers, the newest of each corpus first: age, data, code, evidence, and which is current.

    `history` lists which were current; `rollback` makes the one before current again.
    """
    if context.invoked_subcommand is None:
        _list_rankers(**given)


@ends_with_exit_code
def _list_rankers(env: str | None, *, corpus: str | None, as_json: bool) -> None:
    from rankhammer.runs.published_rankers import list_rankers

    found = list_rankers(env, corpus)
    if as_json:
        print_json(found)
    else:
        click.echo("\n".join(_lines(found, datetime.now(UTC))))


@rankers.command(epilog="Example:  rankhammer rankers history --corpus shop")
@click.option("--corpus", default=None, help="Whose; all by default.")
@env_option()
@json_option("everything")
@ends_with_exit_code
def history(corpus: str | None, *, env: str | None, as_json: bool) -> None:
    """List each ranker that became current, the newest first: how, why, by whom."""
    from rankhammer.runs.published_rankers import list_moves

    found = list_moves(env, corpus)
    if as_json:
        print_json(found)
    else:
        click.echo("\n".join(_move_lines(found)))


@rankers.command(epilog="Example:  rankhammer rankers rollback shop --env=prod")
@click.argument("corpus")
@click.option("--to", default=None, help="Id of the ranker; the one that was current before by default.")
@env_option()
@json_option("what was done")
@ends_with_exit_code
def rollback(corpus: str, *, to: str | None, env: str | None, as_json: bool) -> None:
    """Make the ranker of CORPUS current again that was so before; `rankhammer rollback` does that in an engine."""
    from rankhammer.runs.published_rankers import roll_back

    done = roll_back(env, corpus, to)
    if as_json:
        print_json(done)
    else:
        click.echo(
            f"{corpus}: ranker {done['ranker']} is current again (before: {done['before'] or 'not registered'})."
        )


@click.command(epilog='Example:  rankhammer promote shop    (or: 3f9c2a61d04b --accept-without-gain "new feature set")')
@click.argument("corpus")
@click.argument("ranker", required=False)
@click.option("--accept-without-gain", "reason", metavar="REASON", help="Make it current in any case; REASON is kept.")
@env_option()
@_run_option
@json_option("what was found")
@ends_with_exit_code
def promote(corpus: str, ranker: str | None, *, reason: str | None, as_json: bool, **place: str | None) -> int:
    """Make the newest ranker of CORPUS, or RANKER, current if it is significantly better than the one that is.

    Both are measured on the same test queries, those of today's training matrix. Exit codes: 0, or 6 where there is no
    significant gain and nothing was changed.
    """
    from rankhammer.errors import ConfigError
    from rankhammer.exit_codes import DONE, NOT_PROMOTED
    from rankhammer.runs.promoting import promote as make_current

    if reason is not None and not reason.strip():
        raise ConfigError("--accept-without-gain has no reason.", hint='Say why: --accept-without-gain "new features".')
    found = make_current(place["env"], corpus, ranker, accepted=reason, run=place["run"])
    if as_json:
        print_json(found)
    else:
        click.echo("\n".join(_promotion_lines(found)))
    return DONE if found["is_promoted"] else NOT_PROMOTED


@click.command(epilog="Example:  rankhammer evaluate 3f9c2a61d04b --corpus shop    (or a folder: data/old/ranker/shop)")
@click.argument("ranker")
@click.option("--corpus", default=None, help="Whose ranker it is, where it does not say so itself.")
@env_option()
@_run_option
@json_option("all figures")
@ends_with_exit_code
def evaluate(ranker: str, *, corpus: str | None, as_json: bool, **place: str | None) -> None:
    """Measure RANKER on today's test queries and judgments, and compare it with the current one.

    RANKER is an id of `rankhammer rankers`, the beginning of one, `current`, or a folder with a ranker's own files.
    """
    from rankhammer.runs.promoting import evaluate as measure

    found = measure(place["env"], ranker, corpus=corpus, run=place["run"])
    if as_json:
        print_json(found)
    else:
        click.echo("\n".join(_evaluation_lines(found)))


def _lines(found: Sequence[Mapping[str, Any]], now: datetime) -> Iterator[str]:
    if not found:
        yield "No ranker is registered yet; `kedro run` exports one of each corpus."
        return
    width = max(len("corpus"), *(len(entry["corpus"]) for entry in found))
    yield f"{'corpus':{width}}  {'ranker':{_ID_SIGNS}}  {'age':>8}  {'data':8} {'code':8}  {'state':22}  evidence"
    for entry in found:
        data, code = _short(entry["inputs"]), entry["code"][:8]
        first = f"{entry['corpus']:{width}}  {entry['ranker']:{_ID_SIGNS}}  {_age(entry['at'], now):>8}"
        yield f"{first}  {data:8} {code:8}  {entry['state']:22}  {_evidence(entry['evidence'])}".rstrip()


def _short(inputs: Mapping[str, str]) -> str:
    from rankhammer.canonical_json import to_text
    from rankhammer.digests import hex_digest

    return hex_digest(to_text(dict(inputs)), 8)


def _age(at: str, now: datetime) -> str:
    """Say how long ago something was, in the largest unit of which there are two."""
    try:
        seconds = max(0.0, (now - datetime.fromisoformat(at)).total_seconds())
    except (TypeError, ValueError):
        return "unknown"
    for name, length in (("days", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {name}"
    return f"{seconds:.0f} s"


def _evidence(evidence: Mapping[str, Any]) -> str:
    measured = (evidence.get("measured") or {}).get("ranker")
    if not measured:
        return str(evidence.get("verdict") or "none")
    n_queries = max((one["n_queries"] for one in evidence["verdicts"].values()), default=None)
    on = "" if n_queries is None else f" on {n_queries} queries"
    return f"{evidence['metric']} {_interval(measured)}{on}; {evidence['verdict']}"


def _interval(found: Mapping[str, float | None]) -> str:
    if found["mean"] is None:
        return "-"
    interval = "no interval" if found["lower"] is None else f"{found['lower']:.3f} to {found['upper']:.3f}"
    return f"{found['mean']:.3f} ({interval})"


def _difference(found: Mapping[str, Any]) -> str:
    from rankhammer.evaluation.promotion import difference

    return f"{difference(found)}: {found['verdict']}"


def _move_lines(found: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    if not found:
        yield "No registered ranker was made current yet."
    for move in found:
        by = (move.get("by") or {}).get("user", "unknown")
        reason = f"; without a gain: {move['reason']}" if move.get("reason") else ""
        gain = ((move.get("evidence") or {}).get("verdicts") or {}).get("champion")
        shown = f"; {_difference(gain)}" if gain else ""
        when = str(move.get("at", ""))[:16].replace("T", " ")
        yield (
            f"{when}  {move['corpus']}: {move['ranker']} by {move['how']} ({by}), "
            f"before: {move['before'] or 'none'}{shown}{reason}"
        )


def _promotion_lines(found: Mapping[str, Any]) -> Iterator[str]:
    corpus, ranker, champion = found["corpus"], found["ranker"], found["champion"]
    yield from _verdict_lines(found)
    if found.get("n_tried", 1) > 1:
        yield (
            f"{found['n_tried']} rankers were compared with this one on these queries: intervals have a coverage of "
            f"{found['confidence']:.2%}."
        )
    if found["is_promoted"]:
        why = f" Accepted although {found['refusal']}: {found['reason']}." if found["refusal"] else ""
        yield f"{corpus}: ranker {ranker} is current (before: {champion or 'none'}).{why}"
    else:
        yield f"{corpus}: ranker {ranker} is not current: {found['refusal']}. What was current stays."
        yield f'To make it current anyway: rankhammer promote {corpus} {ranker} --accept-without-gain "REASON"'


def _metric_order(metric: str) -> tuple[str, int]:
    """Sort ndcg@3 before ndcg@10."""
    name, _, k = metric.partition("@")
    return name, int(k) if k.isdecimal() else 0


def _verdict_lines(found: Mapping[str, Any]) -> Iterator[str]:
    for against, one in (found.get("verdicts") or {}).items():
        n = one["n_queries"]
        yield f"ranker minus {_ORDERS[against]}, {found['metric']} on {n} test queries: {_difference(one)}"


def _evaluation_lines(found: Mapping[str, Any]) -> Iterator[str]:
    whose = {"reference": "people", "given": "feature_rows"}.get(found["truth"], "clicks")
    yield f"{found['corpus']}, ranker {found['ranker'] or 'of a folder'}, by the grades of {whose}:"
    measured = found["metrics"].get("reference" if found["truth"] == "reference" else "clicks", {})
    shown = [name for name in _SYSTEMS if any(name in of for of in measured.values())]
    yield "  ".join([f"{'metric':16}", *(f"{_ORDERS.get(name, name):24}" for name in shown)]).rstrip()
    for metric, of in sorted(measured.items(), key=lambda item: _metric_order(item[0])):
        cells = (f"{_interval(of[name]) if name in of else '-':24}" for name in shown)
        yield "  ".join([f"{metric:16}", *cells]).rstrip()
    yield from _verdict_lines(found)
    if found["left_out"]:
        yield f"The current ranker is left out: {found['left_out']}."
    if found["is_unseen"] is None:
        yield "No registered ranker has these files: nobody knows whether it was trained on some of these queries."
    elif not found["is_unseen"]:
        yield (
            "These are not the test queries that this ranker was measured on when it was trained: it may have been "
            "trained on some of them."
        )
