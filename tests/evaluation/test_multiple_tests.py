"""Rules of the randomisation test and of Holm's correction."""

from __future__ import annotations

import numpy as np
import pytest

from rankhammer.evaluation.multiple_tests import holm, randomisation_p


def test_holm_multiplies_the_smallest_by_all_the_next_by_one_less():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.01 * 3, 0.03 * 2, 0.03 * 2])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


def test_p_counts_the_signs_that_are_as_extreme():
    # Of the 2^4 signs of 1, 1, 1, 1 two have a mean as far from 0: p is near 2 / 16.
    found = randomisation_p(np.ones(4), np.arange(4), n_draws=20_000, random_state=1)
    assert found == pytest.approx(2 / 16, abs=0.01)


def test_a_clear_difference_stays_significant_among_thousands_of_comparisons():
    rng = np.random.default_rng(5)
    clear = randomisation_p(rng.normal(0.2, 0.1, 100), np.arange(100), n_draws=1000, random_state=1)
    assert 0 < holm([clear, *[0.5] * 7000])[0] < 0.001
    # Six clusters can show no less than 2 / 2^6, however clear.
    few = randomisation_p(np.full(6, 0.3), np.arange(6), n_draws=50, random_state=1)
    assert few >= 2 / 2**6 * 0.5


def test_queries_of_a_cluster_share_a_sign():
    one_cluster = randomisation_p(np.ones(10), np.zeros(10), n_draws=100, random_state=1)
    assert one_cluster == 1.0
    assert randomisation_p(np.ones(10), np.arange(10), n_draws=1000, random_state=1) < 0.01
    assert randomisation_p(np.array([np.nan]), np.arange(1), n_draws=100, random_state=1) == 1.0


def test_p_is_uniform_where_nothing_differs():
    rng = np.random.default_rng(3)
    values = [
        randomisation_p(rng.standard_normal(30), np.arange(30), n_draws=200, random_state=seed) for seed in range(300)
    ]
    assert np.mean(np.array(values) <= 0.05) <= 0.09
    assert 0.42 < np.mean(values) < 0.58


def test_of_ten_corpora_without_a_gain_hardly_one_is_called_better():
    rng = np.random.default_rng(11)
    false = [0, 0]
    for seed in range(30):
        found = [
            randomisation_p(rng.standard_normal(40), np.arange(40), n_draws=299, random_state=seed) for _ in range(10)
        ]
        false = [false[0] + (min(found) <= 0.05), false[1] + (min(holm(found)) <= 0.05)]
    # 5 % of 30 are 1.5; without the correction 1 - .95^10 = 40 % of them have one.
    assert false[0] > 6
    assert false[1] <= 4
