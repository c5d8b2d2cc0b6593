"""Winners and losers: the test queries that a ranker orders better or worse, and one query's ranking explained."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rankhammer.dashboard.charts import Span, bar
from rankhammer.dashboard.shapes import mapping, number, sequence, text
from rankhammer.plot_style import SYSTEMS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rankhammer.dashboard.results import Results
    from rankhammer.dashboard.tables import Tables

N = 25
MOST_FOUND = 50
_OTHERS = ("logged", "baseline")


def view(results: Results, tables: Tables, run: int, given: Mapping[str, str]) -> dict[str, Any]:
    """Describe what a ranker changed.

    Args:
        results: Of an environment.
        tables: To ask.
        run: Number in the history.
        given: `corpus`, `against` and `part` of the address; what is not known counts as not given.
    """
    record = results.record(run).content
    compared = results.report("query_comparison", run)
    table = results.table("evaluation", run)
    training = mapping(mapping(record.get("figures")).get("training"))
    corpora = sorted(training)
    corpus = given["corpus"] if given.get("corpus") in corpora else next(iter(corpora), "")
    against = given["against"] if given.get("against") in _OTHERS else _OTHERS[0]
    about = {
        "corpus": corpus,
        "metric": text(record.get("metric")),
        "truth": text(mapping(training.get(corpus)).get("truth")),
    }
    found = {} if table.fault else _asked(tables, table, {**about, "against": against}, given.get("part", "").strip())
    explained = {text(one.get("query")) for one in compared_queries(compared.content, corpus)}
    return {
        **about,
        "fault": table.fault,
        "corpora": corpora,
        "against": against,
        "others": {other: SYSTEMS[other][0] for other in _OTHERS},
        "part": given.get("part", "").strip(),
        "explained": explained,
        **found,
    }


def _asked(tables: Tables, table: Any, about: Mapping[str, str], part: str) -> dict[str, Any]:
    # One statement: the rows of all test queries are read once.
    rows = tables.ask("differences", table, n=N, **about)
    gains, losses, counts = ([row for row in rows if row["kind"] == kind] for kind in ("gain", "loss", "counts"))
    row = counts[0] if counts else dict.fromkeys(("ranker", "other", "difference"), 0)
    span = Span.of([row["difference"] for row in (*gains, *losses)], zero=True)
    of_ranker = {name: value for name, value in about.items() if name != "against"}
    found = tables.ask("found", table, part=part[:200], n=MOST_FOUND, **of_ranker) if part else []
    return {
        "gains": _bars(gains, span),
        "losses": _bars(losses, span),
        "counts": {"n_better": row["ranker"], "n_worse": row["other"], "n": row["difference"]},
        "zero": span.place(0.0),
        "found": [row["query"] for row in found],
    }


def _bars(rows: Sequence[Mapping[str, Any]], span: Span) -> list[dict[str, Any]]:
    return [{**row, "bar": bar(row["difference"], span)} for row in rows]


def compared_queries(report: Mapping[str, Any], corpus: str) -> Iterator[Mapping[str, Any]]:
    """Yield the queries whose orders a run has kept, those that lost most first.

    Args:
        report: `query_comparison`.
        corpus: Whose.
    """
    of_corpus = mapping(mapping(report.get("corpora")).get(corpus))
    for kind in ("worst", "best"):
        yield from map(mapping, sequence(of_corpus.get(kind)))


def explain(results: Results, tables: Tables, run: int, given: Mapping[str, str]) -> dict[str, Any]:
    """Describe one query: its values by metric and system, and both orders with what put each document there.

    Args:
        results: Of an environment.
        tables: To ask.
        run: Number in the history.
        given: `corpus` and `query` of the address.
    """
    corpus, query = given.get("corpus", ""), given.get("query", "")
    report, table = results.report("query_comparison", run), results.table("evaluation", run)
    kept = next((one for one in compared_queries(report.content, corpus) if one.get("query") == query), {})
    rows = [] if table.fault else tables.ask("values", table, corpus=corpus, query=query)
    truth = text(mapping(mapping(report.content.get("corpora")).get(corpus)).get("truth"))
    return {
        "corpus": corpus,
        "query": query,
        "fault": "" if kept or rows else report.fault or table.fault or "The run has no such test query.",
        "values": _values(rows),
        "systems": [system for system in SYSTEMS if any(row["system"] == system for row in rows)],
        "names": {system: name for system, (name, _) in SYSTEMS.items()},
        "comparison": kept,
        "orders": _orders(kept, "reference_grade" if truth == "reference" else "grade"),
        "truth": truth,
    }


def _values(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    kinds = dict.fromkeys((row["truth"], row["metric"]) for row in rows)
    return [
        {
            "truth": truth,
            "metric": metric,
            "values": {row["system"]: row["value"] for row in rows if (row["truth"], row["metric"]) == (truth, metric)},
        }
        for truth, metric in kinds
    ]


def _orders(kept: Mapping[str, Any], grade: str) -> list[dict[str, Any]]:
    """Return the ranker's documents in order, each with its place before, its grade and what moved it."""
    documents = [_document(mapping(one), grade) for one in sequence(kept.get("documents"))]
    moves = [abs(value) for one in documents for _, value in one["contributions"]]
    span = Span(-max([*moves, 1e-9]), max([*moves, 1e-9]))
    for one in documents:
        one["bars"] = [{"name": name, "value": value, "bar": bar(value, span)} for name, value in one["contributions"]]
    return sorted(documents, key=lambda one: one["rank"] if one["rank"] is not None else 1e9)


def _document(facts: Mapping[str, Any], grade: str) -> dict[str, Any]:
    added = {name: value for name, one in mapping(facts.get("contributions")).items() if (value := number(one))}
    most = sorted(added.items(), key=lambda one: -abs(one[1]))[:3]
    numbers = {name: number(facts.get(name)) for name in ("rank", "rank_before", "score")}
    title = text(facts.get("title")) or text(facts.get("doc_id"))
    return {
        **numbers,
        "title": title,
        "doc_id": text(facts.get("doc_id")),
        "grade": number(facts.get(grade)),
        "contributions": most,
    }
