"""Training rows to the matrix, and trials to the best ones."""

from __future__ import annotations

import pytest
from pyspark.sql import functions as F

from rankhammer import schemas
from rankhammer.errors import SchemaError
from rankhammer.training import matrix_table
from rankhammer.training.choice import Lead

TRIALS = ", ".join(f"{name} {kind}" for name, kind in schemas.TUNING_TRIALS.columns.items())


def _joined(matrix):
    """As the evaluation's join leaves the rows: query 1 was judged by people, one of its documents with 2."""
    judged = F.col("qid") == 1
    return matrix.withColumns(
        {
            "reference_grade": F.when(judged & (F.col("doc_id") == "d3"), F.lit(2)),
            "ideal_reference_grades": F.when(judged, F.array(F.lit(2))),
        }
    )


@pytest.fixture
def matrix(stored_matrix, matrix_rows):
    return stored_matrix({name: matrix_rows(name, n_queries=6) for name in ("a", "b")})


def test_an_unjudged_document_of_a_judged_query_has_reference_grade_0(matrix):
    arranged = matrix_table.arrange_matrix(_joined(matrix)).where("corpus = 'a'").collect()
    grades = {(row.qid, row.doc_id): row.reference_grade for row in arranged}
    assert [grades[1, f"d{doc}"] for doc in range(8)] == [0, 0, 0, 2, 0, 0, 0, 0]
    assert grades[2, "d3"] is None


def test_documents_that_the_engine_does_not_have_are_left_out(matrix):
    rows = _joined(matrix).withColumn("features", F.when(F.col("doc_id") != "d1", F.col("features")))
    assert matrix_table.arrange_matrix(rows).where("doc_id = 'd1'").isEmpty()


def test_each_corpus_becomes_one_file_whatever_the_partitioning(spark, matrix, tmp_path):
    for n_partitions, name in ((5, "many"), (1, "one")):
        arranged = matrix_table.arrange_matrix(_joined(matrix).repartition(n_partitions))
        schemas.TRAINING_MATRIX.check(arranged).write.partitionBy("corpus").parquet(str(tmp_path / name))
    written = {name: sorted((tmp_path / name).glob("corpus=*/*.parquet")) for name in ("many", "one")}
    assert [path.parent.name for path in written["many"]] == ["corpus=a", "corpus=b"]
    many, one = ([path.read_bytes() for path in written[name]] for name in ("many", "one"))
    assert many == one


def test_features_of_another_set_are_refused(matrix):
    matrix_table.require_features(matrix, ("signal", "noise"))
    with pytest.raises(SchemaError, match="'title' is missing"):
        matrix_table.require_features(matrix, ("signal", "noise", "title"))
    with pytest.raises(SchemaError, match="'noise' is not in the set"):
        matrix_table.require_features(matrix, ("signal",))
    with pytest.raises(SchemaError, match="the order"):
        matrix_table.require_features(matrix, ("noise", "signal"))


def test_an_unknown_baseline_feature_is_answered_with_the_closest_one():
    with pytest.raises(SchemaError) as caught:
        matrix_table.require_feature("signl", ("signal", "noise"), parameter="training.baseline_feature")
    assert caught.value.hint == "Did you mean 'signal'?"


def test_the_chosen_trial_is_trained_and_an_oracle_repeats_the_best_one_that_learns(spark):
    rows = [
        ("a", 0, -0.5, "ok", 7, '{"depth": 1}', 0.0, "xgboost", None, None, None, False),
        ("a", 1, None, "fail", None, '{"depth": 2}', 0.0, "xgboost", None, None, None, False),
        ("a", 3, -0.7, "ok", 9, '{"depth": 4}', 0.0, "xgboost", None, None, None, False),
        ("a", 2, -0.7, "ok", 8, '{"depth": 3}', 0.0, "xgboost", 0.7, 0.0, 0.0, False),
        ("a", 0, -0.69, "ok", 5, "{}", 0.0, "linear", 0.69, 0.01, 0.02, False),
        ("a", 0, -0.68, "ok", 1, "{}", 0.0, "baseline", 0.68, 0.02, 0.03, True),
        ("b", 0, -0.1, "ok", 1, "{}", 0.0, "linear", 0.1, 0.0, 0.0, True),
    ]
    trials = spark.createDataFrame([(*row, "", None, None) for row in rows], TRIALS)
    best, learned = (
        {name: (trial.ranker, trial.number, trial.params, trial.n_rounds) for name, trial in found.items()}
        for found in matrix_table.best_trials(trials)
    )
    assert best == {"a": ("baseline", 0, {}, 1), "b": ("linear", 0, {}, 1)}
    assert learned == {"a": ("xgboost", 2, {"depth": 3}, 8), "b": ("linear", 0, {}, 1)}
    found = matrix_table.count_trials(matrix_table.read_trials(trials))
    counts = {corpus: tuple(of_corpus.values())[:3] for corpus, of_corpus in found.items()}
    assert counts == {"a": (6, 1, 0.68), "b": (1, 0, 0.1)}
    standings = found["a"]["standings"]
    assert [(one.ranker, one.behind, one.chosen) for one in standings] == [
        ("xgboost", 0.0, False),
        ("linear", 0.01, False),
        ("baseline", 0.02, True),
    ]


def test_the_lead_of_the_best_trial_is_that_within_the_chosen_ranker(spark):
    rows = [
        ("a", 0, -0.5, "ok", 7, "{}", 0.0, "xgboost", 0.5, 0.0, 0.0, True, "", [0.4, 0.6], 0.1),
        ("a", 1, -0.49, "ok", 7, "{}", 0.0, "xgboost", None, None, None, False, "", [0.5, 0.48], 0.01),
        ("a", 2, None, "fail", None, "{}", 0.0, "xgboost", None, None, None, False, "x", None, None),
        ("a", 0, -0.499, "ok", 7, "{}", 0.0, "linear", 0.499, 0.001, 0.1, False, "", [0.4, 0.598], 0.099),
        ("b", 0, -0.5, "ok", 7, "{}", 0.0, "linear", 0.5, 0.0, 0.0, True, "", [0.4, 0.6], 0.1),
    ]
    counts = matrix_table.count_trials(matrix_table.read_trials(spark.createDataFrame(rows, TRIALS)))
    assert counts["a"]["lead"] == Lead(0, 1, pytest.approx(0.01), pytest.approx(0.11))
    assert counts["b"]["lead"] is None


def test_the_test_split_of_trained_corpora_is_evaluated(matrix):
    rows = matrix_table.test_rows(matrix, ["b"])
    assert "reference_grade" not in rows.columns
    assert {(row.corpus, row.qid) for row in rows.collect()} == {("b", 0), ("b", 4)}
