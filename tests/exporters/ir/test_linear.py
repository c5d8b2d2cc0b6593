"""Rules of linear rankers in every format that takes them, scored by independent code from each engine's rules."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import xgboost as xgb

from rankhammer import plugins
from rankhammer.errors import ExportError
from rankhammer.exporters import TrainedRanker, publish
from rankhammer.exporters.ir.negative_values import never_negative
from rankhammer.exporters.parity import check_parity
from rankhammer.exporters.parity_samples import parity_vectors
from rankhammer.feature_sets import FeatureSet
from rankhammer.plugins import PluginSpec

if TYPE_CHECKING:
    from collections.abc import Callable

OPTIONS = {"solr_ltr": {"quoted_keywords": True}}
TARGETS = ["opensearch_ltr", "elasticsearch_ltr", "solr_ltr", "json"]
PLUGINS = TARGETS[:2]


def exporter(name: str, **options: Any) -> Any:
    return plugins.create("exporters", PluginSpec(name=name, options=options or OPTIONS.get(name, {})))


def stored(files: dict[str, bytes]) -> list[dict[str, Any]]:
    return json.loads(files["feature_set.json"])["featureset"]["features"]


def model_of(files: dict[str, bytes]) -> dict[str, Any]:
    return json.loads(files["model.json"])["model"]["model"]


def plugin_score(files: dict[str, bytes], document: dict[str, float]) -> float:
    """LinearRanker: one 32-bit weight a stored feature, 0 where none is named; a feature without a value is 0."""
    model, names = model_of(files), [feature["name"] for feature in stored(files)]
    assert model["type"] == "model/linear"
    weights = json.loads(model["definition"])
    assert set(weights) <= set(names)
    assert all(type(weight) is float for weight in weights.values())
    total = np.float32(0)
    for name in names:
        value = 1.0 if name == "_constant" else document.get(name, 0.0)
        total += np.float32(weights.get(name, 0)) * np.float32(value)
    return float(total - np.float32(weights.get("_constant", 0)))


def solr_score(files: dict[str, bytes], document: dict[str, float]) -> float:
    """LinearModel: every feature of the model needs a weight, a JSON number; an absent feature is 0."""
    model, store = (json.loads(files[name]) for name in ("model.json", "feature_store.json"))
    assert model["class"] == "org.apache.solr.ltr.model.LinearModel"
    names, weights = [feature["name"] for feature in model["features"]], model["params"]["weights"]
    assert names == [feature["name"] for feature in store]
    assert {name: type(weight) for name, weight in weights.items()} == dict.fromkeys(names, float)
    total = np.float32(0)
    for name in names:
        total += np.float32(weights[name]) * np.float32(document.get(name, 0.0))
    return float(total)


def json_score(files: dict[str, bytes], document: dict[str, float]) -> float:
    """The file's own scorer, run as a file of its own."""
    scope: dict[str, Any] = {}
    exec(files["scorer.py"], scope)
    return float(scope["score"](json.loads(files["model.json"]), document))


SCORERS = dict(zip(TARGETS, (plugin_score, plugin_score, solr_score, json_score), strict=True))


def vectors_of(ranker: TrainedRanker) -> Any:
    return parity_vectors(ranker.logged[0], ranker, n_vectors=100, n_ties=100)


def check(name: str, files: dict[str, bytes], ranker: TrainedRanker) -> dict[str, Any]:
    return check_parity(exporter(name), files, ranker, vectors_of(ranker), tolerance=1e-5)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("keep", [(), ("popularity",)])
def test_an_engines_score_is_the_boosters_on_logged_and_absent_features(
    make_linear: Callable[..., Any], target: str, keep: tuple[str, ...]
) -> None:
    trained = make_linear(keep=keep)
    ranker, names = trained.ranker, trained.ranker.feature_set.names
    files, rows = exporter(target).write(ranker), vectors_of(ranker).features
    wanted = ranker.booster.predict(xgb.DMatrix(rows), validate_features=False)

    assert exporter(target).score(files, rows, names) == pytest.approx(wanted, abs=1e-5)
    for row, expected in zip(rows.tolist(), wanted, strict=True):
        document = {name: value for name, value in zip(names, row, strict=True) if value == value}
        assert SCORERS[target](files, document) == pytest.approx(float(expected), abs=1e-5)
    assert np.isnan(rows).any() == bool(keep)
    assert (wanted == 0).any()


@pytest.mark.parametrize("target", TARGETS)
def test_the_gate_passes_and_walks_some_vectors_term_by_term(linear: Any, target: str) -> None:
    facts = check(target, exporter(target).write(linear.ranker), linear.ranker)

    assert facts["n_vectors"] == {"logged": 100, "absent": 24, "tie": 0, "all": 124}
    assert facts["max_abs_difference"] <= 1e-6
    assert (facts["order_kept"], facts["n_traced"], facts["passed"]) == (1.0, 10, True)


def changed(files: dict[str, bytes], target: str, name: str, weight: float | None) -> dict[str, bytes]:
    """Return files with another weight of a feature, or without one (None)."""
    body = json.loads(files["model.json"])
    if target == "json":
        body["weights"][body["features"].index(name)] = weight or 0.0
    elif target == "solr_ltr":
        body["params"]["weights"][name] = weight or 0.0
    else:
        weights = json.loads(body["model"]["model"]["definition"]) | {name: weight}
        body["model"]["model"]["definition"] = json.dumps({n: w for n, w in weights.items() if w is not None})
    return {**files, "model.json": json.dumps(body).encode()}


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("name", ["title_match", "mixed"])
def test_a_wrong_weight_is_caught_and_the_feature_named(linear: Any, target: str, name: str) -> None:
    files = exporter(target).write(linear.ranker)

    with pytest.raises(ExportError, match=rf"Feature '{name}' = [\d.e+]+: the export adds .*\(weight 0\.75\), the"):
        check(target, changed(files, target, name, 0.75), linear.ranker)
    with pytest.raises(ExportError, match=rf"Feature '{name}' = .*: the export adds 0\.0 "):
        check(target, changed(files, target, name, None), linear.ranker)


def test_a_second_sum_that_disagrees_is_caught(linear: Any) -> None:
    chosen = exporter("json")
    chosen.trace = lambda files, rows, names: type(chosen).trace(chosen, files, rows * 1.01, names)

    with pytest.raises(ExportError, match="walked step by step"):
        check_parity(chosen, chosen.write(linear.ranker), linear.ranker, vectors_of(linear.ranker), tolerance=1e-5)


@pytest.mark.parametrize("target", PLUGINS)
def test_only_features_with_a_weight_are_stored_and_what_they_compute_with_before_them(
    make_linear: Callable[..., Any], linear: Any, target: str
) -> None:
    files = exporter(target).write(make_linear(truth=(0, 0, 1, 0, 0), non_negative=True).ranker)
    assert [feature["name"] for feature in stored(files)] == ["popularity"]
    names = [feature["name"] for feature in stored(exporter(target).write(linear.ranker))]
    assert names == ["title_match", "body_phrase", "popularity", "mixed", "_constant"]
    weights = json.loads(model_of(exporter(target).write(linear.ranker))["definition"])
    assert set(weights) == {"title_match", "popularity", "mixed", "_constant"}


def test_a_constant_lifts_every_score_of_values_within_the_logged_ones(linear: Any) -> None:
    files, chosen = exporter("opensearch_ltr").write(linear.ranker), exporter("opensearch_ltr")
    constant = json.loads(model_of(files)["definition"])["_constant"]
    ends = np.array(np.meshgrid(*np.stack([linear.features.min(0) * 0, linear.features.max(0)]).T)).reshape(5, -1).T
    scores = chosen.score(files, ends.astype(np.float32), linear.ranker.feature_set.names)
    facts = chosen.facts(linear.ranker, files)

    assert 0 <= scores.min() + constant < 1
    assert stored(files)[-1]["template"] == {"match_all": {}}
    assert facts["constant"] == constant == int(constant)
    assert "_constant" not in facts["features"]
    assert facts["score_resolution"] >= np.spacing(np.float32(scores.max() + constant))
    (warning,) = facts["warnings"]
    assert "'popularity' (-" in warning
    assert "title_match" not in warning
    assert "non_negative: true" in warning


def test_a_document_without_any_feature_counts_for_the_bounds(linear: Any) -> None:
    names = list(linear.ranker.feature_set.names)
    sample = json.dumps({"feature_names": names, "features": [[2.0] * 5, [3.0] * 5]}).encode()
    form = replace(linear.ranker, sample=sample).form

    wanted = [3 * form.weights.clip(max=0).sum(), 3 * form.weights.clip(min=0).sum()]
    assert form.bounds() == pytest.approx(wanted, abs=1e-4)


def test_a_score_below_zero_is_refused_when_the_constant_is_too_small(linear: Any) -> None:
    files = changed(exporter("opensearch_ltr").write(linear.ranker), "opensearch_ltr", "_constant", 0.0)

    with pytest.raises(ExportError, match="below zero"):
        check("opensearch_ltr", files, linear.ranker)


def test_without_a_negative_weight_there_is_neither_constant_nor_warning(make_linear: Callable[..., Any]) -> None:
    ranker = make_linear(non_negative=True).ranker
    files = exporter("opensearch_ltr").write(ranker)

    assert "_constant" not in {feature["name"] for feature in stored(files)}
    facts = exporter("opensearch_ltr").facts(ranker, files)
    assert (facts["constant"], facts["warnings"]) == (0.0, [])


@pytest.mark.parametrize(
    ("definition", "words"),
    [({"nope": 1.0}, "of feature 'nope'"), ({"title_match": "1"}, "weight '1'"), ({"title_match": True}, "True")],
)
def test_a_definition_that_the_plugin_would_refuse_is_not_scored(linear: Any, definition: Any, words: str) -> None:
    files = exporter("opensearch_ltr").write(linear.ranker)
    body = json.loads(files["model.json"])
    body["model"]["model"]["definition"] = json.dumps(definition)

    with pytest.raises(ExportError, match=words):
        check("opensearch_ltr", {**files, "model.json": json.dumps(body).encode()}, linear.ranker)


@pytest.mark.parametrize("target", ["ranklib", "elastic_native", "vespa"])
def test_a_target_that_takes_trees_alone_says_which_take_weights(linear: Any, target: str) -> None:
    with pytest.raises(ExportError, match=f"^{target}.* takes trees.* alone, and the ranker of .* is linear") as caught:
        exporter(target).write(linear.ranker)
    assert all(name in caught.value.hint for name in TARGETS)


def with_model(ranker: TrainedRanker, change: Callable[[dict[str, Any]], Any]) -> TrainedRanker:
    body = json.loads(bytes(ranker.booster.save_raw("json")))
    change(body["learner"])
    return replace(ranker, model=bytes(xgb.Booster(model_file=bytearray(json.dumps(body).encode())).save_raw("ubj")))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda learner: learner["gradient_booster"]["model"]["weights"].__setitem__(-1, 0.5), "intercept of 0.5"),
        (lambda learner: learner["learner_model_param"].__setitem__("base_score", "[2E0]"), "intercept of 2"),
        (lambda learner: learner["feature_names"].__setitem__(0, "other"), "trained on features"),
    ],
)
def test_a_linear_booster_that_no_engine_can_score_is_refused(linear: Any, change: Any, words: str) -> None:
    with pytest.raises(ExportError, match=words):
        exporter("json").write(with_model(linear.ranker, change))


def test_a_linear_booster_of_xgboosts_own_training_is_exported_alike() -> None:
    rows = np.random.default_rng(1).random((80, 2)).astype(np.float32)
    data = xgb.DMatrix(rows, rows @ [2.0, 1.0], feature_names=["a", "b"], feature_types=["float", "float"])
    settings = {"booster": "gblinear", "updater": "coord_descent", "base_score": 0, "nthread": 1}
    booster = xgb.train(settings, data, 20)
    declared = [{"type": "field_value", "name": name, "field": name} for name in "ab"]
    sample = json.dumps({"feature_names": ["a", "b"], "features": rows.tolist()}).encode()
    feature_set = FeatureSet.model_validate({"name": "two", "features": declared})
    ranker = TrainedRanker("main", bytes(booster.save_raw("ubj")), feature_set, {}, sample)
    no_intercept = with_model(
        ranker, lambda learner: learner["gradient_booster"]["model"]["weights"].__setitem__(-1, 0.0)
    )

    for target in TARGETS:
        files = exporter(target).write(no_intercept)
        assert check(target, files, no_intercept)["max_abs_difference"] <= 1e-6


def test_a_query_that_cannot_score_below_zero_does_not_serve_a_feature_that_was_logged_below(
    make_linear: Callable[..., Any],
) -> None:
    ranker = make_linear(lowest=-1.0).ranker

    with pytest.raises(ExportError, match="cannot score below zero, but 'popularity' has a weight and was logged as"):
        exporter("solr_ltr").write(ranker)
    facts = exporter("opensearch_ltr").facts(ranker, exporter("opensearch_ltr").write(ranker))
    assert any("field 'popularity' of a document is negative" in warning for warning in facts["warnings"])


@pytest.mark.parametrize(
    ("expression", "sure"),
    [
        ("title + 2 * sold", True),
        ("max(title - sold, 0)", True),
        ("ln(1 + sold) / 3", True),
        ("log10(sold + 1)", True),
        ("sqrt(title - sold) + abs(0 - sold)", True),
        ("min(title, sold)", True),
        ("title - sold", False),
        ("-title", False),
        ("ln(sold)", False),
        ("ln(0.5 + sold)", False),
        ("min(title - sold, 1)", False),
        ("max(title - sold, -1)", False),
        ("title * (title - sold)", False),
    ],
)
def test_an_expression_is_never_negative_where_its_form_shows_it(expression: str, sure: bool) -> None:
    declared = [
        {"type": "match", "name": "title", "field": "title"},
        {"type": "field_value", "name": "sold", "field": "sold"},
        {"type": "expression", "name": "both", "expression": expression},
    ]
    feature_set = FeatureSet.model_validate({"name": "tested", "features": declared})

    assert never_negative(feature_set) == {"title", "sold"} | ({"both"} if sure else set())


def test_what_is_published_says_what_it_is(linear: Any) -> None:
    exporters, checks = [exporter(name) for name in TARGETS], publish.Checks(1e-5, 50, 50)
    first, second = (publish.export_corpus("de", linear.folder(), exporters, lineage={}, checks=checks) for _ in "12")

    assert first == second
    for entry in publish.report(first)["de"]["targets"]:
        manifest = json.loads(first[f"{entry['folder']}/manifest.json"])
        assert (entry["model"], entry["n_weights"], "n_trees" in entry) == ("linear", 3, False)
        assert (manifest["objective"], manifest["base_score"]) == ("listwise_softmax", 0.0)
        assert manifest["missing_values"]["rule"] == ("default" if manifest["target"] == "json" else "zero")
    types = [json.loads(first[f"de/{exporter(name).target}/manifest.json"]).get("model_type") for name in TARGETS]
    assert types == ["model/linear", "model/linear", "LinearModel", None]
