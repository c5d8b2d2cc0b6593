"""Commands that look at single queries: `rank` searches, `queries` shows what a ranker changed."""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from itertools import pairwise
from typing import IO, TYPE_CHECKING, Any

import click

from rankhammer.cli.options import ends_with_exit_code, env_option, json_option, print_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from rankhammer.evaluation.faithfulness import Faithfulness
    from rankhammer.evaluation.offline_search import RankedDocument
    from rankhammer.runs.searching import Search

_ORDERS = {"logged": "logged order", "baseline": "baseline"}
_HELD_BACK = "This ranker was held back and is not current: version {}."
_MOST_FEATURES = 3
_MOST_CHARS = 44


@click.command(epilog='Example:  rankhammer rank stdlib --query "read lines from a file" --top 5')
@click.argument("corpus")
@click.option("--query", "-q", "queries", multiple=True, help="Search, as a user types it; repeatable.")
@click.option("--file", type=click.File(encoding="utf-8"), help="Searches, one a line, all at once; - is the input.")
@click.option("--top", type=click.IntRange(1, 1000), default=10, show_default=True, help="Documents to show.")
@click.option(
    "--candidates", type=click.IntRange(1, 10_000), default=100, show_default=True, help="Documents to rerank."
)
@click.option("--explain", is_flag=True, help="Say why each document stands above the next one, by all features.")
@click.option("--field", "fields", multiple=True, help="Field of the documents to show, too; repeatable.")
@env_option()
@click.option("--run", default=None, help="Id of a run, where runs have ids; the newest with a ranker by default.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON: the documents, or of several searches a line each.")
@ends_with_exit_code
def rank(
    corpus: str,
    *,
    queries: tuple[str, ...],
    file: IO[str] | None,
    top: int,
    candidates: int,
    as_json: bool,
    explain: bool,
    **place: Any,
) -> None:
    """Search CORPUS with its trained ranker, and say what put each document where it is.

    Without --query and --file each line of the input is a search, answered before the next line is read, until it ends.
    Documents in local files that the embedded engine searches are prepared once, and kept in the intermediate folder
    until they, the feature set or the code change: the next search needs no Spark.
    """
    from rankhammer.runs.searching import opened

    given = [*_asked_for(queries), *(_lines(file) if file else ())]
    is_single = len(given) == 1 and file is None

    def show(query: str, found: Sequence[RankedDocument]) -> None:
        _print_ranked(query, found[:top], as_json=as_json, is_single=is_single)
        if explain and not as_json:
            shown = found[: top + 1]
            for line in (*_reasons(shown), *_checked(search.check_reasons(shown))):
                click.echo(line)

    with opened(place["env"], corpus, fields=place["fields"], run=place["run"]) as search:
        if search.held_back:
            click.echo(_HELD_BACK.format(search.held_back), err=True)
        if given or file is not None:
            _answer(search, given, show, n_candidates=max(candidates, top))
        else:
            for line in _asked():
                _answer(search, [line], show, n_candidates=max(candidates, top))


@click.command(epilog='Example:  rankhammer queries --corpus stdlib --worst 5    (or: --query "read a file")')
@click.option("--corpus", required=True, help="Whose test queries.")
@click.option("--worst", type=click.IntRange(0, 1000), default=None, help="Queries with the largest loss; 20 alone.")
@click.option("--best", type=click.IntRange(0, 1000), default=None, help="Queries with the largest gain.")
@click.option("--query", "-q", default=None, help="One test query, in any spelling.")
@click.option("--top", type=click.IntRange(1, 100), default=10, show_default=True, help="Documents of each order.")
@click.option(
    "--against",
    type=click.Choice(list(_ORDERS)),
    default="logged",
    show_default=True,
    help="Order to compare with; the other one where it was not measured.",
)
@env_option()
@click.option("--run", default=None, help="Id of a run, where runs have ids; the newest that was measured by default.")
@json_option("everything")
@ends_with_exit_code
def queries(*, worst: int | None, best: int | None, as_json: bool, **given: Any) -> None:
    """Show the test queries that a ranker orders worse or better than before: both orders, side by side, and why."""
    from rankhammer.evaluation.compared_queries import Choice
    from rankhammer.runs.searching import compare

    n_worst = 20 if worst is None and best is None else worst or 0

    choice = Choice(n_worst, best or 0, given["top"], given["against"])
    found = compare(given["env"], given["corpus"], choice, query=given["query"], run=given["run"])
    if as_json:
        print_json(found)
        return
    if found and found[0]["held_back"]:
        click.echo(_HELD_BACK.format(found[0]["held_back"]), err=True)
    for line in _comparison_lines(found):
        click.echo(line)


def _asked_for(queries: Sequence[str]) -> Sequence[str]:
    from rankhammer.errors import ConfigError

    if not all(query.strip() for query in queries):
        raise ConfigError("--query is empty.", hint="Name a search, as a user types it: --query 'read a file'.")
    return queries


@contextmanager
def _of_utf8(name: str) -> Iterator[None]:
    try:
        yield
    except UnicodeDecodeError as exc:
        from rankhammer.errors import DataError

        hint = "Write the searches in UTF-8, as by: iconv -f latin1 -t utf-8 FILE."
        raise DataError(f"{name} holds bytes that are no UTF-8.", hint=hint) from exc


def _lines(file: IO[str]) -> list[str]:
    with _of_utf8(getattr(file, "name", "The input")):
        return [text for line in file if (text := line.strip())]


def _asked() -> Iterator[str]:
    """Yield the input's lines as they come."""
    is_typed = sys.stdin.isatty()
    while True:
        if is_typed:
            click.echo("query> ", nl=False, err=True)
        with _of_utf8("The input"):
            line = sys.stdin.readline()
        if not line:
            return
        if text := line.strip():
            yield text


def _answer(search: Search, given: Sequence[str], show: Callable[..., None], *, n_candidates: int) -> None:
    for query, found in search.answer(given, n_candidates=n_candidates):
        show(query, found)
        sys.stdout.flush()


def _print_ranked(query: str, found: Sequence[RankedDocument], *, as_json: bool, is_single: bool) -> None:
    from dataclasses import asdict

    if as_json:
        documents = [asdict(document) for document in found]
        click.echo(
            json.dumps(documents, indent=1) if is_single else json.dumps({"query": query, "documents": documents})
        )
        return
    if not is_single:
        click.echo(f"\n{_shown(query)}")
    if not found:
        click.echo("No document has a word of it, by the text features.")
        return
    click.echo(f"{'rank':>4} {'by words':>8} {'score':>9}  document, and the three features that say most")
    for document in found:
        first = f"{document.rank:4} {document.rank_by_words:8} {document.score:9.4f}"
        click.echo(f"{first}  {_shown(document.doc_id)}: {_most(document.contributions)}")
        if described := _described(document.fields):
            click.echo(f"{'':24}  {described}")


def _reasons(found: Sequence[RankedDocument]) -> Iterator[str]:
    """Yield for each document, in whole, what its score is made of and why it stands above the next one."""
    from rankhammer.evaluation.explanations import pairwise_difference
    from rankhammer.evaluation.faithfulness import reason

    for above, below in pairwise(found):
        upper, lower = (f"{one.rank} {_shown(one.doc_id)}" for one in (above, below))
        yield f"\n{upper} above {lower}: {above.score - below.score:+.4f}"
        yield f"  {reason(above, below)}".rstrip()
        why = pairwise_difference(above.contributions, below.contributions)
        width = max(map(len, why))
        for name, difference in why.items():
            if difference:
                parts = f"{above.contributions[name]:+.4f} and {below.contributions[name]:+.4f}"
                yield f"  {name:{width}} {difference:+.4f}  ({parts})"


def _checked(checked: Faithfulness) -> Iterator[str]:
    """Yield whether what is named first has held."""
    if checked.n_pairs:
        yield (
            f"\nChecked: in {checked.n_faithful} of {checked.n_pairs} pairs the lower document's score moves as said "
            "when it gets the other's value of the feature that is named first."
        )


def _described(fields: Mapping[str, str | None]) -> str:
    """Put the title, which is the first field, and the others by name on one line."""
    there = {name: _shown(text, 60) for name, text in fields.items() if text}
    title = next(iter(fields), None)
    return "; ".join(text if name == title else f"{name}: {text}" for name, text in there.items())


def _comparison_lines(found: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    if not found:
        yield "No test query of this kind: none that was asked for has lost or gained."
        return
    for query in found:
        other = _ORDERS[query["against"]]
        values = f"ranker {query['ranker']:.3f}, {other} {query[query['against']]:.3f}"
        yield f"{_shown(query['query'])}   {query['metric']}: {query['difference']:+.3f} ({values})"
        yield f"  {'#':>3}  {other:{_MOST_CHARS}} {'grade':>5}   {'ranker':{_MOST_CHARS}} {'grade':>5}  says most"
        yield from _side_by_side(query["documents"], query["truth"])
        yield ""
    whose = {"reference": "those of people", "given": "those that feature_rows came with"}
    counted = "1 query" if len(found) == 1 else f"{len(found)} queries"
    yield f"{counted}; the grades are {whose.get(found[0]['truth'], 'from clicks')}."


def _side_by_side(documents: Sequence[Mapping[str, Any]], truth: str) -> Iterator[str]:
    """Yield a line a place; the last column is about the ranker's document there."""
    grade = "reference_grade" if truth == "reference" else "grade"
    after = {document["rank"]: document for document in documents}
    before = {document["rank_before"]: document for document in documents}
    both = after.keys() & before.keys()
    last = max((place for place in both if {*range(1, place + 1)} <= both), default=0)
    for place in range(1, last + 1):
        left, right = (_cell(order.get(place), grade) for order in (before, after))
        yield f"  {place:3}  {left}   {right}  {_most(after[place]['contributions'])}".rstrip()


def _cell(document: Mapping[str, Any] | None, grade: str) -> str:
    if document is None:
        return f"{'':{_MOST_CHARS}} {'':>5}"
    value = "-" if document[grade] is None else str(document[grade])
    return f"{_shown(document['title'] or document['doc_id'], _MOST_CHARS):{_MOST_CHARS}} {value:>5}"


def _most(contributions: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {added:+.3f}" for name, added in list(contributions.items())[:_MOST_FEATURES])


def _shown(text: str, most: int | None = None) -> str:
    """Return a text of somebody else for a terminal: on one line, without control characters, not too long."""
    whole = " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
    return whole if most is None or len(whole) <= most else f"{whole[: most - 3]}..."
