"""Shapley values of networks, held against their definition, and whether reasons are true."""

from __future__ import annotations

import math
from itertools import combinations, pairwise

import numpy as np
import pytest
import xgboost as xgb

from rankhammer.evaluation import network_explanations
from rankhammer.evaluation.contributions import contributions
from rankhammer.evaluation.explanations import partial_dependence, shap_values
from rankhammer.evaluation.faithfulness import Faithfulness, check_reasons, reason
from rankhammer.evaluation.network_explanations import share_out
from rankhammer.evaluation.offline_search import RankedDocument
from rankhammer.mixed_model import MixedModel, read_mixed
from rankhammer.neural_model import Input, Layer, NeuralModel

NAMES = ("title", "age", "unused", "price", "length")


def network(n_inputs: int = 4, seed: int = 1) -> NeuralModel:
    rng = np.random.default_rng(seed)
    names = NAMES if n_inputs == 4 else tuple(f"x{place}x" for place in range(n_inputs))
    used = [name for name in names if name != "unused"]
    inputs = tuple(Input(name, name == "price", 0.5, 2.0) for name in used)
    sizes = [len(used), 6, 5, 1]
    layers = tuple(
        Layer(rng.normal(size=(out, of)).astype(np.float32), rng.normal(size=out).astype(np.float32))
        for of, out in pairwise(sizes)
    )
    return NeuralModel(names, inputs, layers)


def rows(model: NeuralModel, n: int = 5) -> np.ndarray:
    return np.random.default_rng(2).lognormal(size=(n, len(model.feature_names))).astype(np.float32)


def by_definition(model: NeuralModel, row: np.ndarray) -> list[float]:
    """Sum over coalitions S without i of |S|! (n - |S| - 1)! / n! (v(S + i) - v(S)); who takes no part has the mean."""
    inputs = model.standardise(row[None, :])[0].astype(np.float64)
    n = len(inputs)

    def value(coalition):
        known = np.array([inputs[i] if i in coalition else 0.0 for i in range(n)])
        for layer in model.layers[:-1]:
            known = np.maximum(layer.weights.astype(float) @ known + layer.bias, 0)
        return float(model.layers[-1].weights[0].astype(float) @ known + model.layers[-1].bias[0])

    found = []
    for i in range(n):
        others = [j for j in range(n) if j != i]
        subsets = [set(some) for size in range(n) for some in combinations(others, size)]
        weights = [math.factorial(len(s)) * math.factorial(n - len(s) - 1) / math.factorial(n) for s in subsets]
        found.append(sum(w * (value(s | {i}) - value(s)) for w, s in zip(weights, subsets, strict=True)))
    return found


def test_shares_over_few_features_are_the_definition():
    model = network()
    data = rows(model)
    found = share_out(model, data)
    for place, row in enumerate(data):
        assert found.added[place, [0, 1, 3, 4]] == pytest.approx(by_definition(model, row), abs=1e-9)
    assert not found.added[:, 2].any()
    assert not found.standard_error.any()


def test_drawn_orders_come_near_the_definition_as_far_as_their_standard_error_says(monkeypatch):
    model = network()
    data = rows(model, 40)
    exact = share_out(model, data).added
    monkeypatch.setattr(network_explanations, "MOST_EXACT", 0)
    drawn = share_out(model, data)
    used = [0, 1, 3, 4]
    apart = np.abs(drawn.added - exact)[:, used]
    assert (apart <= 4 * drawn.standard_error[:, used] + 1e-9).mean() >= 0.95
    assert 0 < drawn.standard_error[:, used].mean() < 0.1 * np.abs(exact[:, used]).mean()


def test_shares_add_up_to_the_score_whatever_is_drawn():
    model = network(12)
    data = rows(model)
    found = shap_values(model, data, model.feature_names)
    assert found.largest_gap < 1e-5
    assert np.array_equal(share_out(model, data).added, share_out(model, data).added)
    first = contributions(model, data, model.feature_names)[0]
    assert sum(first.values()) + found.constant == pytest.approx(float(model.score(data)[0]), abs=1e-5)
    assert [abs(value) for value in first.values()] == sorted((abs(value) for value in first.values()), reverse=True)


def test_dependence_follows_the_networks_own_scores():
    model = network()
    data = rows(model)
    from rankhammer.evaluation.bootstrap import Bootstrap

    how = Bootstrap(n_resamples=10, confidence=0.9, random_state=1)
    found = partial_dependence(model, data, NAMES, "age", clusters=np.arange(5), bootstrap=how)
    changed = data.copy()
    changed[:, 1] = found[-1]["value"]
    first = data.copy()
    first[:, 1] = found[0]["value"]
    wanted = model.score(changed).mean() - model.score(first).mean()
    assert found[-1]["mean"] == pytest.approx(float(wanted), abs=1e-5)


def document(rank: int, score: float, added: dict[str, float], values: dict[str, float | None]) -> RankedDocument:
    return RankedDocument(rank, f"d{rank}", score, rank, added, {}, values)


def test_a_blend_of_trees_and_a_network_is_explained_by_the_sum_of_both():
    model = network()
    data = rows(model, 30)
    trained = xgb.train({"max_depth": 2}, xgb.DMatrix(data, data[:, 0], feature_names=list(NAMES)), 3)
    both = read_mixed(MixedModel(bytes(trained.save_raw("ubj")), model).to_bytes())
    found = shap_values(both, data, NAMES)
    assert found.largest_gap < 1e-5
    one, other = shap_values(trained, data, NAMES), shap_values(model, data, NAMES)
    assert found.added == pytest.approx(one.added + other.added)
    assert sum(contributions(both, data, NAMES)[0].values()) == pytest.approx(found.added[0].sum(), abs=1e-5)


LINEAR = NeuralModel(
    ("a", "b"),
    (Input("a", False, 0.0, 1.0), Input("b", False, 0.0, 1.0)),
    (Layer(np.array([[2.0, 1.0]], np.float32), np.zeros(1, np.float32)),),
)


def test_a_reason_is_faithful_when_the_score_moves_as_it_says():
    upper = document(1, 5.0, {"a": 4.0, "b": 1.0}, {"a": 2.0, "b": 1.0})
    lower = document(2, 4.0, {"a": 2.0, "b": 2.0}, {"a": 1.0, "b": 2.0})
    assert check_reasons(LINEAR, [upper, lower], ("a", "b")) == Faithfulness(1, 1)
    lying = document(1, 5.0, {"a": 0.0, "b": 5.0}, {"a": 2.0, "b": 1.0})
    assert check_reasons(LINEAR, [lying, lower], ("a", "b")) == Faithfulness(0, 1)
    assert check_reasons(LINEAR, [upper], ("a", "b")) == Faithfulness(0, 0)


def test_the_sentence_names_what_helps_most_and_what_speaks_against_it():
    upper = document(1, 5.0, {"a": 4.0, "b": 1.0}, {"a": 2.0, "b": None})
    lower = document(2, 4.0, {"a": 2.0, "b": 2.0}, {"a": 1.0, "b": 2.0})
    assert reason(upper, lower) == "Mainly because a is 2 and not 1 (+2.0000); b speaks against it (-1.0000)."
    assert reason(lower, document(3, 4.0, {"a": 2.0, "b": 2.0}, {})) == "Equal scores: the ids of the documents decide."
