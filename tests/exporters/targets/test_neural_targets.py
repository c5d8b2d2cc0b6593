"""A neural ranker in each target's files: what stands there, and that other rules than the engine's are seen."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from rankhammer.errors import ExportError
from rankhammer.exporters import TrainedRanker
from rankhammer.exporters.parity import check_parity
from rankhammer.exporters.targets.plain_json import PlainJson, PlainJsonOptions
from rankhammer.exporters.targets.solr_ltr import SolrLtr, SolrLtrOptions
from rankhammer.exporters.targets.solr_models import log_expression
from rankhammer.exporters.targets.vespa import Vespa, VespaOptions
from rankhammer.exporters.threshold_samples import Vectors
from rankhammer.feature_sets import FeatureSet
from rankhammer.feature_sets.expressions import evaluate_expression
from rankhammer.neural_model import Input, Layer, NeuralModel

FEATURES = FeatureSet.model_validate(
    {
        "name": "shop",
        "features": [
            {"name": "title", "type": "match", "field": "title"},
            {"name": "sold", "type": "field_value", "field": "sold", "absent": "keep"},
            {"name": "age", "type": "field_value", "field": "age"},
        ],
    }
)
SOLR = SolrLtr(SolrLtrOptions(quoted_keywords=True))
EXPORTERS = [SOLR, Vespa(VespaOptions()), PlainJson(PlainJsonOptions())]


def network(*logs: str, names=FEATURES.names) -> NeuralModel:
    rng = np.random.default_rng(4)
    inputs = tuple(Input(name, name in logs, -0.75, 1.5) for name in names)
    sizes = ((4, 3), (3, 4), (1, 3))
    layers = (Layer(rng.normal(size=of).astype(np.float32), rng.normal(size=of[0]).astype(np.float32)) for of in sizes)
    return NeuralModel(tuple(names), inputs, tuple(layers))


def rows() -> np.ndarray:
    found = np.random.default_rng(5).lognormal(size=(50, 3)).astype(np.float32)
    found[::5, 1] = np.nan
    return found


def ranker(model: NeuralModel, features: FeatureSet = FEATURES, data=None) -> TrainedRanker:
    values = np.where(np.isnan(rows()), None, rows().astype(object)).tolist() if data is None else data.tolist()
    sample = json.dumps({"feature_names": features.names, "features": values}).encode()
    return TrainedRanker("shop", model.to_bytes(), features, {"objective": "listwise_softmax"}, sample)


def vectors() -> Vectors:
    return Vectors(rows(), np.zeros(50, np.int64), {"logged": 50})


@pytest.mark.parametrize("exporter", EXPORTERS, ids=lambda one: one.target)
def test_each_scores_as_the_network_does_with_logarithms_and_absent_values(exporter):
    trained = ranker(network("sold"))
    files = exporter.write(trained)
    facts = check_parity(exporter, files, trained, vectors(), tolerance=1e-5)
    assert facts["n_traced"] == 10
    assert json.loads(json.dumps(exporter.facts(trained, files)))["missing_values"]["meaning"]


@pytest.mark.parametrize("exporter", EXPORTERS, ids=lambda one: one.target)
def test_another_weight_mean_or_logarithm_does_not_pass_the_gate(exporter):
    model = network("sold")
    first, *others = model.layers
    weights = first.weights.copy()
    weights[0] += np.float32(0.01)
    for other in (
        replace(model, layers=(Layer(weights, first.bias), *others)),
        replace(model, inputs=(replace(model.inputs[0], mean=0.75), *model.inputs[1:])),
        network(),
    ):
        with pytest.raises(ExportError, match="hidden unit"):
            check_parity(exporter, exporter.write(ranker(other)), ranker(model), vectors(), tolerance=1e-5)


def test_solr_has_standardised_features_a_function_for_each_logarithm_and_decimals_alone():
    files = SOLR.write(ranker(network("sold", "title")))
    model, store = json.loads(files["model.json"]), json.loads(files["feature_store.json"])
    assert [feature["name"] for feature in model["features"]] == ["title__ln", "sold__ln", "age"]
    assert model["features"][2]["norm"] == {
        "class": "org.apache.solr.ltr.norm.StandardNormalizer",
        "params": {"avg": "-0.75", "std": "1.5"},
    }
    assert [layer["activation"] for layer in model["params"]["layers"]] == ["relu", "relu", "identity"]
    assert [feature["name"] for feature in store] == ["title", "sold", "age", "title__ln", "sold__ln"]
    assert 'ln(sum(1.0,def(field("sold"),0.0)))' in store[-1]["params"]["q"]
    numbers = [one for layer in model["params"]["layers"] for row in (*layer["matrix"], layer["bias"]) for one in row]
    assert {type(one) for one in numbers} == {float}
    text = log_expression("age", is_sure=False)
    values = evaluate_expression(text, {"age": np.array([-3.0, 0.0, 4.0])})
    assert values == pytest.approx([-np.log(4), 0, np.log(5)])


def test_solr_refuses_what_it_cannot_have_by_name():
    with pytest.raises(ExportError, match="'title__ln' computes with"):
        SolrLtr(SolrLtrOptions()).write(ranker(network("title")))
    negative = rows()
    negative[:, 1] = -3
    with pytest.raises(ExportError, match="'sold' is an input of the network and was logged as low as -3"):
        SOLR.write(ranker(network("sold"), data=negative))
    taken = FEATURES.model_dump()["features"]
    names = ("title", "sold", "sold__ln")
    features = FeatureSet.model_validate({"name": "s", "features": [*taken[:2], {**taken[2], "name": "sold__ln"}]})
    with pytest.raises(ExportError, match="a feature 'sold__ln' for a logarithm"):
        SOLR.write(ranker(network("sold", names=names), features))


def test_a_ranker_of_other_features_is_refused():
    with pytest.raises(ExportError, match="was trained on features"):
        SOLR.write(ranker(network(names=("a", "b", "c"))))


def test_vespa_has_a_function_a_layer():
    profile = Vespa(VespaOptions()).write(ranker(network("sold")))["rank_profile.sd"].decode()
    assert "((bm25(title)) - (-0.75)) / 1.5," in profile
    assert "((log(1 + max(ltr_sold, 0)) - log(1 + max(0 - ltr_sold, 0))) - (-0.75)) / 1.5," in profile
    assert "network_weights_0 tensor<float>(d1[4],d0[3]): [[" in profile
    assert "relu(sum(constant(network_weights_1) * network_1, d1) + constant(network_bias_1))" in profile
    assert "expression: network_score" in profile
    with pytest.raises(ExportError, match="holds no network"):
        Vespa(VespaOptions()).parse({"rank_profile.sd": b"rank-profile x {}"})


def test_the_scorer_needs_nothing_but_python(tmp_path):
    trained = ranker(network("sold"))
    for name, content in PlainJson(PlainJsonOptions()).write(trained).items():
        (tmp_path / name).write_bytes(content)
    row = {"title": 2.5, "sold": None, "age": -2.5, "other": 1.0}
    code = f"import json, scorer; print(scorer.score(json.load(open('model.json')), {row}))"
    done = subprocess.run([sys.executable, "-S", "-c", code], cwd=tmp_path, capture_output=True, check=True)
    wanted = trained.opened.score(np.array([[2.5, np.nan, -2.5]], np.float32))
    assert float(done.stdout) == pytest.approx(float(wanted[0]), abs=1e-6)


def test_bounds_hold_for_what_lies_within_the_logged_values():
    form = ranker(network("sold")).form
    low, high = form.bounds()
    scores = form.network.score(rows())
    assert low < scores.min()
    assert scores.max() < high
    assert form.unproved()
    assert form.facts()["n_weights"] == 3 * 4 + 4 + 4 * 3 + 3 + 3 + 1
    assert form.facts()["hidden_units"] == [4, 3]
