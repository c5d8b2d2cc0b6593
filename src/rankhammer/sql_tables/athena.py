"""Queries that Athena keeps beside the tables, for whoever opens its console."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rankhammer.sql_tables.glue import CREATED, REPLACED, UNCHANGED

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_OURS = "rankhammer: "


@dataclass(frozen=True)
class KeptQuery:
    """A query with a name.

    Args:
        title: What it answers, in some words.
        sql: Statement of Athena.
        tables: That it reads.
    """

    title: str
    sql: str
    tables: tuple[str, ...]


QUERIES = (
    KeptQuery(
        "mean of each metric by system",
        "SELECT corpus, truth, metric, system, avg(value) AS mean, count(*) AS n_queries\n"
        "FROM evaluation GROUP BY corpus, truth, metric, system ORDER BY corpus, truth, metric, mean DESC",
        ("evaluation",),
    ),
    KeptQuery(
        "queries that the ranker makes worse",
        "SELECT r.corpus, r.query, r.metric, l.value AS logged, r.value AS ranker, r.value - l.value AS difference\n"
        "FROM evaluation r JOIN evaluation l ON r.corpus = l.corpus AND r.query = l.query AND r.metric = l.metric\n"
        "AND r.truth = l.truth WHERE r.system = 'ranker' AND l.system = 'logged' AND r.metric = 'ndcg@10'\n"
        "AND r.value < l.value ORDER BY difference LIMIT 100",
        ("evaluation",),
    ),
    KeptQuery(
        "trials by loss",
        "SELECT corpus, ranker, trial, loss, standard_error, chosen, params, error\n"
        "FROM tuning_trials ORDER BY corpus, loss LIMIT 200",
        ("tuning_trials",),
    ),
    KeptQuery(
        "click-through rate by position",
        "SELECT corpus, position, count(*) AS n_shown, avg(if(was_clicked, 1.0, 0.0)) AS click_through_rate\n"
        "FROM serps CROSS JOIN UNNEST(clicked) WITH ORDINALITY AS t (was_clicked, position)\n"
        "GROUP BY corpus, position ORDER BY corpus, position",
        ("serps",),
    ),
    KeptQuery(
        "judgments by grade",
        "SELECT corpus, grade, count(*) AS n, avg(relevance) AS mean_relevance\n"
        "FROM judgments GROUP BY corpus, grade ORDER BY corpus, grade",
        ("judgments",),
    ),
    KeptQuery(
        "pages that were set aside, by reason",
        "SELECT corpus, reason, count(*) AS n FROM quarantine GROUP BY corpus, reason ORDER BY n DESC",
        ("quarantine",),
    ),
)


def publish(athena: Any, database: str, workgroup: str, queries: Sequence[KeptQuery]) -> Iterator[tuple[str, str]]:
    """Let a workgroup keep these queries, each as it is now.

    Args:
        athena: Client.
        database: That they read.
        workgroup: Of Athena.
        queries: To be kept.

    Yields:
        Title of a query, and whether it was created, replaced or unchanged.
    """
    known = _known(athena, database, workgroup)
    for query in queries:
        name, about = f"{_OURS}{query.title}"[:128], f"Reads {', '.join(query.tables)}."
        found = known.get(name)
        if found is None:
            athena.create_named_query(
                Name=name, Description=about, Database=database, QueryString=query.sql, WorkGroup=workgroup
            )
            yield query.title, CREATED
        elif found["QueryString"] == query.sql:
            yield query.title, UNCHANGED
        else:
            athena.update_named_query(
                NamedQueryId=found["NamedQueryId"], Name=name, Description=about, QueryString=query.sql
            )
            yield query.title, REPLACED


def remove(athena: Any, database: str, workgroup: str) -> int:
    """Remove the queries that `publish` has made; return how many."""
    found = _known(athena, database, workgroup).values()
    for query in found:
        athena.delete_named_query(NamedQueryId=query["NamedQueryId"])
    return len(found)


def _known(athena: Any, database: str, workgroup: str) -> dict[str, dict[str, Any]]:
    pages = athena.get_paginator("list_named_queries").paginate(WorkGroup=workgroup)
    numbers = [number for page in pages for number in page.get("NamedQueryIds", ())]
    found = (athena.get_named_query(NamedQueryId=number)["NamedQuery"] for number in numbers)
    return {
        query["Name"]: query for query in found if query["Database"] == database and query["Name"].startswith(_OURS)
    }
