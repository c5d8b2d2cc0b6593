from __future__ import annotations

import numpy as np
import pytest

from rankhammer.click_models.em import count_pairs, lower_bound, product_sd, upper_bound
from rankhammer.click_models.priors import pooled_mean


def test_positions_are_averaged_over_impressions(pages):
    counts = count_pairs(pages([([0, 1], "01"), ([1, 0], "00"), ([1, 2, 0], "100")]))
    assert counts.impressions.tolist() == [3, 3, 1]
    assert counts.clicks.tolist() == [0, 2, 0]
    assert counts.mean_position.tolist() == [(1 + 2 + 3) / 3, (2 + 1 + 1) / 3, 2]


def test_the_pooled_mean_solves_its_equation():
    k, n = np.array([1.0, 50, 0]), np.array([2.0, 400, 3])
    mean = pooled_mean(k, n, 5.0)
    assert ((k - mean * n) / (n + 5.0)).sum() == pytest.approx(0)


def test_nothing_seen_has_a_pooled_mean_of_nothing():
    assert pooled_mean(np.zeros(2), np.zeros(2), 5.0) == 0


def test_the_spread_of_a_product_is_exact_for_independent_factors():
    # Var(XY) = E[X^2] E[Y^2] - (E[X] E[Y])^2
    sd = product_sd(np.array([0.5]), np.array([0.01]), np.array([0.2]), np.array([0.02]))
    assert sd[0] ** 2 == pytest.approx((0.25 + 0.01) * (0.04 + 0.02) - (0.5 * 0.2) ** 2)


def test_bounds_enclose_the_mean_and_stay_within_zero_and_one():
    mean, sd = np.array([1e-3, 0.02, 0.5, 0.99]), np.array([1e-3, 0.02, 0.2, 0.01])
    low, high = lower_bound(mean, sd), upper_bound(mean, sd)
    assert (low >= 0).all()
    assert (low < mean).all()
    assert (mean < high).all()
    assert (high <= 1).all()


def test_bounds_are_quantiles_of_the_beta_with_that_mean_and_spread():
    # Beta(1, 2): mean 1/3, variance 2 / (9 x 4), distribution 1 - (1 - x)^2.
    low = lower_bound(np.array([1 / 3]), np.array([(2 / 36) ** 0.5]))
    assert low[0] == pytest.approx(1 - (1 - 0.025) ** 0.5)
