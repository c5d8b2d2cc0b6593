from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rankhammer.casts import FAULT
from rankhammer.errors import DataError
from rankhammer.feature_sets import FeatureSet
from rankhammer.feature_sources import collect_features
from rankhammer.feature_sources.embedded.bm25 import Bm25
from rankhammer.feature_sources.embedded.source import Embedded
from rankhammer.schemas import FEATURE_ROWS, JUDGMENTS

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from rankhammer.feature_sources import Collected

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
        "documents_set_aside": {},
        "unreadable_fields": {},
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


POPULAR = FeatureSet.model_validate(
    {"name": "test", "features": [{"name": "popularity", "type": "field_value", "field": "popularity", "missing": 7}]}
)


def collect_popularity(spark: SparkSession, *values: str | None, max_bad_share: float = 0.5) -> Collected:
    rows = [("a", str(place), value, None) for place, value in enumerate(values)]
    docs = spark.createDataFrame(
        [*rows, ("a", None, "1", "missing_doc_id")],
        f"corpus string, doc_id string, popularity string, {FAULT} string",
    )
    judgments = judge(spark, *(("a", doc_id) for _, doc_id, *_ in rows))
    return collect_features(
        Embedded(Bm25()), judgments, documents=docs, feature_set=POPULAR, max_bad_share=max_bad_share
    )


def test_numbers_of_documents_that_came_as_text_are_read_and_what_is_none_is_missing_and_counted(
    spark: SparkSession,
) -> None:
    collected = collect_popularity(spark, "12", " 1.5", "many", "", None)
    found = {row["doc_id"]: row["features"]["popularity"] for row in collected.rows.collect()}
    assert found == {"0": 12.0, "1": 1.5, "2": 7.0, "3": 7.0, "4": 7.0}
    facts = collected.missing()["a"]
    assert (facts["documents_set_aside"], facts["unreadable_fields"]) == ({"missing_doc_id": 1}, {"popularity": 1})


def test_a_field_without_numbers_or_documents_without_ids_give_the_corpus_up(spark: SparkSession) -> None:
    with pytest.raises(DataError, match="field 'popularity' of 2 of 3 documents holds no finite number"):
        collect_popularity(spark, "12", "many", "few")
    with pytest.raises(DataError, match=r"1 of 2 documents are faulty, more than features\.max_bad_share"):
        collect_popularity(spark, "12", max_bad_share=0.4)


def test_equal_documents_of_one_id_are_one_and_counted(spark: SparkSession) -> None:
    docs = documents(spark, ("a", "1"), ("a", "1"), ("a", "1"), ("a", "2"), ("b", "1"))
    collected = collect(judge(spark, ("a", "1"), ("a", "2"), ("b", "1")), docs)
    found = collected.missing()["a"]
    assert (found["n_documents"], found["n_missing"], found["documents_set_aside"]) == (2, 0, {})
    assert found["document_copies"] == 2
    assert "document_copies" not in collected.missing()["b"]
    once = collect(judge(spark, ("a", "1")), documents(spark, ("a", "1"), ("a", "2")))
    values = {row["doc_id"]: row["features"] for row in collected.rows.where("corpus = 'a'").collect()}
    assert values["1"] == once.rows.first()["features"]


def test_documents_of_one_id_that_differ_are_faults_and_their_corpus_alone_fails(spark: SparkSession) -> None:
    """Two that differ by what is null count as different, and each row of them is set aside."""
    rows = [("a", "1", "shoe"), ("a", "1", None), ("a", "2", "shoe"), ("b", "1", "shoe"), ("b", "1", "shoe")]
    docs = spark.createDataFrame(rows, "corpus string, doc_id string, title string")
    judgments = judge(spark, ("a", "1"), ("a", "2"), ("b", "1"))
    collected = collect(judgments, docs, max_bad_share=0.7)
    assert collected.missing()["a"]["documents_set_aside"] == {"ambiguous_doc_id": 2}
    assert sorted((row["corpus"], row["doc_id"]) for row in collected.rows.collect()) == [("a", "2"), ("b", "1")]
    (failure,) = collect(judgments, docs, max_bad_share=0.5).failures
    assert (failure.corpus, failure.stage) == ("a", "features")
    assert "2 of 3 documents are faulty, more than features.max_bad_share: 2 ambiguous_doc_id" in failure.error
    assert "those of one doc_id differ" in failure.hint
