"""Rules of choosing a size and of asking for more data."""

from __future__ import annotations

import numpy as np
import pytest

from rankhammer.evaluation.bootstrap import Bootstrap, clustered_sd
from rankhammer.evaluation.capacity import SizedScores, capacity_sweep, is_more_worth_it

BOOTSTRAP = Bootstrap(300, 0.95, 2)
CLUSTERS = np.arange(200)


def _sizes(*means: float, noise: float = 0.1) -> list[SizedScores]:
    rng = np.random.default_rng(8)
    shared = rng.normal(0, 0.3, 200)
    return [
        SizedScores(f"size {at}", at, mean + shared + rng.normal(0, noise, 200)) for at, mean in enumerate(means, 1)
    ]


def test_the_smallest_size_within_one_standard_error_of_the_best_is_chosen():
    rows = capacity_sweep(_sizes(0.3, 0.6, 0.601, 0.602), CLUSTERS, BOOTSTRAP)
    assert sum(row["is_best"] for row in rows) == sum(row["is_chosen"] for row in rows) == 1
    chosen = next(row for row in rows if row["is_chosen"])
    assert chosen["size"] == 2
    assert chosen["behind"] <= chosen["standard_error"]
    assert rows[0]["behind"] > rows[0]["standard_error"]
    assert chosen["lower"] < chosen["mean"] < chosen["upper"]


def test_without_standard_errors_the_best_is_chosen():
    rows = capacity_sweep(_sizes(0.3, 0.6, 0.601, 0.602), CLUSTERS, BOOTSTRAP, standard_errors=0.0)
    assert [row["is_best"] for row in rows] == [row["is_chosen"] for row in rows]


def test_the_standard_error_is_that_of_the_paired_difference():
    sizes = _sizes(0.5, 0.6)
    rows = capacity_sweep(sizes, CLUSTERS, BOOTSTRAP)
    difference = sizes[1].values - sizes[0].values
    assert rows[0]["standard_error"] == pytest.approx(difference.std(ddof=1) / np.sqrt(200))
    assert rows[0]["standard_error"] < clustered_sd(sizes[0].values, CLUSTERS) / np.sqrt(200)


def test_queries_without_a_value_take_no_part_and_one_cluster_gives_no_interval():
    values = np.array([0.5, np.nan, 0.7])
    rows = capacity_sweep([SizedScores("one", 1, values), SizedScores("two", 2, values + 0.1)], np.zeros(3), BOOTSTRAP)
    assert rows[1]["mean"] == pytest.approx((0.6 + 0.8) / 2)
    assert rows[0]["lower"] is None
    assert [row["is_chosen"] for row in rows] == [False, True]


@pytest.mark.parametrize(("gain", "answer"), [(0.05, "yes"), (-0.05, "no"), (0.005, "not distinguishable")])
def test_more_data_is_worth_it_where_the_last_doubling_surely_gained(gain, answer):
    rng = np.random.default_rng(1)
    half = rng.random(200)
    found = is_more_worth_it(half, half + gain + rng.normal(0, 0.1, 200), CLUSTERS, BOOTSTRAP)
    assert found["answer"] == answer
    assert found["lower"] < found["mean"] < found["upper"]


def test_of_few_query_clusters_no_answer_is_given():
    half = np.random.default_rng(1).random(200)
    found = is_more_worth_it(half, half + 0.3, CLUSTERS % 12, BOOTSTRAP)
    assert found["lower"] > 0
    assert found["answer"] == "too few queries"
    assert is_more_worth_it(half, half + 0.3, CLUSTERS % 12, BOOTSTRAP, min_clusters=12)["answer"] == "yes"
