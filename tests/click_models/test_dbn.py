from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rankhammer.click_models import CorpusFit, log_likelihood
from rankhammer.click_models.dbn import Dbn, DbnOptions
from rankhammer.click_models.em import lower_bound, upper_bound

G = 0.8
A = np.array([0.3, 0.6, 0.2, 0.7])
S = np.array([0.5, 0.1, 0.9, 0.4])
PAGES = [([0, 1, 2, 3], clicks) for clicks in ("0000", "0100", "1010", "0001", "1111")]
PAGES += [([2, 0], "00"), ([3, 1], "10"), ([1], "1"), ([1], "0"), ([2, 3, 0], "010")]


def corpus(continuation=G, attractiveness=0.3, satisfaction=0.5):
    shared = {
        "continuation": continuation,
        "attractiveness_prior": attractiveness,
        "satisfaction_prior": satisfaction,
    }
    return CorpusFit(shared, n_iter=1, converged=True, log_likelihood=0.0, n_serps=1)


def pairs(a=A, s=S):
    return {"attractiveness": np.array(a, float), "satisfaction": np.array(s, float)}


def truth(n_pairs, seed=5):
    rng = np.random.default_rng(seed)
    return {"attractiveness": rng.uniform(0.1, 0.7, n_pairs), "satisfaction": rng.uniform(0.2, 0.8, n_pairs)}


def clicked(serps, parameters, g=G, seed=3):
    uniform = np.random.default_rng(seed).random(len(serps.pair))
    return replace(serps, clicked=Dbn(DbnOptions()).sample(serps, parameters, corpus(g), uniform))


@pytest.mark.parametrize(("docs", "clicks"), PAGES)
def test_the_e_step_equals_enumerating_every_hidden_state(docs, clicks, pages, brute_force):
    serps = pages([(docs, clicks), ([3], "0")])
    model = Dbn(DbnOptions())
    data = model.prepare(serps.select(np.array([True, False])))
    expected = model.e_step(data, pairs(), corpus().parameters)
    _, examined, satisfied = brute_force(A[docs], S[docs], G, clicks)
    for pair, sure in ((doc, place < clicks.rfind("1") + 1) for place, doc in enumerate(docs)):
        assert data.n_sure[pair] == sure
    wanted = np.bincount(docs, weights=examined, minlength=4)
    assert model.count_evidence(data, pairs(), expected)["examined"] == pytest.approx(wanted)
    assert data.sum_last(expected.satisfied) == pytest.approx(np.bincount(docs, weights=satisfied, minlength=4))


def test_the_likelihood_equals_enumerating_every_hidden_state(pages, brute_force):
    model = Dbn(DbnOptions())
    found = model.log_likelihood(model.prepare(pages(PAGES)), pairs(), corpus().parameters)
    assert found == pytest.approx(sum(np.log(brute_force(A[docs], S[docs], G, clicks)[0]) for docs, clicks in PAGES))


def test_the_product_of_conditional_predictions_is_the_likelihood(pages):
    serps = pages(PAGES)
    model = Dbn(DbnOptions())
    conditional = model.predict_conditional_clicks(serps, pairs(), corpus())
    whole = model.log_likelihood(model.prepare(serps), pairs(), corpus().parameters)
    assert log_likelihood(serps, conditional) * len(serps.pair) == pytest.approx(whole)


def test_unconditional_predictions_sum_over_all_clicks_above(pages, brute_force):
    docs = [1, 3, 0]
    predicted = Dbn(DbnOptions()).predict_clicks(
        pages([(docs, "000")]), {"attractiveness": A, "satisfaction": S}, corpus()
    )
    for rank in range(3):
        ways = [f"{pattern:03b}" for pattern in range(8) if f"{pattern:03b}"[rank] == "1"]
        assert predicted[rank] == pytest.approx(sum(brute_force(A[docs], S[docs], G, clicks)[0] for clicks in ways))


def test_one_m_step_by_hand(pages):
    # One page of two documents, the first clicked: l = 1, B_2 = 1 - a_2 = .6, Z = 1 - g (1 - s_1)(1 - .6).
    model = Dbn(DbnOptions(prior_strength=2.0, satisfaction_strength=2.0, continuation_strength=3.0))
    shared = corpus(0.8).parameters
    data, before = model.prepare(pages([([0, 1], "10")])), pairs([0.5, 0.4], [0.25, 0.5])
    z = 1 - 0.8 * (1 - 0.25) * (1 - 0.6)
    expected = model.e_step(data, before, shared)
    after = model.m_step(data, before, shared, expected)
    f_2, satisfied = 0.8 * (1 - 0.25) * 0.6 / z, 0.25 / z
    assert after["attractiveness"] == pytest.approx([(1 + 2 * 0.3) / (1 + 2), (0 + 2 * 0.3) / (f_2 + 2)])
    assert after["satisfaction"] == pytest.approx([(satisfied + 2 * 0.5) / (1 + 2), (2 * 0.5) / 2])
    # Examined and not satisfied after the first: 1 - E[S_1]; the step was taken with probability f_2.
    found = model.update_shared(data, before, shared, expected)
    assert found["continuation"] == pytest.approx((f_2 + 3) / (1 - satisfied + 3))


def test_what_was_sampled_is_recovered(random_pages):
    known = truth(300)
    serps = clicked(random_pages(60_000, 30, 10, [4, 7, 10], seed=1), known)
    model = Dbn(DbnOptions())
    shared = model.fit_corpus(serps)
    found = model.fit(serps, shared)
    assert shared.converged
    assert found.converged.all()
    assert shared.parameters["continuation"] == pytest.approx(G, abs=0.015)
    assert np.abs(found.parameters["attractiveness"] - known["attractiveness"]).mean() < 0.02
    assert np.abs(found.parameters["satisfaction"] - known["satisfaction"]).mean() < 0.06


def test_the_interval_covers_the_truth(random_pages):
    rng = np.random.default_rng(8)
    known = {"attractiveness": rng.beta(1, 3, 6000), "satisfaction": rng.beta(2, 2, 6000)}
    serps = clicked(random_pages(30_000, 600, 10, [5, 10], seed=4), known, g=0.9)
    model = Dbn(DbnOptions(prior_strength=4.0))
    shared = model.fit_corpus(serps)
    relevance = model.predict_relevance(model.fit(serps, shared), shared)
    true = known["attractiveness"] * known["satisfaction"]
    covered = (lower_bound(relevance.mean, relevance.sd) <= true) & (true <= upper_bound(relevance.mean, relevance.sd))
    assert 0.90 <= covered.mean() <= 0.98


def test_an_iteration_limit_is_not_called_convergence(random_pages):
    serps = clicked(random_pages(500, 3, 6, [6], seed=6), truth(18))
    model = Dbn(DbnOptions(max_iter=2, tol=1e-8))
    assert not model.fit_corpus(serps).converged
    assert not model.fit(serps, corpus()).converged.any()


def test_a_fixed_continuation_stays(random_pages):
    serps = clicked(random_pages(500, 3, 6, [6], seed=6), truth(18))
    assert Dbn(DbnOptions(continuation=0.6)).fit_corpus(serps).parameters["continuation"] == 0.6


def test_one_click_a_page_does_not_drive_satisfaction_to_nothing(pages):
    serps = pages([([0, 1, 2], clicks) for clicks in ("100", "010", "000", "001", "100")] * 40)
    shared = Dbn(DbnOptions(satisfaction_floor=0.2)).fit_corpus(serps)
    assert shared.parameters["satisfaction_prior"] >= 0.2


def test_pages_of_one_document_are_fitted(pages):
    serps = pages([([0], "1"), ([0], "0"), ([1], "0")])
    model = Dbn(DbnOptions(prior_strength=2.0))
    shared = model.fit_corpus(serps)
    found = model.fit(serps, corpus(attractiveness=0.4))
    assert 0 < shared.parameters["continuation"] < 1
    assert found.parameters["attractiveness"] == pytest.approx([(1 + 0.8) / (2 + 2), 0.8 / (1 + 2)])
    assert found.n_examined.tolist() == [2, 1]


def test_a_document_never_shown_keeps_the_prior(pages):
    serps = pages([([0, 1], "10")], clusters=[0, 0, 1])
    found = Dbn(DbnOptions()).fit(serps, corpus(attractiveness=0.25))
    assert found.parameters["attractiveness"][2] == 0.25
    assert found.n_examined[2] == 0


def test_prior_share_falls_from_one_with_evidence(pages):
    pattern = [([0, 1, 2], "100"), ([0, 1, 2], "110"), ([0, 1, 2], "101")]
    serps = pages(pattern * 40 + [([3, 4], "10")], clusters=[0, 0, 0, 1, 1, 2])
    model = Dbn(DbnOptions())
    share = model.predict_relevance(model.fit(serps, corpus()), corpus()).prior_share
    assert share[5] == 1
    assert share[0] < share[3] < 1
    assert share[0] < 0.25
