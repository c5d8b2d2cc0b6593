"""Reading one corpus's Parquet file into arrays."""

from __future__ import annotations

import random

import numpy as np
import pytest

from rankhammer.training.matrix import read_corpus, read_facts, sample_vectors


@pytest.fixture
def rows(matrix_rows):
    return matrix_rows("a")


@pytest.fixture
def path(tmp_path, rows, write_corpus):
    return write_corpus(tmp_path / "a.parquet", rows)


def test_rows_come_sorted_by_query_and_document_whatever_their_order(tmp_path, rows, path, write_corpus):
    random.Random(1).shuffle(rows)
    halves = [write_corpus(tmp_path / "1.parquet", rows[:99]), write_corpus(tmp_path / "2.parquet", rows[99:])]
    sorted_once, shuffled = read_corpus([path]), read_corpus(halves)
    assert np.array_equal(sorted_once.features, shuffled.features)
    assert np.array_equal(sorted_once.qid, shuffled.qid)
    assert np.all(np.diff(shuffled.qid) >= 0)


def test_only_graded_rows_of_the_train_split_are_trained_on(rows, path):
    corpus = read_corpus([path])
    expected = [row["split"] == "train" and row["grade"] is not None for row in rows]
    assert corpus.trainable("clicks").tolist() == expected
    assert not corpus.trainable("reference").any()


def test_ranking_data_holds_the_marked_rows(rows, path):
    corpus = read_corpus([path])
    data = corpus.ranking_data(corpus.trainable("clicks"), "clicks")
    kept = [row for row in rows if row["split"] == "train" and row["grade"] is not None]
    assert data.label.tolist() == [row["grade"] for row in kept]
    assert data.weight.tolist() == [row["weight"] for row in kept]
    assert data.feature_names == ("signal", "noise")
    assert data.features[0].tolist() == list(kept[0]["features"].values())


def test_unweighted_ranking_data_counts_each_row_once(path):
    corpus = read_corpus([path])
    assert set(corpus.ranking_data(corpus.in_train, "clicks", weighted=False).weight) == {1.0}


def test_an_absent_feature_is_nan(tmp_path, rows, write_corpus):
    rows[0]["features"]["noise"] = None
    assert np.isnan(read_corpus([write_corpus(tmp_path / "b.parquet", rows)]).features[0, 1])


def test_facts_count_splits_folds_and_grades(path):
    facts = read_facts([path])
    assert facts.folds == (0, 1, 2)
    assert facts.n_rows == {"train": 30 * 8, "test": 10 * 8}
    assert facts.n_queries == {"train": 30, "test": 10}
    assert (facts.n_graded_rows, facts.n_graded_queries) == (30 * 7, 30)
    assert not facts.has_reference


def test_a_fold_without_a_relevant_document_is_left_out(tmp_path, write_corpus, matrix_rows):
    rows = [row | {"grade": 0} if row["fold"] == 1 else row for row in matrix_rows("a")]
    assert read_facts([write_corpus(tmp_path / "b.parquet", rows)]).folds == (0, 2)


def test_the_same_vectors_are_sampled_whatever_the_order_of_the_rows(tmp_path, rows, path, write_corpus):
    random.Random(1).shuffle(rows)
    first, second = sample_vectors([path], 20), sample_vectors([write_corpus(tmp_path / "b.parquet", rows)], 20)
    assert np.array_equal(first.features, second.features)
    assert first.features.shape == (20, 2)
    assert (first.query, first.doc_id) == (second.query, second.doc_id)
    of = {(row["qid"], row["doc_id"]): (row["query"], row["features"]) for row in rows}
    for row, (qid, query, doc_id) in enumerate(zip(first.qid.tolist(), first.query, first.doc_id, strict=True)):
        assert of[qid, doc_id][0] == query
        assert list(of[qid, doc_id][1].values()) == pytest.approx(first.features[row].tolist(), nan_ok=True)


def test_whole_queries_are_sampled(path):
    sample = sample_vectors([path], 20)
    assert [int((sample.qid == query).sum()) for query in dict.fromkeys(sample.qid.tolist())] == [8, 8, 4]
