"""Rules of comparing a ranker on parts of the queries."""

from __future__ import annotations

import numpy as np

from rankhammer.evaluation.bootstrap import Bootstrap
from rankhammer.evaluation.segments import MeasuredQueries, by_length, by_popularity, compare_segments, with_holm

BOOTSTRAP = Bootstrap(400, 0.95, 1)


def test_head_torso_and_tail_have_a_third_of_the_searches_each():
    found = by_popularity(np.array([3.0, 1, 1, 1, 1, 1, 1]), np.arange(7))
    assert found.tolist() == ["head", "torso", "torso", "torso", "tail", "tail", "tail"]
    # One query alone has all searches; queries of a cluster stay together.
    assert by_popularity(np.array([5.0]), np.arange(1)).tolist() == ["head"]
    assert by_popularity(np.array([2.0, 2.0, 3.0]), np.array([0, 0, 1])).tolist() == ["head", "head", "torso"]
    assert by_popularity(np.zeros(2), np.arange(2)).tolist() == ["head", "head"]


def test_length_counts_words():
    assert by_length(["a", "a b", "a b c", "a b c d e", ""]).tolist() == [
        *("1 word", "2 words", "3 words", "4 words or more", "1 word")
    ]


def test_a_gain_of_the_tail_alone_is_found_there_and_not_in_the_head():
    rng = np.random.default_rng(2)
    is_tail = np.arange(200) % 2 == 1
    logged = rng.random(200) * 0.5
    ranker = logged + rng.normal(0, 0.05, 200) + 0.2 * is_tail
    labels = {"popularity": np.where(is_tail, "tail", "head").astype(object)}
    rows = with_holm(
        compare_segments(MeasuredQueries({"logged": logged, "ranker": ranker}, np.arange(200), labels), BOOTSTRAP),
        alpha=0.05,
        min_clusters=20,
    )
    found = {(row["segment"], row["value"]): row for row in rows}
    assert set(found) == {("all queries", "all queries"), ("popularity", "head"), ("popularity", "tail")}
    assert found["popularity", "tail"]["is_significant"]
    assert not found["popularity", "head"]["is_significant"]
    assert found["popularity", "head"]["lower"] < 0 < found["popularity", "head"]["upper"]
    assert found["popularity", "tail"]["n_queries"] == 100
    assert [found["popularity", part]["verdict"] for part in ("tail", "head")] == ["better", "not distinguishable"]
    assert found["popularity", "tail"]["p_holm"] >= found["popularity", "tail"]["p"]


def test_queries_without_a_value_and_segments_of_one_cluster_take_no_part():
    values = {"logged": np.array([0.1, np.nan, 0.2]), "ranker": np.array([0.2, 0.3, 0.4])}
    labels = {"device": np.array(["phone", "desk", "desk"], dtype=object)}
    rows = compare_segments(MeasuredQueries(values, np.arange(3), labels), BOOTSTRAP)
    rows = with_holm(rows, alpha=0.05, min_clusters=2)
    phone = next(row for row in rows if row["value"] == "phone")
    assert (phone["n_queries"], phone["lower"], phone["p_holm"], phone["is_significant"]) == (1, None, None, False)
    assert next(row for row in rows if row["segment"] == "all queries")["n_queries"] == 2


def test_a_part_of_too_few_query_clusters_is_not_called_significant():
    """Twelve clusters, each of which gains: certain by the test alone, and too few for a verdict anywhere."""
    logged = np.random.default_rng(3).random(60) * 0.5
    values = {"logged": logged, "ranker": logged + 0.3}
    labels = {"device": np.array(["phone"] * 12 + ["desk"] * 48, dtype=object)}
    rows = compare_segments(MeasuredQueries(values, np.arange(60), labels), BOOTSTRAP)
    found = {row["value"]: row for row in with_holm(rows, alpha=0.05, min_clusters=20)}
    phone, desk = found["phone"], found["desk"]
    assert (phone["n_clusters"], phone["is_significant"], phone["p_holm"]) == (12, False, None)
    assert (phone["verdict"], desk["verdict"]) == ("too few queries", "better")
    # Two are tested, so the smaller p counts twice: what is not tested does not make the correction larger.
    assert desk["p_holm"] == max(desk["p"], 2 * found["all queries"]["p"])
    lost = [{**row, "difference": -row["difference"]} for row in rows]
    assert {row["verdict"] for row in with_holm(lost, alpha=0.05, min_clusters=10)} == {"worse"}
