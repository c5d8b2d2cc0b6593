"""People's grades add up to what was read, and too many faulty ones stop before any is used."""

from __future__ import annotations

import pytest

from rankhammer.casts import FAULT
from rankhammer.errors import DataError
from rankhammer.evaluation.reference_judgments import check_judgments, with_found, without
from rankhammer.evaluation.systems import join_reference
from rankhammer.queries import query_cluster_id

SCHEMA = f"corpus string, query string, doc_id string, grade int, {FAULT} string"


def table(spark, *rows):
    return spark.createDataFrame(
        [(corpus, "tv", f"d{n}", grade, fault) for n, (corpus, grade, fault) in enumerate(rows)], SCHEMA
    )


GOOD, BAD = ("a", 2, None), ("a", None, "unreadable_grade")


def test_judgments_add_up_to_what_was_read(spark):
    facts, failures = check_judgments(
        table(spark, GOOD, GOOD, ("a", 0, None), ("a", None, None), BAD), max_bad_share=0.2
    )
    assert failures == []
    assert facts == {
        "a": {"n_read": 5, "n_kept": 3, "n_ungraded": 1, "n_relevant": 2, "set_aside": {"unreadable_grade": 1}}
    }
    assert with_found(facts, {"a": 1})["a"]["n_relevant_found"] == 1
    assert with_found(facts, {})["a"]["n_relevant_found"] is None
    assert check_judgments(None, max_bad_share=0) == ({}, [])


def test_too_many_faults_give_a_corpus_up_and_all_of_them_stop_the_run(spark):
    both = table(spark, BAD, GOOD, ("b", 1, None))
    _, (failure,) = check_judgments(both, max_bad_share=0.4)
    assert "1 of 2 reference judgments (50.0%) are faulty" in failure.error
    assert "TREC's -1 and -2" in failure.hint
    assert {row.corpus for row in without(both, [failure]).collect()} == {"b"}
    with pytest.raises(DataError, match="1 unreadable_grade"):
        check_judgments(table(spark, BAD), max_bad_share=0.4)


def test_a_faulty_judgment_is_not_joined(spark):
    rows = spark.createDataFrame(
        [("a", query_cluster_id("tv"), f"d{n}") for n in range(2)],
        "corpus string, query_cluster_id string, doc_id string",
    )
    joined = join_reference(rows, table(spark, GOOD, ("a", 3, "missing_query")))
    assert {row.doc_id: row.reference_grade for row in joined.collect()} == {"d0": 2, "d1": None}
