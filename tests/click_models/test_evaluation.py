from __future__ import annotations

from math import log

import numpy as np
import pytest

from rankhammer.click_models import measure


def test_perplexity_is_two_to_the_mean_surprise(pages):
    serps = pages([([0, 1], "10"), ([0, 1], "00"), ([0], "1")])
    conditional = np.array([0.5, 0.25, 0.5, 0.5, 0.8])
    marginal = np.full(5, 0.5)
    found = measure(serps, conditional, marginal)
    at_1 = (0.5 * (1 - 0.5) * 0.8) ** (-1 / 3)
    at_2 = ((1 - 0.25) * (1 - 0.5)) ** (-1 / 2)
    assert found["positions"]["conditional_perplexity"] == pytest.approx([at_1, at_2])
    assert found["conditional_perplexity"] == pytest.approx((3 * at_1 + 2 * at_2) / 5)
    assert found["perplexity"] == pytest.approx(2)
    assert found["log_likelihood"] == pytest.approx((log(0.5 * 0.5 * 0.8) + log(0.75 * 0.5)) / 5)


def test_click_through_is_seen_and_predicted_by_position(pages):
    found = measure(pages([([0, 1], "10"), ([0], "0")]), np.full(3, 0.5), np.array([0.2, 0.3, 0.4]))
    assert found["positions"]["n"] == [2, 1]
    assert found["positions"]["click_through"] == [0.5, 0]
    assert found["positions"]["predicted_click_through"] == pytest.approx([0.3, 0.3])
