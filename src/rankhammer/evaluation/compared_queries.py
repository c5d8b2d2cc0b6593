"""Which test queries a ranker orders better or worse than before, with both orders side by side and why.

Two small results come to the driver: the chosen queries (some a corpus), and of each the first documents of two orders.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import numpy as np
from pyspark.sql import Window
from pyspark.sql import functions as F

from rankhammer.casts import quoted, sound
from rankhammer.corpora import corpus_in
from rankhammer.errors import DataError
from rankhammer.evaluation.contributions import contributions
from rankhammer.evaluation.verdict import VerdictRule
from rankhammer.exporters.publish import by_corpus, read_ranker
from rankhammer.plugins import PluginSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pyspark.sql import Column, DataFrame

    from rankhammer.exporters.base import TrainedRanker

    Score = Callable[[DataFrame, "Measured"], DataFrame]

ORDERS = ("logged", "baseline")
_QUERY = ("corpus", "query_cluster_id", "query")


@dataclass(frozen=True)
class Choice:
    """Which queries are compared, and how much of each is shown.

    Args:
        n_worst: Queries of a corpus with the largest loss, 0 or more.
        n_best: Queries of a corpus with the largest gain, 0 or more.
        top: First documents of each order that are shown, 1 or more.
        against: The order to compare with, "logged" or "baseline"; where it was not measured, the other one.
        title_field: Field of the documents that names one for a person.
        cluster: Id of a query cluster whose queries are compared, in place of the worst and best.
    """

    n_worst: int
    n_best: int
    top: int
    against: str = "logged"
    title_field: str = "title"
    cluster: str | None = None


@dataclass(frozen=True)
class Measured:
    """How one corpus's ranker was measured.

    Args:
        metric: The headline metric, such as "ndcg@10".
        truth: "reference", "clicks", or "given", which are the grades that feature rows came with.
        against: The order that its ranker is compared with here.
        baseline_feature: The feature whose order is the baseline.
        ranker: The registered ranker that made the model.
        min_clusters: Query clusters that a verdict takes.
    """

    metric: str
    truth: str
    against: str
    baseline_feature: str
    ranker: PluginSpec
    min_clusters: int = VerdictRule.min_clusters

    @property
    def evaluated_by(self) -> str:
        """The truth as `schemas.EVALUATION` calls it."""
        return "reference" if self.truth == "reference" else "clicks"


def read_measured(verdicts: Mapping[str, bytes], against: str) -> dict[str, Measured]:
    """Read how each corpus was measured.

    Args:
        verdicts: "<folder of the corpus>/verdict.json" to content.
        against: The order to compare with where it was measured.

    Returns:
        Corpus to facts; corpora whose ranker was compared with nothing are left out.
    """
    found = {corpus_in(name): json.loads(content) for name, content in sorted(verdicts.items())}
    return {corpus: _measured(facts, against) for corpus, facts in found.items() if facts["verdicts"]}


def compare_queries(
    evaluation: DataFrame,
    matrix: DataFrame,
    *,
    ranker: Mapping[str, bytes],
    measured: Mapping[str, Measured],
    documents: DataFrame | None,
    choice: Choice,
    score: Score,
) -> dict[str, list[dict[str, Any]]]:
    """Put both orders of the chosen test queries side by side.

    Args:
        evaluation: `schemas.EVALUATION`.
        matrix: `schemas.TRAINING_MATRIX`.
        ranker: The rankers' folders, "<folder of the corpus>/<file>" to content.
        measured: Corpus to how it was measured; the others are left out.
        documents: Has corpus, doc_id and fields; None where there are none, and then no title.
        choice: Which queries, and how much of each.
        score: Adds the columns ranker, logged and baseline to rows of the matrix as they were when it was measured.

    Returns:
        Corpus to its queries, those with the largest loss first. A query has query, `ranker` and the other order's name
        (the metric's values), difference, and documents: doc_id, title, rank (by the ranker, from 1), rank_before,
        grade (from clicks) and reference_grade, score, and contributions, what each feature adds to the score, the
        largest first. Documents stand in the ranker's order: the first `top` of either order.

    Raises:
        DataError: No test query is of the cluster that was asked for.
    """
    chosen = _choose(evaluation, measured, choice)
    if choice.cluster is not None and not chosen:
        raise DataError(
            "No test query of this corpus is this one in another spelling.",
            hint="Only held-out queries with a relevant document were measured; `rankhammer rank` takes any query.",
        )
    shown = _first_documents(matrix, chosen, measured, choice, score) if chosen else []
    titles = _titles(documents, shown, choice.title_field)
    rankers = {corpus: read_ranker(corpus, files) for corpus, files in by_corpus(ranker).items() if corpus in measured}
    documents_of = _described(shown, rankers, titles)
    found: dict[str, list[dict[str, Any]]] = {corpus: [] for corpus in sorted(measured)}
    for query in chosen:
        one = _values(query, measured[query["corpus"]].against)
        found[query["corpus"]].append(one | {"documents": documents_of.get(tuple(query[name] for name in _QUERY), [])})
    return found


def as_report(queries: Mapping[str, Sequence[Mapping[str, Any]]], measured: Mapping[str, Measured]) -> dict[str, Any]:
    """Divide the queries into those that lose and those that gain, with rounded numbers, for people to read.

    Args:
        queries: What `compare_queries` returned.
        measured: Corpus to how it was measured.

    Returns:
        Corpus to metric, truth, against, `worst` (the largest loss first) and `best` (the largest gain first).
    """
    corpora = {}
    for corpus, found in queries.items():
        one = measured[corpus]
        about = {"metric": one.metric, "truth": one.truth, "against": one.against}
        rounded = [_rounded(query) for query in found]
        worst = [query for query in rounded if query["difference"] < 0]
        best = [query for query in reversed(rounded) if query["difference"] >= 0]
        corpora[corpus] = {**about, "worst": worst, "best": best}
    return {"corpora": corpora}


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _rounded(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_rounded(part) for part in value]
    return round(value, 4) if isinstance(value, float) else value


def _measured(facts: Mapping[str, Any], against: str) -> Measured:
    order = against if against in facts["verdicts"] else next(iter(facts["verdicts"]))
    return Measured(
        facts["metric"],
        facts["truth"],
        order,
        facts["baseline_feature"],
        PluginSpec(**facts["ranker"]),
        facts.get("verdict_min_clusters", VerdictRule.min_clusters),
    )


def _choose(evaluation: DataFrame, measured: Mapping[str, Measured], choice: Choice) -> list[dict[str, Any]]:
    """Return the chosen queries with both values, the largest loss of a corpus first."""
    if not measured:
        return []
    systems = F.col("system").isin("ranker", *ORDERS)
    values = evaluation.where(systems & _any(_is_measured(corpus, one) for corpus, one in measured.items()))
    if choice.cluster is not None:
        values = values.where(F.col("query_cluster_id") == choice.cluster)
    is_ranker = F.col("system") == "ranker"
    by_query = values.groupBy(*_QUERY).agg(
        F.max(F.when(is_ranker, F.col("value"))).alias("ranker"),
        F.max(F.when(~is_ranker, F.col("value"))).alias("other"),
    )
    paired = by_query.withColumn("difference", F.col("ranker") - F.col("other")).where("difference IS NOT NULL")
    if choice.cluster is None:
        order = ("difference", "query", "query_cluster_id")
        in_corpus = Window.partitionBy("corpus")
        numbered = paired.withColumns(
            {
                "place": F.row_number().over(in_corpus.orderBy(*order)),
                "n": F.count(F.lit(1)).over(in_corpus),
            }
        )
        is_loss = (F.col("place") <= choice.n_worst) & (F.col("difference") < 0)
        is_gain = (F.col("place") > F.col("n") - choice.n_best) & (F.col("difference") > 0)
        paired = numbered.where(is_loss | is_gain)
    # An action: as many queries a corpus as are shown come back.
    found = [row.asDict() for row in paired.select(*_QUERY, "ranker", "other", "difference").collect()]
    return sorted(found, key=itemgetter("corpus", "difference", "query", "query_cluster_id"))


def _is_measured(corpus: str, one: Measured) -> Column:
    of_corpus = (F.col("corpus") == corpus) & (F.col("metric") == one.metric) & (F.col("truth") == one.evaluated_by)
    return of_corpus & F.col("system").isin("ranker", one.against)


def _any(conditions: Any) -> Column:
    found = F.lit(False)
    for condition in conditions:
        found = found | condition
    return found


def _first_documents(
    matrix: DataFrame,
    chosen: Sequence[Mapping[str, Any]],
    measured: Mapping[str, Measured],
    choice: Choice,
    score: Score,
) -> list[dict[str, Any]]:
    """Return the first documents of both orders of each query, ranked as the evaluation ranks them."""
    clusters = sorted({query["query_cluster_id"] for query in chosen})
    corpora = sorted({query["corpus"] for query in chosen})
    rows = matrix.where(
        (F.col("split") == "test") & F.col("corpus").isin(corpora) & F.col("query_cluster_id").isin(clusters)
    )
    by_people = [corpus for corpus in corpora if measured[corpus].evaluated_by == "reference"]
    by_baseline = [corpus for corpus in corpora if measured[corpus].against == "baseline"]
    judged = rows.where(F.col("corpus").isin(by_people) | F.col("grade").isNotNull())
    scored = score(judged, measured[corpora[0]]).withColumn(
        "before", F.when(F.col("corpus").isin(by_baseline), F.col("baseline")).otherwise(F.col("logged"))
    )
    in_query = Window.partitionBy(*_QUERY)
    ranked = scored.withColumns(
        {
            name: F.row_number().over(in_query.orderBy(F.col(system).desc_nulls_last(), "doc_id"))
            for name, system in (("rank", "ranker"), ("rank_before", "before"))
        }
    )
    names = (*_QUERY, "doc_id", "rank", "rank_before", "grade", "reference_grade", "features")
    first = ranked.where((F.col("rank") <= choice.top) | (F.col("rank_before") <= choice.top))
    wanted = {tuple(query[name] for name in _QUERY) for query in chosen}
    # An action: at most 2 x top documents of each chosen query come back.
    found = [row.asDict() | {"score": row["ranker"]} for row in first.select(*names, "ranker").collect()]
    kept = [row for row in found if tuple(row[name] for name in _QUERY) in wanted]
    return sorted(kept, key=lambda row: (*(row[name] for name in _QUERY), row["rank"]))


def _titles(
    documents: DataFrame | None, shown: Sequence[Mapping[str, Any]], field: str
) -> dict[tuple[str, str], str | None]:
    """Return the titles of the shown documents."""
    pairs = sorted({(row["corpus"], row["doc_id"]) for row in shown})
    if documents is None or field not in documents.columns or not pairs:
        return {}
    wanted = documents.sparkSession.createDataFrame(pairs, "corpus string, doc_id string")
    named = sound(documents).select("corpus", "doc_id", F.col(quoted(field)).cast("string").alias("title"))
    # An action: one title a shown document comes back.
    found = named.join(F.broadcast(wanted), ["corpus", "doc_id"], "left_semi").collect()
    return {(row["corpus"], row["doc_id"]): row["title"] for row in found}


def _described(
    shown: Sequence[Mapping[str, Any]],
    rankers: Mapping[str, TrainedRanker],
    titles: Mapping[tuple[str, str], str | None],
) -> dict[tuple[str, ...], list[dict[str, Any]]]:
    """Return (corpus, cluster, query) to its documents, each with its title and what features add to its score."""
    found: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for corpus, trained in rankers.items():
        rows = [row for row in shown if row["corpus"] == corpus]
        names = trained.feature_set.names
        vectors = np.array([[row["features"][name] for name in names] for row in rows], np.float32)
        added = contributions(trained.opened, vectors.reshape(len(rows), len(names)), names) if rows else []
        for row, of_row in zip(rows, added, strict=True):
            facts = {name: row[name] for name in ("rank", "rank_before", "grade", "reference_grade", "score")}
            document = {"doc_id": row["doc_id"], "title": titles.get((corpus, row["doc_id"])), **facts}
            found.setdefault(tuple(row[name] for name in _QUERY), []).append(document | {"contributions": of_row})
    return found


def _values(query: Mapping[str, Any], against: str) -> dict[str, Any]:
    return {
        "query": query["query"],
        "ranker": query["ranker"],
        against: query["other"],
        "difference": query["difference"],
        "against": against,
    }
