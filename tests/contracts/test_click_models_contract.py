"""What every registered click model must do, whoever wrote it."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace

import numpy as np
import pytest

from rankhammer import plugins
from rankhammer.click_models import CorpusFit, CountedSerps, log_likelihood
from rankhammer.plugins import PluginSpec

NAMES = [info.name for info in plugins.installed() if info.group == "click_models" and not info.error]
N_CLUSTERS, N_DOCS = 8, 6
OPTIONS = {"dbn_mjolnir": {"min_docs": 1, "drop_without_click": False}}
"""The log has short pages; and what made pages without a click cannot be learned from those with one."""


def make(name):
    return plugins.create("click_models", PluginSpec(name=name, options=OPTIONS.get(name, {})))


def log(n_serps=4000, seed=3):
    """Pages of one to six documents, with clicks that fade down the page and differ between documents."""
    rng = np.random.default_rng(seed)
    cluster, length = rng.integers(N_CLUSTERS, size=n_serps), rng.integers(1, N_DOCS + 1, size=n_serps)
    order = np.argsort(rng.random((n_serps, N_DOCS)), axis=1)
    shown = np.arange(N_DOCS) < length[:, None]
    pair = (cluster[:, None] * N_DOCS + order)[shown]
    appeal = np.linspace(0.05, 0.6, N_CLUSTERS * N_DOCS)
    place = np.broadcast_to(np.arange(N_DOCS), shown.shape)[shown]
    clicked = rng.random(len(pair)) < appeal[pair] * 0.8**place
    owner = np.repeat(np.arange(N_CLUSTERS), N_DOCS)
    return CountedSerps(pair, clicked, length, np.ones(n_serps), owner)


@pytest.fixture(params=NAMES)
def model(request):
    return make(request.param)


@pytest.fixture
def fitted(model):
    shared = model.fit_corpus(log())
    return shared, model.fit(log(), shared)


def test_estimates_are_probabilities_of_every_pair(model, fitted):
    _, found = fitted
    assert set(found.parameters) == set(model.parameter_names)
    for values in (*found.parameters.values(), model.predict_relevance(found, fitted[0]).mean):
        assert values.shape == (N_CLUSTERS * N_DOCS,)
        assert ((values > 0) & (values < 1)).all()


def test_predictions_are_probabilities_of_every_cell(model, fitted):
    shared, found = fitted
    for predict in (model.predict_clicks, model.predict_conditional_clicks):
        p = predict(log(), found.parameters, shared)
        assert p.shape == log().pair.shape
        assert ((p > 0) & (p < 1)).all()


def test_unconditional_predictions_do_not_look_at_clicks(model, fitted):
    shared, found = fitted
    silent = replace(log(), clicked=np.zeros(len(log().pair), bool))
    expected = model.predict_clicks(log(), found.parameters, shared)
    assert model.predict_clicks(silent, found.parameters, shared).tolist() == expected.tolist()


def test_conditional_predictions_look_only_at_clicks_above(model, fitted):
    shared, found = fitted
    first = log().position == 1
    p = model.predict_conditional_clicks(log(), found.parameters, shared)
    assert p[first] == pytest.approx(model.predict_clicks(log(), found.parameters, shared)[first])


def test_the_log_likelihood_is_the_product_of_conditional_predictions(model, fitted):
    shared, found = fitted
    p = model.predict_conditional_clicks(log(), found.parameters, shared)
    assert log_likelihood(log(), p) * len(log().pair) == pytest.approx(found.log_likelihood)


def test_a_fit_beats_one_rate_for_all(model, fitted):
    shared, found = fitted
    p = model.predict_conditional_clicks(log(), found.parameters, shared)
    rate = np.full(len(p), log().clicked.mean())
    # Not above: the global click-through is that rate, but for the half click that keeps it off 0 and 1.
    assert log_likelihood(log(), p) > log_likelihood(log(), rate) - 1e-6


def test_sampled_clicks_have_the_predicted_rate(model, fitted):
    shared, found = fitted
    uniform = np.random.default_rng(1).random(len(log().pair))
    drawn = model.sample(log(), found.parameters, shared, uniform)
    assert drawn.mean() == pytest.approx(model.predict_clicks(log(), found.parameters, shared).mean(), abs=0.01)


def test_what_was_sampled_is_recovered(model, fitted):
    shared, found = fitted
    many = log(60_000, seed=9)
    drawn = model.sample(many, found.parameters, shared, np.random.default_rng(2).random(len(many.pair)))
    again = model.fit(replace(many, clicked=drawn), shared)
    name = model.parameter_names[0]
    assert np.abs(again.parameters[name] - found.parameters[name]).mean() < 0.02


def test_the_order_of_pages_does_not_matter(model, fitted):
    shared, found = fitted
    serps = log()
    order = np.random.default_rng(0).permutation(len(serps.length))
    cells = np.concatenate([np.arange(serps.start[row], serps.start[row] + serps.length[row]) for row in order])
    other = CountedSerps(serps.pair[cells], serps.clicked[cells], serps.length[order], serps.weight, serps.pair_cluster)
    again = model.fit(other, shared)
    for name in model.parameter_names:
        assert again.parameters[name].tolist() == found.parameters[name].tolist()


def test_a_cluster_is_fitted_the_same_in_any_company(model, fitted):
    shared, together = fitted
    serps = log()
    alone = serps.select(serps.pair_cluster[serps.pair[serps.start]] == 5)
    first = 5 * N_DOCS
    alone = replace(alone, pair=alone.pair - first, pair_cluster=np.zeros(N_DOCS, np.int64))
    single = model.fit(alone, shared)
    for name in model.parameter_names:
        assert together.parameters[name][first : first + N_DOCS].tolist() == single.parameters[name].tolist()
    assert together.n_examined[first : first + N_DOCS].tolist() == single.n_examined.tolist()
    assert together.n_iter[first : first + N_DOCS].tolist() == single.n_iter.tolist()


def test_a_fit_can_begin_where_another_ended(model, fitted):
    shared, found = fitted
    again = model.fit(log(), shared, found.parameters)
    assert (again.n_iter <= found.n_iter).all()
    for name in model.parameter_names:
        assert again.parameters[name] == pytest.approx(found.parameters[name], abs=2e-3)


def test_a_weight_counts_like_a_repetition(model, fitted):
    shared, _ = fitted
    serps = log(300)
    twice = replace(serps, weight=np.full(300, 2.0))
    cells = np.concatenate([serps.pair, serps.pair])
    doubled = CountedSerps(cells, np.tile(serps.clicked, 2), np.tile(serps.length, 2), np.ones(600), serps.pair_cluster)
    expected, again = model.fit(doubled, shared), model.fit(twice, shared)
    for name in model.parameter_names:
        assert again.parameters[name] == pytest.approx(expected.parameters[name])


def test_an_unseen_document_has_a_value_for_every_parameter(model, fitted):
    shared, _ = fitted
    assert set(model.prior_parameters(shared)) == set(model.parameter_names)


def test_evidence_moves_the_estimate_from_the_prior(model, fitted):
    shared, found = fitted
    relevance = model.predict_relevance(found, shared)
    assert (relevance.sd > 0).all()
    more = replace(log(), weight=np.full(len(log().length), 20.0))
    share = model.predict_relevance(model.fit(more, shared), shared).prior_share
    if (relevance.prior_share == 1).all():  # a floor that knows nothing of documents must never claim to
        assert (share == 1).all()
    else:
        assert ((relevance.prior_share > 0) & (relevance.prior_share < 1)).all()
        assert (share < relevance.prior_share).all()


def test_a_model_travels_to_a_worker(model):
    assert pickle.loads(pickle.dumps(model)).parameter_names == model.parameter_names


def test_what_is_shared_survives_json(model):
    shared = model.fit_corpus(log())
    assert isinstance(shared, CorpusFit)
    assert json.loads(json.dumps(shared.parameters)) == shared.parameters
    assert type(shared.log_likelihood) is float
