"""The gate lets surely better rankers pass, and neither worse ones nor lucky ones."""

from __future__ import annotations

import numpy as np
import pytest

from rankhammer.evaluation.bootstrap import Bootstrap, compare_systems
from rankhammer.evaluation.metrics import ndcg
from rankhammer.evaluation.promotion import corrected_confidence, rankers_tried, refusal
from rankhammer.evaluation.verdict import VerdictRule, judge_all

N_QUERIES, N_DOCS = 60, 10


def verdict(word: str, mean: float = 0.01) -> dict:
    return {"verdict": word, "mean": mean, "lower": mean - 0.02, "upper": mean + 0.02}


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        ({"champion": verdict("better"), "logged": verdict("not distinguishable")}, ""),
        ({"champion": verdict("not distinguishable")}, "no significant gain over the current ranker"),
        ({"champion": verdict("too few queries")}, "too few queries"),
        ({"champion": verdict("worse", -0.1)}, "worse than the current ranker (-0.100, -0.120 to -0.080)"),
        ({"champion": verdict("better"), "baseline": verdict("worse")}, "worse than the baseline"),
        ({"champion": verdict("better"), "logged": verdict("worse")}, "worse than the logged order"),
        ({"logged": verdict("better")}, "no query in common"),
    ],
)
def test_a_gain_over_the_champion_is_needed_and_no_order_may_be_better(verdicts, expected):
    found = refusal(verdicts, has_champion=True)
    assert expected in found
    assert bool(found) == bool(expected)


def test_the_first_ranker_of_a_corpus_has_to_be_worse_than_no_order():
    assert refusal({"logged": verdict("not distinguishable")}, has_champion=False) == ""
    assert "worse than the logged order" in refusal({"logged": verdict("worse")}, has_champion=False)


def compared(seed: int, challenger: float, *, confidence: float = 0.95) -> str:
    """Say what the gate says of a challenger whose scores follow the truth so much; the champion's do so by half."""
    rng = np.random.default_rng(seed)
    truth = rng.random((N_QUERIES, N_DOCS))
    grades = np.digitize(truth, [0.6, 0.8, 0.95]).ravel()
    qid = np.repeat(np.arange(N_QUERIES), N_DOCS)
    values = {
        system: ndcg((weight * truth + (1 - weight) * rng.random(truth.shape)).ravel(), grades, qid, 10)
        for system, weight in (("ranker", challenger), ("champion", 0.5))
    }
    rows = compare_systems(values, np.arange(N_QUERIES), Bootstrap(1000, confidence, seed))
    return refusal(judge_all(rows, VerdictRule(confidence, 20)), has_champion=True)


def test_a_ranker_that_learned_from_shuffled_labels_passes_in_at_most_5_of_100_seeds():
    assert sum(not compared(seed, 0.0) for seed in range(100)) <= 5


def test_a_ranker_that_is_no_better_passes_in_at_most_5_of_100_seeds():
    assert sum(not compared(seed, 0.5) for seed in range(100)) <= 5


def test_a_ranker_that_is_better_passes():
    assert sum(not compared(seed, 0.75) for seed in range(20)) >= 19


def test_of_twenty_challengers_that_are_no_better_the_luckiest_passes_rarely():
    tries = range(20)
    alone = sum(not compared(seed, 0.5) for seed in tries)
    corrected = sum(not compared(seed, 0.5, confidence=corrected_confidence(0.95, len(tries))) for seed in tries)
    assert corrected <= alone
    assert corrected == 0


def test_each_challenger_on_the_same_queries_makes_the_next_interval_wider():
    tried = [
        {"ranker": "a", "champion": "c", "test_queries": "q"},
        {"ranker": "a", "champion": "c", "test_queries": "q"},
        {"ranker": "b", "champion": "c", "test_queries": "q"},
        {"ranker": "d", "champion": "c", "test_queries": "other"},
        {"ranker": "e", "champion": "before", "test_queries": "q"},
    ]
    assert rankers_tried(tried, champion="c", test_queries="q", ranker="f") == 3
    assert rankers_tried(tried, champion="c", test_queries="q", ranker="a") == 2
    assert rankers_tried([], champion="c", test_queries="q", ranker="a") == 1
    assert corrected_confidence(0.95, 1) == pytest.approx(0.95)
    assert corrected_confidence(0.95, 5) == pytest.approx(0.99)
