from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rankhammer.engines import collect_features
from rankhammer.engines.bm25 import Bm25
from rankhammer.engines.embedded import Embedded
from rankhammer.errors import DataError
from rankhammer.feature_sets import FeatureSet
from rankhammer.schemas import FEATURE_ROWS, JUDGMENTS

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from rankhammer.engines import Collected

FEATURES = FeatureSet.model_validate(
    {"name": "test", "features": [{"name": "title_bm25", "type": "match", "field": "title"}]}
)


def judge(spark: SparkSession, *pairs: tuple[str, str]) -> DataFrame:
    given = spark.createDataFrame(
        [(corpus, "shoe", doc_id) for corpus, doc_id in pairs], "corpus string, query string, doc_id string"
    )
    others = {name: f"CAST(1 AS {kind}) AS {name}" for name, kind in JUDGMENTS.columns.items()}
    return given.selectExpr(*(name if name in given.columns else others[name] for name in JUDGMENTS.columns))


def documents(spark: SparkSession, *ids: tuple[str, str]) -> DataFrame:
    return spark.createDataFrame([(*pair, "shoe") for pair in ids], "corpus string, doc_id string, title string")


def collect(judgments: DataFrame, docs: DataFrame, max_bad_share: float = 0.5) -> Collected:
    return collect_features(
        Embedded(Bm25()), judgments, documents=docs, feature_set=FEATURES, max_bad_share=max_bad_share
    )


def test_judgments_without_their_document_are_set_aside_and_counted(spark: SparkSession) -> None:
    judgments = judge(spark, ("a", "1"), ("a", "2"), ("a", "404"), ("b", "1"))
    collected = collect(judgments, documents(spark, ("a", "1"), ("a", "2"), ("a", "3"), ("b", "1"), ("z", "1")))
    assert collected.failures == []
    assert sorted((row["corpus"], row["doc_id"]) for row in collected.rows.collect()) == [
        ("a", "1"),
        ("a", "2"),
        ("b", "1"),
    ]
    assert collected.missing()["a"] == {
        "n_judgments": 3,
        "n_documents": 3,
        "n_missing": 1,
        "missing_share": 1 / 3,
        "missing_example": "404",
    }
    assert collected.missing()["b"]["n_missing"] == 0
    assert "z" not in collected.missing()


def test_rows_have_the_columns_of_the_hand_off_in_order(spark: SparkSession) -> None:
    collected = collect(judge(spark, ("a", "1")), documents(spark, ("a", "1")))
    assert collected.rows.columns == list(FEATURE_ROWS.columns)
    FEATURE_ROWS.check(collected.rows)


def test_a_corpus_without_documents_fails_and_the_others_go_on(spark: SparkSession) -> None:
    collected = collect(judge(spark, ("a", "1"), ("b", "1")), documents(spark, ("a", "1")))
    assert [(failure.corpus, failure.stage) for failure in collected.failures] == [("b", "features")]
    assert "no documents of this corpus" in collected.failures[0].error
    assert [row["corpus"] for row in collected.rows.collect()] == ["a"]


def test_a_corpus_that_misses_too_many_documents_fails_with_an_example(spark: SparkSession) -> None:
    judgments = judge(spark, ("a", "1"), ("b", "1"), ("b", "8"), ("b", "9"))
    collected = collect(judgments, documents(spark, ("a", "1"), ("b", "1")))
    assert [failure.corpus for failure in collected.failures] == ["b"]
    assert "2 of 3 judgments (66.7%)" in collected.failures[0].error
    assert "'8'" in collected.failures[0].error
    assert [row["corpus"] for row in collected.rows.collect()] == ["a"]


def test_the_share_at_the_limit_passes(spark: SparkSession) -> None:
    collected = collect(judge(spark, ("a", "1"), ("a", "404")), documents(spark, ("a", "1")), max_bad_share=0.5)
    assert collected.failures == []


def test_the_run_stops_when_no_corpus_is_left(spark: SparkSession) -> None:
    with pytest.raises(DataError, match="name a document that is not in the corpus") as caught:
        collect(judge(spark, ("a", "8"), ("a", "1")), documents(spark, ("a", "1")), max_bad_share=0.1)
    assert "doc_id means the same" in caught.value.hint


def test_no_judgments_are_an_error(spark: SparkSession) -> None:
    with pytest.raises(DataError, match="no judgments"):
        collect(judge(spark, ("a", "1")).limit(0), documents(spark, ("a", "1")))


class HoldsItsOwn:
    """A source that has the documents itself, all but 404."""

    Options = Bm25
    keeps_answers = False

    def collect(self, rows: DataFrame, *, documents: DataFrame | None, feature_set: FeatureSet) -> DataFrame:
        assert documents is None
        return rows.selectExpr("*", "IF(doc_id = '404', NULL, named_struct('title_bm25', FLOAT(1))) AS features")


def test_a_source_with_its_own_documents_is_counted_by_its_answers(spark: SparkSession) -> None:
    judgments = judge(spark, ("a", "1"), ("a", "404"), ("b", "404"))
    collected = collect_features(HoldsItsOwn(), judgments, documents=None, feature_set=FEATURES, max_bad_share=0.5)
    assert collected.missing()["a"]["n_missing"] == 1
    assert [failure.corpus for failure in collected.failures] == ["b"]
    assert [row["doc_id"] for row in collected.rows.collect()] == ["1"]
    spark.catalog.clearCache()


@pytest.mark.parametrize("keeps", [False, True])
def test_answers_are_persisted_where_the_source_keeps_none(spark: SparkSession, keeps: bool) -> None:
    source = HoldsItsOwn()
    source.keeps_answers = keeps
    collected = collect_features(
        source, judge(spark, ("a", "1")), documents=None, feature_set=FEATURES, max_bad_share=0
    )
    plan = collected.rows._jdf.queryExecution().withCachedData().toString()
    assert ("InMemoryRelation" in plan) is not keeps
    spark.catalog.clearCache()
