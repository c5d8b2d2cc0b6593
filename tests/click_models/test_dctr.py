from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rankhammer.click_models import CorpusFit
from rankhammer.click_models.dctr import Dctr
from rankhammer.click_models.priors import PriorOptions


def corpus(mean=0.2):
    return CorpusFit({"click_through_prior": mean}, n_iter=1, converged=True, log_likelihood=0.0, n_serps=1)


def test_click_through_is_smoothed_towards_the_mean(pages):
    found = Dctr(PriorOptions(prior_strength=4.0)).fit(
        pages([([0, 1], "10"), ([1, 0], "10"), ([0, 2], "00")]), corpus()
    )
    expected = [(1 + 4 * 0.2) / (3 + 4), (1 + 4 * 0.2) / (2 + 4), (0 + 4 * 0.2) / (1 + 4)]
    assert found.parameters["click_through"] == pytest.approx(expected)
    assert found.n_examined.tolist() == [3, 2, 1]


def test_the_prior_mean_caps_what_a_head_document_says(pages):
    # m solves sum (k - m n) / (n + strength) = 0: the head document counts 90/100, not 90/2.
    serps = pages([([0], "1")] * 90 + [([1], "0")] * 2)
    shared = Dctr(PriorOptions(prior_strength=10.0)).fit_corpus(serps)
    head, tail = 90 / (90 + 10), 2 / (2 + 10)
    assert shared.parameters["click_through_prior"] == pytest.approx(head / (head + tail))


def test_what_was_sampled_is_recovered(random_pages):
    serps = random_pages(20_000, 10, 8, [3, 8], seed=1)
    known = {"click_through": np.random.default_rng(2).uniform(0.05, 0.6, 80)}
    model = Dctr(PriorOptions())
    drawn = model.sample(serps, known, corpus(), np.random.default_rng(3).random(len(serps.pair)))
    found = model.fit(replace(serps, clicked=drawn), corpus())
    assert np.abs(found.parameters["click_through"] - known["click_through"]).mean() < 0.02


def test_the_spread_is_that_of_the_beta_posterior(pages):
    model = Dctr(PriorOptions(prior_strength=2.0))
    relevance = model.predict_relevance(model.fit(pages([([0], "1"), ([0], "0")]), corpus(0.5)), corpus(0.5))
    alpha, beta = 1 + 2 * 0.5, 1 + 2 * 0.5
    variance = alpha * beta / ((alpha + beta) ** 2 * (alpha + beta + 1))
    assert relevance.sd[0] == pytest.approx(variance**0.5)
    assert relevance.prior_share[0] == pytest.approx(2 / (2 + 2))
