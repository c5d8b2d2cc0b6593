"""A paired difference in one word, and how many queries would change it."""

from __future__ import annotations

import numpy as np
import pytest

from rankhammer.evaluation.bootstrap import Bootstrap, compare_systems
from rankhammer.evaluation.verdict import VerdictRule, judge, judge_all, overall, queries_needed

RULE = VerdictRule(0.95, 20)


def judged(differences: np.ndarray, clusters: np.ndarray | None = None) -> dict[str, object]:
    values = {"baseline": np.zeros(len(differences)), "ranker": differences}
    numbers = np.arange(len(differences)) if clusters is None else clusters
    return judge_all(compare_systems(values, numbers, Bootstrap(400)), RULE)["baseline"]


def test_one_word_says_where_the_whole_interval_lies() -> None:
    noise = np.random.default_rng(1).normal(0, 0.1, 40)
    assert judged(noise + 0.2)["verdict"] == "better"
    assert judged(noise - 0.2)["verdict"] == "worse"
    assert judged(noise - noise.mean() + 0.001)["verdict"] == "not distinguishable"


def test_few_clusters_are_too_few_however_many_queries_they_have() -> None:
    assert judged(np.full(19, 0.2))["verdict"] == "too few queries"
    assert judged(np.full(20, 0.2))["verdict"] == "better"
    assert judged(np.full(200, -0.2), np.repeat(np.arange(10), 20))["verdict"] == "too few queries"
    assert judged(np.full(200, -0.2), np.zeros(200))["verdict"] == "too few queries"


def test_the_queries_that_it_would_take_are_those_of_a_paired_test() -> None:
    # Cohen 1988, table 2.3.5 for d = .20 of one sample: 196 by the normal approximation.
    assert queries_needed(0.02, 0.1, 0.95) == 197
    assert queries_needed(-0.02, 0.1, 0.95) == 197
    assert queries_needed(0.02, 0.1, 0.99) > 197
    assert queries_needed(0.0, 0.1, 0.95) is None
    assert queries_needed(None, None, 0.95) is None


def test_with_so_many_queries_four_of_five_experiments_see_the_difference() -> None:
    rng = np.random.default_rng(3)
    needed = queries_needed(0.05, 0.2, 0.95)
    samples = rng.normal(0.05, 0.2, (4000, needed))
    errors = samples.std(axis=1, ddof=1) / np.sqrt(needed)
    assert np.mean(np.abs(samples.mean(axis=1)) > 1.96 * errors) == pytest.approx(0.8, abs=0.03)


def test_only_what_is_not_distinguishable_says_how_many_it_would_take() -> None:
    noise = np.random.default_rng(1).normal(0, 0.1, 40)
    few, same = judged(noise[:5]), judged(noise - noise.mean() + 0.01)
    assert few["n_queries_needed"] is None
    assert same["n_queries_needed"] > 40


def test_nothing_measured_is_too_few() -> None:
    row = {"mean": None, "lower": None, "upper": None, "sd": None, "n_queries": 0, "n_clusters": 0}
    assert judge(row, RULE)["verdict"] == "too few queries"
    assert overall({}) == "too few queries"


@pytest.mark.parametrize(
    ("words", "word"),
    [
        (("better", "worse"), "worse"),
        (("too few queries", "better"), "too few queries"),
        (("better", "not distinguishable"), "not distinguishable"),
        (("better", "better"), "better"),
    ],
)
def test_the_worst_news_is_the_word_for_all(words: tuple[str, ...], word: str) -> None:
    assert overall({str(place): {"verdict": one} for place, one in enumerate(words)}) == word
