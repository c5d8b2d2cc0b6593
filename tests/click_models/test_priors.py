from __future__ import annotations

import numpy as np
import pytest

from rankhammer.click_models.dbn import Dbn, DbnOptions
from rankhammer.click_models.priors import PriorOptions, pair_prior, pooled_prior

BY_POSITION = PriorOptions(prior="shown_position", prior_strength=1.0)


def test_a_prior_by_position_never_rises_down_the_page():
    clicks, trials = np.array([8.0, 2, 5, 1]), np.full(4, 10.0)
    found = pooled_prior("a", clicks, trials, np.array([1.0, 2, 3, 4]), BY_POSITION)
    # Positions 2 and 3 violate the order and are pooled: (2 + 5) / 20 at their centre, 2.5; in between it falls evenly.
    second, third = 0.8 - (0.8 - 0.35) / 1.5, 0.35 - (0.35 - 0.1) * 0.5 / 1.5
    assert found["a_prior_by_position"] == pytest.approx([0.8, second, third, 0.1])
    assert found["a_prior"] == pytest.approx(16 / 40)


def test_a_pair_takes_the_prior_of_where_it_was_shown():
    shared = {"a_prior": 0.25, "a_prior_by_position": [0.8, 0.4, 0.1]}
    found = pair_prior(shared, "a", np.array([1.0, 1.5, 3, 9, np.nan]))
    assert found == pytest.approx([0.8, 0.6, 0.1, 0.1, 0.25])


def test_a_flat_prior_is_the_same_for_all():
    assert pair_prior({"a_prior": 0.25}, "a", np.array([1.0, np.nan])) == 0.25


def test_the_position_orders_documents_that_nothing_else_tells_apart_and_fades_with_evidence(pages):
    thin = [([0, 1, 2], "100"), ([3, 4, 5], "010"), ([6, 7, 8], "000"), ([9, 10, 11], "100")]
    thin = pages([*thin, *(([12, 13, 14], "100"),) * 4], clusters=[0] * 15)
    model = Dbn(DbnOptions(prior="shown_position", continuation=0.9))
    found = model.fit(thin, model.fit_corpus(thin)).parameters["attractiveness"]
    assert found[0] > found[4]  # each clicked once, at positions 1 and 2
    assert found[1] > found[2]  # both below a click
    many = pages([([6, 7, 8], "001")] * 400 + [([0, 1, 2], "100")] * 400)
    found = model.fit(many, model.fit_corpus(many)).parameters["attractiveness"]
    assert found[8] > 0.9
    assert found[6] < 0.05
