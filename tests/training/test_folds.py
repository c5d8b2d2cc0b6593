from __future__ import annotations

import random
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from rankhammer import schemas
from rankhammer.errors import DataError
from rankhammer.training import folds

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, Row, SparkSession

SETTINGS = {"n_folds": 5, "test_share": 0.2, "test_pattern": None, "random_state": 42}
TYPES = ", ".join(f"{name} {kind}" for name, kind in schemas.JUDGMENTS.columns.items())


def _feature_rows(spark: SparkSession, documents: dict[tuple[str, str, str], int]) -> DataFrame:
    """(corpus, cluster, query) to its number of documents."""
    rows = [
        (corpus, query, cluster, f"d{n}", 0.5, 1, 1.0, 9, 9.0, 3, 1.5, 0.1, 0.4, 0.2)
        for (corpus, cluster, query), n_documents in documents.items()
        for n in range(n_documents)
    ]
    return spark.createDataFrame(rows, TYPES).selectExpr("*", "named_struct('bm25', float(1)) as features")


def _sized(n_clusters: int, n_documents: int = 4, corpus: str = "main") -> dict[tuple[str, str, str], int]:
    return {(corpus, f"c{n:05}", f"query {n}"): n_documents for n in range(n_clusters)}


def _folded(rows: DataFrame, **changes: object) -> list[Row]:
    table, failures = folds.assign_folds(rows, **{**SETTINGS, **changes})
    assert failures == []
    return table.drop("features").collect()


def _fold_of_cluster(rows: list[Row]) -> dict[str, int]:
    return {row.query_cluster_id: row.fold for row in rows}


def test_fold_never_splits_a_query_cluster(spark: SparkSession) -> None:
    spellings = {("main", f"c{n // 3}", f"query {n}"): 2 for n in range(90)}
    found = {(row.query_cluster_id, row.fold) for row in _folded(_feature_rows(spark, spellings))}
    assert len(found) == 30


def test_folds_and_test_split_have_their_share_of_the_rows_to_within_a_cluster(spark: SparkSession) -> None:
    sizes = random.Random(1)
    documents = {key: sizes.randint(1, 9) for key in _sized(400)}
    rows = _folded(_feature_rows(spark, documents))
    per_fold = {fold: sum(row.fold == fold for row in rows) for fold in range(-1, 5)}
    assert abs(per_fold.pop(-1) - 0.2 * len(rows)) <= 9
    assert all(abs(n_rows - 0.8 * len(rows) / 5) <= 9 for n_rows in per_fold.values())


def test_every_fold_has_a_cluster_even_if_one_cluster_has_nearly_all_rows(spark: SparkSession) -> None:
    corpora = [f"cluster {big} is big" for big in range(6)]
    documents = {key: 1 for corpus in corpora for key in _sized(6, corpus=corpus)}
    documents |= {(corpus, f"c{big:05}", f"query {big}"): 200 for big, corpus in enumerate(corpora)}
    rows = _folded(_feature_rows(spark, documents))
    assert sorted({(row.corpus, row.fold) for row in rows}) == [(c, fold) for c in corpora for fold in range(-1, 5)]


def test_row_order_and_partitioning_do_not_matter(spark: SparkSession) -> None:
    rows = _feature_rows(spark, _sized(60))
    shuffled = rows.repartition(7, "doc_id").sortWithinPartitions("query", ascending=False)
    assert sorted(_folded(rows)) == sorted(_folded(shuffled))


def test_another_seed_gives_other_folds(spark: SparkSession) -> None:
    rows = _feature_rows(spark, _sized(60))
    assert _fold_of_cluster(_folded(rows)) != _fold_of_cluster(_folded(rows, random_state=7))


def test_a_grown_log_leaves_nearly_every_cluster_where_it_was(spark: SparkSession) -> None:
    before = _fold_of_cluster(_folded(_feature_rows(spark, _sized(1000, 2))))
    after = _fold_of_cluster(_folded(_feature_rows(spark, _sized(1030, 2))))
    moved = [cluster for cluster, fold in before.items() if after[cluster] != fold]
    assert len(moved) <= 0.03 * len(before)


def test_a_corpus_is_cut_without_regard_to_the_others(spark: SparkSession) -> None:
    alone = _fold_of_cluster(_folded(_feature_rows(spark, _sized(40))))
    both = _folded(_feature_rows(spark, {**_sized(40), **_sized(200, corpus="other")}))
    assert _fold_of_cluster([row for row in both if row.corpus == "main"]) == alone


def test_qid_numbers_the_queries_of_each_corpus_densely_from_zero(spark: SparkSession) -> None:
    spellings = {(corpus, f"c{n // 2}", f"query {n}"): 3 for corpus in ("de", "fr") for n in range(24)}
    rows = _folded(_feature_rows(spark, spellings))
    for corpus in ("de", "fr"):
        pairs = {(row.qid, row.query) for row in rows if row.corpus == corpus}
        assert sorted(qid for qid, _ in pairs) == list(range(24))


def test_many_clusters_are_cut_by_bucket_with_the_same_guarantees(
    spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folds, "MAX_BUCKETS", 64)
    monkeypatch.setattr(folds, "_BUCKET_BITS", 6)
    spellings = {("main", f"c{n // 2}", f"query {n}"): 2 for n in range(800)}
    rows = _folded(_feature_rows(spark, spellings))
    assert len({(row.query_cluster_id, row.fold) for row in rows}) == 400
    assert sorted({row.qid for row in rows}) == list(range(800))
    per_fold = [sum(row.fold == fold for row in rows) for fold in range(5)]
    assert all(abs(n_rows - 0.8 * 1600 / 5) <= 1600 / 64 * 2 for n_rows in per_fold)


def test_test_pattern_holds_out_the_whole_cluster_of_a_matching_query(spark: SparkSession) -> None:
    documents = {**_sized(20), ("main", "c00003", "test me"): 2, ("main", "c00004", "a test"): 2}
    rows = _folded(_feature_rows(spark, documents), test_pattern="^test ")
    assert {row.query for row in rows if row.split == "test"} == {"test me", "query 3"}
    assert {row.fold for row in rows if row.split == "train"} == {0, 1, 2, 3, 4}


def test_split_and_fold_agree(spark: SparkSession) -> None:
    rows = _folded(_feature_rows(spark, _sized(30)))
    assert {(row.split, row.fold) for row in rows} == {("test", -1), *(("train", fold) for fold in range(5))}


def test_a_corpus_with_too_few_clusters_is_left_out_and_named(spark: SparkSession) -> None:
    rows = _feature_rows(spark, {**_sized(30), **_sized(5, corpus="tiny")})
    table, failures = folds.assign_folds(rows, **SETTINGS)
    assert {row.corpus for row in table.select("corpus").distinct().collect()} == {"main"}
    assert [failure.corpus for failure in failures] == ["tiny"]
    assert "5 query clusters leave 4 for training" in failures[0].error
    assert failures[0].hint.startswith("Lower folding.n_folds to 4 or less")


def test_six_clusters_are_just_enough_for_five_folds_and_a_test_split(spark: SparkSession) -> None:
    assert len(_fold_of_cluster(_folded(_feature_rows(spark, _sized(6))))) == 6


def test_the_only_corpus_with_too_few_clusters_stops_the_run(spark: SparkSession) -> None:
    with pytest.raises(DataError, match=r"2 query clusters leave 1 for training(.|\n)*Hint: Bring a log"):
        folds.assign_folds(_feature_rows(spark, _sized(2)), **SETTINGS)


def test_a_pattern_without_a_match_is_a_failure_not_an_empty_test_split(spark: SparkSession) -> None:
    with pytest.raises(DataError, match=r"test_pattern 'nothing' matches no query"):
        folds.assign_folds(_feature_rows(spark, _sized(20)), **{**SETTINGS, "test_pattern": "nothing"})


def test_the_result_is_the_training_rows_hand_off(spark: SparkSession) -> None:
    table, _ = folds.assign_folds(_feature_rows(spark, _sized(8)), **SETTINGS)
    assert schemas.TRAINING_ROWS.check(table) is table


def test_fold_counts_and_balance_add_up(spark: SparkSession) -> None:
    rows, _ = folds.assign_folds(_feature_rows(spark, _sized(12, 3)), **SETTINGS)
    counts = folds.fold_counts(rows)
    summary = folds.balance(counts)
    assert (summary["n_rows"], summary["n_queries"], summary["n_clusters"]) == (36, 12, 12)
    assert [fold["fold"] for fold in summary["folds"]] == [-1, 0, 1, 2, 3, 4]
    test = summary["folds"][0]["n_rows"]
    assert summary["test_share"] == round(test / 36, 4)
    largest = max(fold["n_rows"] for fold in summary["folds"][1:])
    assert summary["largest_fold"] == round(largest / ((36 - test) / 5), 4)


def test_balance_figure_draws_one_bar_group_a_fold() -> None:
    folds_of = {"folds": [{"fold": -1, "n_rows": 2}, {"fold": 0, "n_rows": 5}], "n_rows": 7}
    figure = folds.balance_figure({"fr": folds_of, "de": folds_of})
    assert [(bar.name, bar.x, bar.y) for bar in figure.data] == [
        ("test", ("de", "fr"), (2, 2)),
        ("fold 0", ("de", "fr"), (5, 5)),
    ]


@pytest.mark.parametrize("sizes", [[1, 8, 1], [8, 1, 1], [1, 1, 8], [1] * 10])
def test_sides_follow_each_other_and_none_is_skipped(spark: SparkSession, sizes: list[int]) -> None:
    rows = [("main", False, bucket, n_rows) for bucket, n_rows in enumerate(sizes)]
    pooled = spark.createDataFrame(rows, "corpus string, in_test boolean, bucket bigint, n_rows bigint")
    cut = folds._cut(pooled, test_share=None, n_folds=3).orderBy("bucket").collect()
    sides = [row.side for row in cut]
    assert (sides[0], sides[-1]) == (0, 2)
    assert all(after - before in (0, 1) for before, after in pairwise(sides))


def test_a_corpus_is_cut_the_same_whether_alone_or_with_others(spark: SparkSession) -> None:
    rows = _feature_rows(spark, _sized(20) | _sized(9, corpus="other"))
    together = {(row.qid, row.doc_id): row.fold for row in _folded(rows) if row.corpus == "main"}
    alone = _folded(rows, corpora=["main"])
    assert {(row.qid, row.doc_id): row.fold for row in alone} == together
    assert {row.corpus for row in alone} == {"main"}
    with pytest.raises(DataError, match=r"asks for 'mian'; the corpora here are: main, other\."):
        _folded(rows, corpora=["mian"])
