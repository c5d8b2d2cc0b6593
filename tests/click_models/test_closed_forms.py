"""The models without an iteration, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from rankhammer.click_models import CorpusFit
from rankhammer.click_models.baselines import BaselineOptions
from rankhammer.click_models.cascade import Cascade
from rankhammer.click_models.coec import Coec
from rankhammer.click_models.gctr import Gctr
from rankhammer.click_models.priors import PriorOptions
from rankhammer.click_models.rctr import Rctr

PAGES = [([0, 1, 2], "100"), ([1, 0, 2], "011"), ([0, 2], "00"), ([2, 1, 0], "001")]


def shared(**parameters):
    return CorpusFit(parameters, n_iter=1, converged=True, log_likelihood=0.0, n_serps=1)


def test_the_cascade_counts_down_to_the_first_click(pages):
    model, serps = Cascade(PriorOptions(prior_strength=2.0)), pages(PAGES)
    found = model.fit(serps, shared(attractiveness_prior=0.3, later_click=0.2))
    # Document 0: first clicks on pages 1, 2 and 4, examined on all four. 1: examined on pages 2 and 4. 2: on 3 and 4.
    assert found.n_examined.tolist() == [4, 2, 2]
    assert found.parameters["attractiveness"] == pytest.approx([(3 + 0.6) / 6, 0.6 / 4, 0.6 / 4])


def test_clicks_below_the_first_have_one_rate(pages):
    model, serps = Cascade(PriorOptions()), pages(PAGES)
    # Below the first click stand two cells of page 1 and one, clicked, of page 2.
    assert model.fit_corpus(serps).parameters["later_click"] == pytest.approx((1 + 0.5) / (3 + 1))
    p = model.predict_conditional_clicks(serps, {"attractiveness": np.array([0.5, 0.4, 0.3])}, shared(later_click=0.2))
    assert p[:6].tolist() == [0.5, 0.2, 0.2, 0.4, 0.5, 0.2]


def test_expected_clicks_are_those_of_the_positions(pages):
    model, serps = Coec(PriorOptions(prior_strength=2.0)), pages(PAGES)
    rates = model.fit_corpus(serps).parameters["click_through_by_position"]
    assert rates == pytest.approx([(1 + 0.5) / 5, (1 + 0.5) / 5, (2 + 0.5) / 4])
    found = model.fit(serps, shared(attractiveness_prior=0.3, click_through_by_position=[0.4, 0.2, 0.1]))
    # Document 0 stood at 1, 2, 1 and 3: 1 + .5 + 1 + .25 of the best position's promise.
    assert found.n_examined == pytest.approx([2.75, 0.5 + 1 + 0.5, 0.25 + 0.25 + 0.5 + 1])
    assert found.parameters["attractiveness"] == pytest.approx([3.6 / 4.75, 0.6 / 4, 1.6 / 4])


def test_the_floors_know_positions_or_nothing(pages):
    serps = pages(PAGES)
    ranks, everywhere = Rctr(BaselineOptions()), Gctr(BaselineOptions())
    assert everywhere.fit_corpus(serps).parameters["click_through_prior"] == pytest.approx((4 + 0.5) / (11 + 1))
    found = ranks.fit(serps, shared(click_through_prior=0.3, click_through_by_position=[0.4, 0.2, 0.1]))
    assert found.parameters["click_through"] == pytest.approx([1.1 / 4, 0.8 / 3, 0.8 / 4])
    assert ranks.predict_relevance(found, shared()).prior_share.tolist() == [1, 1, 1]
