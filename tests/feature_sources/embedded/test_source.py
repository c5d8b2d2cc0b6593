from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from rankhammer import plugins
from rankhammer.errors import DataError, PluginError, SchemaError
from rankhammer.feature_sets import FeatureSet
from rankhammer.feature_sources.embedded import index_build
from rankhammer.feature_sources.embedded.bm25 import Bm25
from rankhammer.feature_sources.embedded.source import Embedded
from rankhammer.plugins import PluginSpec
from rankhammer.spark.session_provider import session_folder

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

FEATURES = FeatureSet.model_validate(
    {
        "name": "test",
        "features": [
            {"name": "title_bm25", "type": "match", "field": "title"},
            {"name": "title_phrase", "type": "phrase", "field": "title", "absent": "keep"},
            {"name": "sold", "type": "field_value", "field": "sold", "modifier": "log1p"},
        ],
    }
)
DOCUMENTS = "corpus string, doc_id string, title string, sold int"
ROWS = "corpus string, query string, doc_id string, n int"


def collect(rows: DataFrame, documents: DataFrame, features: FeatureSet = FEATURES) -> dict[int, Any]:
    collected = Embedded(Bm25()).collect(rows, documents=documents, feature_set=features)
    return {row["n"]: row["features"] for row in collected.collect()}


def two_shops(spark: SparkSession) -> tuple[DataFrame, DataFrame]:
    documents = spark.createDataFrame(
        [("a", "1", "red shoe", 9), ("a", "2", "blue shoe", None), ("b", "1", "shoe horn", 99), ("c", "1", "x", 1)],
        DOCUMENTS,
    )
    rows = spark.createDataFrame(
        [
            ("a", "red shoe", "1", 1),
            ("a", "red shoe", "2", 2),
            ("b", "red shoe", "1", 3),
            ("a", "red shoe", "404", 4),
            ("nowhere", "shoe", "1", 5),
            ("a", "", "1", 6),
        ],
        ROWS,
    )
    return rows, documents


def test_each_corpus_is_searched_alone_though_doc_ids_are_the_same(spark: SparkSession) -> None:
    values = collect(*two_shops(spark))
    assert values[1]["title_bm25"] == pytest.approx(
        (np.log(1 + 1.5 / 1.5) + np.log(1 + 0.5 / 2.5)) / 2.2  # "red" in 1 of 2 titles, "shoe" in 2; average length
    )
    assert values[3]["title_bm25"] == pytest.approx(np.log(1 + 0.5 / 1.5) / 2.2)
    assert values[1]["sold"] == pytest.approx(1.0)
    assert values[3]["sold"] == pytest.approx(2.0)


def test_an_index_lies_in_the_sessions_folder_and_nowhere_else(spark, monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    collect(*two_shops(spark))
    assert list(session_folder("indexes").glob("*.arrow"))
    assert not [path for path in (*tmp_path.iterdir(), *session_folder("indexes").iterdir()) if path.is_dir()]


def test_an_unknown_document_or_corpus_is_null_and_an_absent_feature_is_what_it_says(spark: SparkSession) -> None:
    values = collect(*two_shops(spark))
    assert values[4] is None
    assert values[5] is None
    assert values[6]["title_bm25"] == 0.0
    assert np.isnan(values[6]["title_phrase"])
    assert np.isnan(values[2]["title_phrase"])
    assert values[2]["sold"] == 0.0


def test_other_columns_are_carried_and_types_are_floats(spark: SparkSession) -> None:
    rows, documents = two_shops(spark)
    collected = Embedded(Bm25()).collect(rows, documents=documents, feature_set=FEATURES)
    struct = "struct<title_bm25:float,title_phrase:float,sold:float>"
    assert collected.dtypes == [*rows.dtypes, ("features", struct)]


def test_partitions_batches_and_row_order_do_not_change_a_value(spark: SparkSession) -> None:
    rng = np.random.default_rng(5)
    words = np.array(["red", "blue", "shoe", "horn", "lace", "sole", "heel"])
    documents = spark.createDataFrame(
        [(c, str(n), " ".join(rng.choice(words, rng.integers(1, 30))), n) for c in "ab" for n in range(60)], DOCUMENTS
    )
    rows = spark.createDataFrame(
        [("ab"[n % 2], " ".join(rng.choice(words, 3)), str(n % 60), n) for n in range(500)], ROWS
    )
    plain = collect(rows.coalesce(1), documents.coalesce(1))
    setting = "spark.sql.execution.arrow.maxRecordsPerBatch"
    spark.conf.set(setting, "7")
    try:
        shuffled = collect(rows.orderBy("query").repartition(3), documents.orderBy("title").repartition(5))
    finally:
        spark.conf.unset(setting)
    assert str(shuffled[499]) == str(plain[499])
    assert {n: str(value) for n, value in shuffled.items()} == {n: str(value) for n, value in plain.items()}


def test_an_index_of_several_chunks_is_put_together_whole(spark: SparkSession, monkeypatch: pytest.MonkeyPatch) -> None:
    rows, documents = two_shops(spark)
    whole = collect(rows, documents)
    monkeypatch.setattr(index_build, "CHUNK_BYTES", 100)
    assert str(sorted(collect(rows, documents).items())) == str(sorted(whole.items()))


def test_changed_documents_are_never_served_from_an_older_index(spark: SparkSession) -> None:
    rows, documents = two_shops(spark)
    before = collect(rows, documents)
    after = collect(rows, documents.withColumn("sold", documents["sold"] + 90))
    assert before[1]["sold"] == pytest.approx(1.0)
    assert after[1]["sold"] == pytest.approx(2.0)


def test_the_same_documents_are_sent_once(spark: SparkSession) -> None:
    rows, documents = two_shops(spark)
    collect(rows, documents)
    n_files = len(spark.sparkContext.listFiles)
    collect(rows, documents)
    assert len(spark.sparkContext.listFiles) == n_files


def test_a_filter_on_the_features_does_not_score_twice(spark: SparkSession) -> None:
    rows, documents = two_shops(spark)
    collected = Embedded(Bm25()).collect(rows, documents=documents, feature_set=FEATURES)
    plan = collected.where("features IS NOT NULL")._jdf.queryExecution().executedPlan().toString()
    assert plan.count("ArrowEvalPython") == 1


def test_a_missing_field_names_it_and_what_was_found(spark: SparkSession) -> None:
    rows, documents = two_shops(spark)
    with pytest.raises(SchemaError, match=r"'title'; documents have \['corpus', 'doc_id', 'sold', 'titel'\]") as caught:
        collect(rows, documents.withColumnRenamed("title", "titel"))
    assert "Did you mean 'titel'?" in caught.value.hint


def test_a_field_of_the_wrong_kind_is_refused(spark: SparkSession) -> None:
    rows, documents = two_shops(spark)
    with pytest.raises(SchemaError, match="'title' of documents has type int; the feature set needs a text"):
        collect(rows, documents.withColumn("title", documents["sold"]))
    with pytest.raises(SchemaError, match="'sold' of documents has type string; the feature set needs a number"):
        collect(rows, documents.withColumn("sold", documents["title"]))


@pytest.mark.parametrize("number", ["tinyint", "bigint", "float", "double", "decimal(9,2)"])
def test_numbers_may_have_any_numeric_type(spark: SparkSession, number: str) -> None:
    rows, documents = two_shops(spark)
    assert collect(rows, documents.withColumn("sold", documents["sold"].cast(number)))[1]["sold"] == pytest.approx(1.0)


def test_a_document_twice_is_named(spark: SparkSession) -> None:
    rows, documents = two_shops(spark)
    with pytest.raises(DataError, match="Corpus 'b' has the document '1' more than once"):
        collect(rows, documents.union(documents.where("corpus = 'b'")))


def test_a_number_below_zero_under_a_modifier_is_refused(spark: SparkSession) -> None:
    rows, documents = two_shops(spark)
    with pytest.raises(DataError, match=r"log1p of 'sold' needs numbers from 0 up; corpus 'b' has -99"):
        collect(rows, documents.replace(99, -99))


def test_without_documents_it_says_so(spark: SparkSession) -> None:
    with pytest.raises(DataError, match="no documents"):
        Embedded(Bm25()).collect(two_shops(spark)[0], documents=None, feature_set=FEATURES)


def test_options_are_bounded() -> None:
    with pytest.raises(PluginError, match="b: it should be less than or equal to 1"):
        plugins.create("feature_sources", PluginSpec(name="embedded", options={"b": 2}))
