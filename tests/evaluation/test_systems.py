from __future__ import annotations

from math import log2
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from rankhammer import schemas
from rankhammer.evaluation import systems
from rankhammer.evaluation.metrics import parse_metric
from rankhammer.queries import normalize_query, query_cluster_id

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

SCORED = (
    "corpus string, query string, query_cluster_id string, doc_id string, grade int, reference_grade int, "
    "ideal_reference_grades array<int>, logged double, baseline double, ranker double, oracle double"
)
ROWS = [
    # Clicks say d1 > d2; people graded d2, d3 and d9, which was never shown.
    ("de", "q", "c1", "d1", 2, None, [3, 2, 1], -1.0, 5.0, 9.0, None),
    ("de", "q", "c1", "d2", 1, 2, [3, 2, 1], -2.0, 7.0, 8.0, None),
    ("de", "q", "c1", "d3", None, 1, [3, 2, 1], -3.0, 6.0, None, None),
    # Nothing relevant by clicks, no reference.
    ("de", "r", "c2", "d1", 0, None, None, -1.0, 1.0, 1.0, None),
    ("fr", "q", "c1", "d2", 1, None, None, -2.0, 1.0, 1.0, 2.0),
    ("fr", "q", "c1", "d1", 0, None, None, -1.0, 1.0, 2.0, 1.0),
]
SHOWN = 3 + 1 / log2(3)


@pytest.fixture(scope="module")
def values(spark: SparkSession) -> dict[tuple[str, ...], float | None]:
    scored = spark.createDataFrame(ROWS[::-1], SCORED).repartition(3)
    table = systems.evaluate_systems(scored, metrics=("ndcg@10", "mrr@1"))
    assert schemas.EVALUATION.check(table) is table
    return {(row.corpus, row.query, row.metric, row.truth, row.system): row.value for row in table.collect()}


def _ndcg(values: dict[tuple[str, ...], float | None], corpus: str, query: str, truth: str) -> dict[str, float | None]:
    return {key[4]: value for key, value in values.items() if key[:4] == (corpus, query, "ndcg@10", truth)}


def test_a_worker_hands_the_values_of_a_group_over_in_one_piece() -> None:
    columns = [part.split()[0] for part in SCORED.split(", ")]
    rows = pa.Table.from_pylist([dict(zip(columns, row, strict=True)) for row in ROWS[:4]])
    metrics = {name: parse_metric(name) for name in ("ndcg@10", "mrr@1")}
    found = systems._evaluate_chunk(rows, metrics, ("logged", "baseline"))
    # Two metrics of two systems: by clicks of both queries, by people's grades of one.
    assert found.num_rows == 2 * 2 * (2 + 1)
    assert [column.num_chunks for column in found.columns] == [1] * 7
    nothing = systems._evaluate_chunk(rows.slice(0, 0), metrics, ("logged",))
    assert (nothing.num_rows, nothing.schema) == (0, found.schema)


def test_clicks_rank_the_rows_that_have_a_grade(values: dict[tuple[str, ...], float | None]) -> None:
    baseline = (1 + 3 / log2(3)) / SHOWN
    assert _ndcg(values, "de", "q", "clicks") == pytest.approx({"logged": 1.0, "baseline": baseline, "ranker": 1.0})


def test_reference_ranks_all_rows_against_all_graded_documents(values: dict[tuple[str, ...], float | None]) -> None:
    ideal = 7 + 3 / log2(3) + 1 / log2(4)
    assert _ndcg(values, "de", "q", "reference") == pytest.approx(
        {
            "logged": (3 / log2(3) + 1 / log2(4)) / ideal,  # d1 (ungraded), d2, d3
            "baseline": (3 + 1 / log2(3)) / ideal,  # d2, d3, d1
            "ranker": (3 / log2(3) + 1 / log2(4)) / ideal,  # d1, d2, then d3 that has no score
        }
    )


def test_query_without_a_relevant_document_is_null_and_one_without_reference_is_absent(
    values: dict[tuple[str, ...], float | None],
) -> None:
    assert _ndcg(values, "de", "r", "clicks") == {"logged": None, "baseline": None, "ranker": None}
    assert _ndcg(values, "de", "r", "reference") == {}


def test_ties_keep_the_order_of_doc_id(values: dict[tuple[str, ...], float | None]) -> None:
    assert _ndcg(values, "fr", "q", "clicks")["baseline"] == pytest.approx(1 / log2(3))


def test_a_system_without_scores_has_no_values(values: dict[tuple[str, ...], float | None]) -> None:
    assert "oracle" not in _ndcg(values, "de", "q", "clicks")
    assert _ndcg(values, "fr", "q", "clicks")["oracle"] == pytest.approx(1.0)


def test_every_metric_is_computed(values: dict[tuple[str, ...], float | None]) -> None:
    assert values["fr", "q", "mrr@1", "clicks", "ranker"] == 0.0
    assert values["fr", "q", "mrr@1", "clicks", "oracle"] == 1.0


def _evaluation(spark: SparkSession) -> DataFrame:
    rows = [
        (corpus, "ndcg@10", "clicks", system, f"q{n}", f"c{n // 2}", None if n == 7 else value + (n % 5) / 50)
        for corpus in ("de", "fr")
        for system, value in (("baseline", 0.3), ("ranker", 0.5), ("oracle", 0.7))
        for n in range(40)
    ]
    types = ", ".join(f"{name} {kind}" for name, kind in schemas.EVALUATION.columns.items())
    return spark.createDataFrame(rows, types)


def test_summary_counts_and_compares_each_corpus_whatever_the_partitioning(spark: SparkSession) -> None:
    table = _evaluation(spark)
    order = ["corpus", "quantity", "system"]
    summary = systems.summarize(table, n_resamples=200, random_state=1).orderBy(order).collect()
    again = systems.summarize(table.repartition(5, "value"), n_resamples=200, random_state=1).orderBy(order)
    assert summary == again.collect()
    assert [(row.quantity, row.system, row.against) for row in summary if row.corpus == "fr"] == [
        ("difference", "ranker", "baseline"),
        ("mean", "baseline", None),
        ("mean", "oracle", None),
        ("mean", "ranker", None),
        ("oracle_share", "ranker", "baseline"),
    ]
    assert {(row.n_queries, row.n_clusters, row.n_skipped) for row in summary} == {(39, 20, 1)}
    share = summary[4]
    assert (share.mean, share.lower, share.upper) == pytest.approx((0.5, 0.5, 0.5))
    mean = 0.5 + (sum(n % 5 for n in range(40)) - 7 % 5) / 50 / 39
    ranker = summary[3]
    assert ranker.mean == pytest.approx(mean)
    assert ranker.lower < mean < ranker.upper


def test_reference_joins_by_cluster_and_takes_the_highest_grade_of_the_spellings(spark: SparkSession) -> None:
    cluster = query_cluster_id(normalize_query("Reading files", "english"))
    rows = spark.createDataFrame(
        [("de", cluster, "d1"), ("de", cluster, "d2"), ("de", "other", "d1"), ("fr", cluster, "d1")],
        "corpus string, query_cluster_id string, doc_id string",
    )
    graded = [
        ("Reading files", "d1", 1),
        ("reading FILE", "d1", 3),
        ("read files", "d8", 2),
        ("read files", "d9", None),
    ]
    types = ", ".join(f"{name} {kind}" for name, kind in schemas.REFERENCE_JUDGMENTS.columns.items())
    reference = spark.createDataFrame([("de", *row) for row in graded], types)
    joined = systems.join_reference(rows, reference, language="english").orderBy("corpus", "query_cluster_id", "doc_id")
    found = [(row.corpus, row.doc_id, row.reference_grade, row.ideal_reference_grades) for row in joined.collect()]
    assert sorted(found, key=str) == sorted(
        [("de", "d1", 3, [3, 2]), ("de", "d2", None, [3, 2]), ("de", "d1", None, None), ("fr", "d1", None, None)],
        key=str,
    )


def test_every_relevant_grade_is_kept_and_of_the_others_as_many_as_a_cutoff_may_need(spark: SparkSession) -> None:
    clusters = {query: query_cluster_id(normalize_query(query, "english")) for query in ("many", "few")}
    columns = "corpus string, query_cluster_id string, doc_id string"
    rows = spark.createDataFrame([("de", cluster, "d1") for cluster in clusters.values()], columns)
    graded = [("de", "many", f"d{number}", int(number < 130)) for number in range(150)]
    graded += [("de", "few", f"d{number}", int(number < 2)) for number in range(150)]
    types = ", ".join(f"{name} {kind}" for name, kind in schemas.REFERENCE_JUDGMENTS.columns.items())
    joined = systems.join_reference(rows, spark.createDataFrame(graded, types), language="english")
    found = {row.query_cluster_id: row.ideal_reference_grades for row in joined.collect()}
    assert found[clusters["many"]] == [1] * 130
    assert found[clusters["few"]] == [1] * 2 + [0] * 98


def test_no_reference_gives_null_columns_of_the_same_types(spark: SparkSession) -> None:
    rows = spark.createDataFrame([("de", "c", "d1")], "corpus string, query_cluster_id string, doc_id string")
    joined = systems.join_reference(rows, None)
    assert dict(joined.dtypes)["ideal_reference_grades"] == "array<int>"
    assert dict(joined.dtypes)["reference_grade"] == "int"
