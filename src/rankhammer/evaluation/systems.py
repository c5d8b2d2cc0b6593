"""How well each system ranks the held-out queries, and how sure that is.

A value belongs to one query and one truth: "clicks" are the grades that the click model estimated, "reference" the
grades that people gave. Intervals come from resampling query clusters, because the queries of a cluster share evidence.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa
from pyspark.sql import functions as F

from rankhammer import schemas
from rankhammer.canonical_json import to_text
from rankhammer.casts import sound
from rankhammer.digests import hex_digest
from rankhammer.evaluation.bootstrap import Bootstrap, compare_systems
from rankhammer.evaluation.metrics import MAX_CUTOFF, MIN_RELEVANT, Metric, parse_metric
from rankhammer.queries import assign_clusters

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray
    from pyspark.sql import DataFrame

SYSTEMS = ("logged", "baseline", "ranker", "oracle")
TRUTHS = ("clicks", "reference")
N_CHUNKS = 64
"""A corpus's test queries are evaluated in this many groups, each one vectorised call on one worker."""

_ROW_ORDER = [(name, "ascending") for name in ("query_cluster_id", "query", "doc_id")]
_EVALUATION = pa.schema(
    [(name, pa.float64() if kind == "double" else pa.string()) for name, kind in schemas.EVALUATION.columns.items()]
)
_SUMMARY = pa.schema(
    [
        *[(name, pa.string()) for name in ("corpus", "metric", "truth", "quantity", "system", "against")],
        *[(name, pa.float64()) for name in ("mean", "lower", "upper", "sd")],
        *[(name, pa.int64()) for name in ("n_queries", "n_clusters", "n_skipped")],
        ("queries", pa.string()),
    ]
)


def join_reference(
    rows: DataFrame,
    reference_judgments: DataFrame | None,
    *,
    language: object = "english",
    known: DataFrame | None = None,
) -> DataFrame:
    """Set people's grades beside the rows; a cluster that was graded under several spellings takes the highest.

    Args:
        rows: Any table with corpus, query_cluster_id and doc_id.
        reference_judgments: schemas.REFERENCE_JUDGMENTS, or None when there are none.
        language: Languages that made the cluster ids of `rows`; see `queries.QueryRules.parse`.
        known: Tells the clusters of queries where these go by results: has corpus, query and query_cluster_id, as
            `rows` then has, too; None: `rows` itself.

    Returns:
        The same rows with reference_grade (int; null where the document was not graded) and ideal_reference_grades
        (array<int>; the cluster's highest MAX_CUTOFF grades and every relevant one, descending, retrieved or not;
        null where the cluster has no grades).
    """
    if reference_judgments is None:
        return rows.withColumns(
            {
                "reference_grade": F.lit(None).cast("int"),
                "ideal_reference_grades": F.lit(None).cast("array<int>"),
            }
        )
    cluster = ["corpus", "query_cluster_id"]
    graded = (
        sound(reference_judgments)
        .filter(F.col("grade").isNotNull() & F.col("doc_id").isNotNull())
        .transform(assign_clusters, language=language, known=rows if known is None else known)
        # Brought together once for both groupings, and for the join where it needs it.
        .repartition(*cluster)
        .groupBy(*cluster, "doc_id")
        .agg(F.max("grade").cast("int").alias("grade"))
    )
    # One row per cluster, so that the graded queries are normalised once and one join brings both columns.
    by_cluster = graded.groupBy(*cluster).agg(
        F.map_from_entries(F.collect_list(F.struct("doc_id", "grade"))).alias("_grades")
    )
    descending = F.sort_array(F.map_values("_grades"), asc=False)
    n_relevant = F.size(F.filter(descending, lambda grade: grade >= MIN_RELEVANT))
    return (
        rows.join(by_cluster, cluster, "left")
        .withColumns(
            {
                "reference_grade": F.try_element_at("_grades", F.col("doc_id")),
                "ideal_reference_grades": F.slice(descending, 1, F.greatest(F.lit(MAX_CUTOFF), n_relevant)),
            }
        )
        .drop("_grades")
    )


def evaluate_systems(
    scored: DataFrame, *, metrics: Sequence[str] = ("ndcg@10",), systems: Sequence[str] = SYSTEMS
) -> DataFrame:
    """Compute every metric of every system for each query, by each truth.

    Truth "clicks" ranks the rows with a grade. Truth "reference" ranks all rows of the queries that people graded: a
    document without a grade counts as 0, and the ideal order is that of all graded documents, as in trec_eval.
    Ties keep the order of doc_id. A system without any score for a query has no value for it; a single missing score
    ranks last.

    Args:
        scored: Test rows: corpus, query, query_cluster_id, doc_id, grade, reference_grade, ideal_reference_grades (see
            `join_reference`), and one double column a system, higher ranks first.
        metrics: Names that `metrics.parse_metric` knows.
        systems: The score columns.

    Returns:
        schemas.EVALUATION; `value` is null where the query has no relevant document by that truth.

    Raises:
        ConfigError: A metric's name is unknown.
    """
    parsed = {name: parse_metric(name) for name in metrics}
    names = tuple(systems)

    def evaluate(rows: pa.Table) -> pa.Table:
        return _evaluate_chunk(rows.sort_by(_ROW_ORDER), parsed, names)

    chunk = F.pmod(F.xxhash64("query_cluster_id", "query"), F.lit(N_CHUNKS))
    columns = ["corpus", "query", "query_cluster_id", "doc_id", "grade", "reference_grade", "ideal_reference_grades"]
    numbered = scored.select(*columns, *[F.col(name).cast("double") for name in names]).withColumn("chunk", chunk)
    return numbered.groupBy("corpus", "chunk").applyInArrow(evaluate, _ddl(_EVALUATION))


def summarize(
    evaluation: DataFrame, *, n_resamples: int = 1000, confidence: float = 0.95, random_state: int
) -> DataFrame:
    """Average the values over queries, with percentile intervals from resampled clusters.

    Args:
        evaluation: schemas.EVALUATION.
        n_resamples: Resamples of the clusters.
        confidence: Coverage of the interval, for example 0.95.
        random_state: Seed; the result does not depend on the order of the rows.

    Returns:
        A few rows a (corpus, metric, truth): quantity, system, against, mean, lower, upper, sd, n_queries, n_clusters,
        n_skipped, queries. `quantity` is "mean" (of `system`), "difference" (`system` minus
        `against`, over the queries that have both) or "oracle_share" (the part of the oracle's gain over `against` that
        `system` reaches; null where the oracle gains nothing). lower and upper are null below two clusters. n_skipped
        counts queries without a relevant document. `queries` is a digest of the queries that `system` has values for:
        equal digests, the same queries.
    """
    bootstrap = Bootstrap(n_resamples, confidence, random_state)

    def summarize_group(values: pa.Table) -> pa.Table:
        ordered = values.sort_by([(name, "ascending") for name in ("query_cluster_id", "query", "system")])
        keys = {name: ordered[name][0].as_py() for name in ("corpus", "metric", "truth")}
        return pa.Table.from_pylist([keys | row for row in _summary_rows(ordered, bootstrap)], schema=_SUMMARY)

    return evaluation.groupBy("corpus", "metric", "truth").applyInArrow(summarize_group, _ddl(_SUMMARY))


def _evaluate_chunk(rows: pa.Table, metrics: Mapping[str, Metric], systems: Sequence[str]) -> pa.Table:
    qid, first = _number_queries(rows)
    found = []
    for truth in TRUTHS:
        judged = _judged(rows, qid, first, truth)
        for system in systems:
            scores = rows[system].to_numpy()
            kept = judged.kept & _members(qid[judged.kept & ~np.isnan(scores)], len(first))[qid]
            if not kept.any():
                continue
            ranked = scores[kept], judged.grades[kept], qid[kept]
            places, ideal = np.unique(qid[kept]), judged.ideal(qid[kept])
            found += [
                _Values(places, metric.values(*ranked, ideal_grades=ideal), name, truth, system)
                for name, metric in metrics.items()
            ]
    return _as_evaluation(rows.select(["corpus", "query", "query_cluster_id"]).take(first), found)


class _Values(NamedTuple):
    """One metric of a system by a truth: the places of queries in a chunk, and their values."""

    places: NDArray[np.intp]
    values: NDArray[np.float64]
    metric: str
    truth: str
    system: str


class _Judged(NamedTuple):
    """Rows that a truth can rank, their grades, and the (grades, query numbers) of all judged documents if any more."""

    kept: NDArray[np.bool_]
    grades: NDArray[np.float64]
    all_judged: tuple[NDArray[np.float64], NDArray[np.intp]] | None

    def ideal(self, qid: NDArray[np.intp]) -> tuple[NDArray[np.float64], NDArray[np.intp]] | None:
        """Return the ideal grades of these queries alone."""
        if self.all_judged is None:
            return None
        grades, queries = self.all_judged
        wanted = _members(qid, queries[-1] + 1)[queries]
        return grades[wanted], queries[wanted]


def _judged(rows: pa.Table, qid: NDArray[np.intp], first: NDArray[np.intp], truth: str) -> _Judged:
    if truth == "clicks":
        grades = rows["grade"].to_numpy().astype(np.float64)
        return _Judged(~np.isnan(grades), grades, None)
    lists = rows["ideal_reference_grades"].combine_chunks().take(pa.array(first))
    lengths = lists.value_lengths().fill_null(0).to_numpy()
    ideal = lists.flatten().to_numpy().astype(np.float64)
    grades = np.nan_to_num(rows["reference_grade"].to_numpy().astype(np.float64))
    return _Judged((lengths > 0)[qid], grades, (ideal, np.repeat(np.arange(len(first)), lengths)))


def _number_queries(rows: pa.Table) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Number the queries of sorted rows from 0 on: (number of each row, first row of each query)."""
    starts = np.zeros(len(rows), dtype=bool)
    starts[:1] = True
    for name in ("query_cluster_id", "query"):
        keys = rows[name].to_numpy()
        starts[1:] |= keys[1:] != keys[:-1]
    return np.cumsum(starts) - 1, np.flatnonzero(starts)


def _members(numbers: NDArray[np.intp], n_all: int) -> NDArray[np.bool_]:
    """Mark which of the numbers 0 to n_all - 1 are there."""
    found = np.zeros(n_all, dtype=bool)
    found[numbers] = True
    return found


def _as_evaluation(queries: pa.Table, found: Sequence[_Values]) -> pa.Table:
    """Put values below each other, in one piece: Spark reads each piece of a table by itself."""
    if not found:
        return _EVALUATION.empty_table()
    chosen = queries.take(np.concatenate([one.places for one in found]))
    columns = {name: chosen[name] for name in chosen.column_names}
    for name in ("metric", "truth", "system"):
        texts = [text for one in found for text in [getattr(one, name)] * len(one.places)]
        columns[name] = pa.array(texts, pa.string())
    columns["value"] = pa.array(np.concatenate([one.values for one in found]), from_pandas=True)
    return pa.table(columns).select(_EVALUATION.names).cast(_EVALUATION).combine_chunks()


def _summary_rows(ordered: pa.Table, bootstrap: Bootstrap) -> list[dict[str, object]]:
    """Sum up one (corpus, metric, truth), whose rows are sorted by cluster and query."""
    qid, first = _number_queries(ordered)
    ids = ordered["query_cluster_id"].to_numpy()[first]
    found = ordered["value"].to_numpy()
    system = ordered["system"].to_numpy().astype(str)
    spellings = ordered["query"].to_numpy()[first]
    values, n_skipped, measured = {}, {}, {}
    for name in sorted(set(system), key=system_order):
        of_system = system == name
        values[name] = np.full(len(first), np.nan)
        values[name][qid[of_system]] = found[of_system]
        n_skipped[name] = int(np.isnan(found[of_system]).sum())
        has_value = ~np.isnan(values[name])
        measured[name] = hex_digest(to_text([ids[has_value].tolist(), spellings[has_value].tolist()]), 16)
    rows = compare_systems(values, np.cumsum(np.append(False, ids[1:] != ids[:-1])), bootstrap)
    return [row | {"n_skipped": n_skipped[row["system"]], "queries": measured[row["system"]]} for row in rows]


def system_order(name: str) -> tuple[int, str]:
    """Return a key that sorts systems as `SYSTEMS` lists them; others follow, by name."""
    return (SYSTEMS.index(name) if name in SYSTEMS else len(SYSTEMS), name)


def _ddl(schema: pa.Schema) -> str:
    names = {pa.string(): "string", pa.float64(): "double", pa.int64(): "bigint"}
    return ", ".join(f"{field.name} {names[field.type]}" for field in schema)
