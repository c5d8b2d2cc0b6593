"""Every model that is fitted by EM: exact E-step, M-step by hand, rising objective, recovery of what was sampled."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rankhammer.click_models import CorpusFit, log_likelihood
from rankhammer.click_models.ccm import IRRELEVANT, RELEVANT, SKIP, Ccm
from rankhammer.click_models.dbn import Dbn
from rankhammer.click_models.dcm import Dcm
from rankhammer.click_models.pbm import Pbm
from rankhammer.click_models.priors import pair_prior
from rankhammer.click_models.sdbn import Sdbn
from rankhammer.click_models.ubm import MAX_POSITION, Ubm

SHARED = {
    Dbn: {"continuation": 0.85, "satisfaction_prior": 0.5},
    Sdbn: {"continuation": 1.0, "satisfaction_prior": 0.5},
    Dcm: {"continuation_after_click": [0.7, 0.6, 0.5, 0.45, 0.4, 0.35, 0.3, 0.3]},
    Ccm: {SKIP: 0.9, IRRELEVANT: 0.8, RELEVANT: 0.3},
    Pbm: {"examination": [0.95, 0.7, 0.5, 0.4, 0.35, 0.3, 0.25, 0.2]},
    Ubm: {"examination": [0.9 / (1 + r - p) ** 0.6 for r in range(1, 9) for p in range(r)]},
}
MODELS = list(SHARED)
CASCADES = [Dbn, Sdbn, Dcm, Ccm]
A, S = np.array([0.3, 0.6, 0.2, 0.7]), np.array([0.5, 0.1, 0.9, 0.4])
PAGES = [([0, 1, 2, 3], clicks) for clicks in ("0000", "0100", "1010", "0001", "1111")]
PAGES += [([2, 0], "00"), ([3, 1], "10"), ([1], "1"), ([1], "0"), ([2, 3, 0], "010")]


def corpus(kind, **shared):
    parameters = {"attractiveness_prior": 0.3, **SHARED[kind], **shared}
    return CorpusFit(parameters, n_iter=1, converged=True, log_likelihood=0.0, n_serps=1)


def pairs(kind, a=A, s=S):
    return {name: {"attractiveness": a, "satisfaction": s}[name] for name in kind.parameter_names}


def onward(kind, place, doc):
    """P(look further | clicked) at a 0-based place."""
    shared = SHARED[kind]
    if kind is Dcm:
        return shared["continuation_after_click"][place]
    if kind is Ccm:
        return shared[IRRELEVANT] * (1 - A[doc]) + shared[RELEVANT] * A[doc]
    return shared["continuation"] * (1 - S[doc])


def enumerate_stops(kind, docs, clicks):
    """P(C) and P(E_r = 1 | C) by going through every position at which people may have stopped."""
    skip = {Ccm: SHARED[Ccm][SKIP], Dbn: SHARED[Dbn]["continuation"]}.get(kind, 1.0)
    total, examined = 0.0, np.zeros(len(docs))
    for stop in range(len(docs)):
        probability = 1.0
        for place, doc in enumerate(docs):
            clicked = clicks[place] == "1"
            if place > stop:
                probability *= not clicked
                continue
            probability *= A[doc] if clicked else 1 - A[doc]
            further = onward(kind, place, doc) if clicked else skip
            if place < len(docs) - 1:
                probability *= 1 - further if place == stop else further
        total += probability
        examined[: stop + 1] += probability
    return total, examined / total


def simulated(kind, random_pages, n_serps=40_000, seed=4):
    serps = random_pages(n_serps, 20, 10, [3, 6, 8], seed=seed)
    rng = np.random.default_rng(seed)
    known = pairs(kind, rng.uniform(0.1, 0.7, 200), rng.uniform(0.2, 0.8, 200))
    uniform = rng.random(len(serps.pair))
    return replace(serps, clicked=kind(kind.Options()).sample(serps, known, corpus(kind), uniform)), known


def penalised(model, data, at, shared):
    """Log-likelihood plus the log prior whose mode the M-step finds."""
    total = model.log_likelihood(data, at, shared)
    for name in model.parameter_names:
        mean = pair_prior(shared, name, data.mean_position)
        weighed = mean * np.log(at[name]) + (1 - mean) * np.log1p(-at[name])
        total += model.options.prior_strength * float(weighed.sum())
    return total


@pytest.mark.parametrize("kind", CASCADES)
@pytest.mark.parametrize(("docs", "clicks"), PAGES)
def test_the_e_step_of_a_cascade_equals_enumerating_where_people_stopped(kind, docs, clicks, pages):
    model, shared = kind(kind.Options()), corpus(kind).parameters
    serps = pages([(docs, clicks), ([3], "0")])
    data = model.prepare(serps.select(np.array([True, False])))
    probability, examined = enumerate_stops(kind, docs, clicks)
    found = model.count_evidence(data, pairs(kind), model.e_step(data, pairs(kind), shared))
    assert found["examined"] == pytest.approx(np.bincount(docs, weights=examined, minlength=4))
    assert model.log_likelihood(data, pairs(kind), shared) == pytest.approx(np.log(probability))


@pytest.mark.parametrize("kind", MODELS)
def test_the_product_of_conditional_predictions_is_the_likelihood(kind, pages):
    model, serps = kind(kind.Options()), pages(PAGES)
    whole = model.log_likelihood(model.prepare(serps), pairs(kind), corpus(kind).parameters)
    conditional = model.predict_conditional_clicks(serps, pairs(kind), corpus(kind))
    assert log_likelihood(serps, conditional) * len(serps.pair) == pytest.approx(whole)


@pytest.mark.parametrize("kind", MODELS)
def test_unconditional_predictions_sum_over_all_clicks_above(kind, pages):
    model, docs = kind(kind.Options()), [1, 3, 0]
    predicted = model.predict_clicks(pages([(docs, "000")], clusters=[0] * 4), pairs(kind), corpus(kind))
    patterns = [f"{pattern:03b}" for pattern in range(8)]
    each = [pages([(docs, clicks)], clusters=[0] * 4) for clicks in patterns]
    chance = [np.exp(model.log_likelihood(model.prepare(page), pairs(kind), corpus(kind).parameters)) for page in each]
    assert sum(chance) == pytest.approx(1)
    for rank in range(3):
        ways = [p for p, clicks in zip(chance, patterns, strict=True) if clicks[rank] == "1"]
        assert predicted[rank] == pytest.approx(sum(ways))


@pytest.mark.parametrize("kind", MODELS)
def test_an_iteration_never_lowers_the_penalised_objective(kind, random_pages):
    serps, _ = simulated(kind, random_pages, n_serps=1500)
    model, shared = kind(kind.Options()), corpus(kind).parameters
    data, objectives = model.prepare(serps), []
    at = pairs(kind, np.full(200, 0.3), np.full(200, 0.5))
    for _ in range(30):
        objectives.append(penalised(model, data, at, shared))
        at = model.m_step(data, at, shared, model.e_step(data, at, shared))
    assert np.diff(objectives).min() > -1e-8
    assert objectives[-1] > objectives[0] + 1


@pytest.mark.parametrize("kind", MODELS)
def test_what_was_sampled_is_recovered(kind, random_pages):
    serps, known = simulated(kind, random_pages)
    model = kind(kind.Options())
    shared = model.fit_corpus(serps)
    found = model.fit(serps, shared)
    assert found.converged.all()
    estimated = found.parameters["attractiveness"]
    if kind in (Pbm, Ubm):  # examination and attractiveness have no common scale but the priors'
        estimated = estimated * known["attractiveness"].mean() / estimated.mean()
    error = np.abs(estimated - known["attractiveness"]).mean()
    assert error < 0.03
    prior = np.abs(shared.parameters["attractiveness_prior"] - known["attractiveness"]).mean()
    assert error < prior / 4


@pytest.mark.parametrize("kind", [Dcm, Pbm, Ubm])
def test_what_positions_share_is_recovered(kind, random_pages):
    serps, _ = simulated(kind, random_pages)
    model = kind(kind.Options(tol=1e-6, max_iter=3000))
    [name] = SHARED[kind]
    found, true = np.array(model.fit_corpus(serps).parameters[name]), np.array(SHARED[kind][name])
    n = len(found) if kind is Ubm else 5
    ratio = 1.0 if kind is Dcm else found[0] / true[0]
    assert np.abs(found[:n] / ratio - true[:n]).max() < 0.09


def test_the_chain_models_continuations_are_recovered(random_pages):
    serps, _ = simulated(Ccm, random_pages)
    found = Ccm(Ccm.Options(tol=1e-6, max_iter=3000)).fit_corpus(serps).parameters
    for name, true in SHARED[Ccm].items():
        assert found[name] == pytest.approx(true, abs=0.06)


def test_one_m_step_of_pbm_by_hand(pages):
    model = Pbm(Pbm.Options(prior_strength=2.0))
    shared = {"attractiveness_prior": 0.3, "examination": [0.9, 0.5]}
    data, before = model.prepare(pages([([0, 1], "10"), ([1, 0], "00")])), {"attractiveness": np.array([0.4, 0.2])}
    expected = model.e_step(data, before, shared)
    second = 0.5 * 0.6 / (1 - 0.5 * 0.4)  # document 0 at position 2, skipped
    after = model.m_step(data, before, shared, expected)["attractiveness"]
    assert after[0] == pytest.approx((1 + 2 * 0.3) / (1 + second + 2))
    skipped = [0.9 * 0.8 / (1 - 0.9 * 0.2), 0.5 * 0.8 / (1 - 0.5 * 0.2)]
    assert after[1] == pytest.approx(2 * 0.3 / (sum(skipped) + 2))
    gamma = model.update_shared(data, before, shared, expected)["examination"]
    assert gamma[0] == pytest.approx((1 + skipped[0] + 0.5) / (2 + 1))


def test_one_m_step_of_ubm_by_hand(pages):
    model = Ubm(Ubm.Options(prior_strength=2.0))
    shared = {"attractiveness_prior": 0.3, "examination": [0.9, 0.4, 0.7]}  # (1, 0), (2, 0), (2, 1)
    data, before = model.prepare(pages([([0, 1], "10"), ([0, 1], "01")])), {"attractiveness": np.array([0.4, 0.2])}
    expected = model.e_step(data, before, shared)
    first, second = 0.9 * 0.6 / (1 - 0.9 * 0.4), 0.7 * 0.8 / (1 - 0.7 * 0.2)
    after = model.m_step(data, before, shared, expected)["attractiveness"]
    assert after == pytest.approx([(1 + 0.6) / (1 + first + 2), (1 + 0.6) / (1 + second + 2)])
    gamma = model.update_shared(data, before, shared, expected)["examination"]
    assert gamma == pytest.approx([(1 + first + 0.5) / 3, (1 + 0.5) / 2, (second + 0.5) / 2])


def test_one_m_step_of_dcm_by_hand(pages):
    # One page, the first of two clicked: B_2 = 1 - a_2 = .6, Z = 1 - l_1 (1 - .6), f_2 = l_1 .6 / Z.
    model = Dcm(Dcm.Options(prior_strength=2.0))
    shared = {"attractiveness_prior": 0.3, "continuation_after_click": [0.7, 0.5]}
    data, before = model.prepare(pages([([0, 1], "10")])), {"attractiveness": np.array([0.5, 0.4])}
    expected = model.e_step(data, before, shared)
    f_2 = 0.7 * 0.6 / (1 - 0.7 * 0.4)
    after = model.m_step(data, before, shared, expected)["attractiveness"]
    assert after == pytest.approx([(1 + 0.6) / (1 + 2), 0.6 / (f_2 + 2)])
    found = model.update_shared(data, before, shared, expected)["continuation_after_click"]
    assert found == pytest.approx([(f_2 + 0.5) / 2, 0.5])


def test_one_m_step_of_ccm_by_hand(pages):
    # c_1 = alpha_2 (1 - a_1) + alpha_3 a_1; the click proved relevant given that they continued, or that they stopped.
    model = Ccm(Ccm.Options(prior_strength=2.0))
    shared = {"attractiveness_prior": 0.3, SKIP: 0.9, IRRELEVANT: 0.8, RELEVANT: 0.3}
    data, before = model.prepare(pages([([0, 1], "10")])), {"attractiveness": np.array([0.5, 0.4])}
    expected = model.e_step(data, before, shared)
    c = 0.8 * 0.5 + 0.3 * 0.5
    f_2 = c * 0.6 / (1 - c * 0.4)
    on, stop = 0.5 * 0.3 / c, 0.5 * 0.7 / (1 - c)
    relevant = f_2 * on + (1 - f_2) * stop
    after = model.m_step(data, before, shared, expected)["attractiveness"]
    assert after == pytest.approx([(1 + relevant + 0.6) / (1 + 1 + 2), 0.6 / (f_2 + 2)])
    found = model.update_shared(data, before, shared, expected)
    assert found[RELEVANT] == pytest.approx((f_2 * on + 0.5) / (relevant + 1))
    assert found[IRRELEVANT] == pytest.approx((f_2 * (1 - on) + 0.5) / (1 - relevant + 1))
    assert found[SKIP] == pytest.approx(0.5)


@pytest.mark.parametrize("kind", [Sdbn, Dcm])
def test_last_click_is_the_closed_form_under_both_readings_of_no_click(kind, pages):
    serps = pages([([0, 1, 2], clicks) for clicks in ("100", "010", "110", "000")])
    for reading, silent in (("examined", 1), ("ignored", 0)):
        strengths = {"prior_strength": 1.0} | ({"satisfaction_strength": 1.0} if kind is Sdbn else {})
        options = kind.Options(estimator="last_click", no_click=reading, **strengths)
        found = kind(options).fit(serps, corpus(kind))
        shown = np.array([3, 2, 0]) + silent
        assert found.n_examined.tolist() == shown.tolist()
        assert found.parameters["attractiveness"] == pytest.approx((np.array([2, 2, 0]) + 0.3) / (shown + 1))
        if kind is Sdbn:
            assert found.parameters["satisfaction"] == pytest.approx([1.5 / 3, 2.5 / 3, 0.5 / 1])


def test_deep_positions_share_the_contexts_of_the_deepest():
    model = Ubm(Ubm.Options())
    position, previous = (
        np.array([MAX_POSITION, MAX_POSITION + 5, 500]),
        np.array([MAX_POSITION - 2, MAX_POSITION + 3, 1]),
    )
    contexts = model.contexts(position, previous)
    assert contexts[0] == contexts[1]
    assert contexts.max() < MAX_POSITION * (MAX_POSITION + 1) // 2
    assert contexts[2] == MAX_POSITION * (MAX_POSITION - 1) // 2 + 1


def test_pages_deeper_than_any_that_was_fitted_are_predicted(random_pages):
    serps = random_pages(50, 20, 10, [10], seed=1)
    for kind in MODELS:
        model = kind(kind.Options())
        for predict in (model.predict_clicks, model.predict_conditional_clicks):
            p = predict(serps, pairs(kind, np.full(200, 0.5), np.full(200, 0.5)), corpus(kind))
            assert ((p > 0) & (p < 1)).all()
