"""Rules of the files for Solr, with a scorer written after Solr's documentation and what 8.11.4 was seen to do."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import xgboost as xgb

from rankhammer.errors import ConfigError, ExportError
from rankhammer.exporters import TrainedRanker
from rankhammer.exporters.parity import check_parity
from rankhammer.exporters.parity_samples import parity_vectors
from rankhammer.exporters.targets.solr_ltr import SolrLtr, SolrLtrOptions
from rankhammer.exporters.targets.solr_models import solr_thresholds
from rankhammer.exporters.threshold_samples import Vectors
from rankhammer.feature_sets import FeatureSet

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

MATCH = {"type": "match", "name": "title_match", "field": "title"}
SOLD = {"type": "field_value", "name": "sold", "field": "sold"}


def exporter(**options: Any) -> SolrLtr:
    return SolrLtr(SolrLtrOptions(**options))


def solr_score(model: dict[str, Any], document: dict[str, np.float32]) -> np.float32:
    """Score as MultipleAdditiveTreesModel: a value goes left up to threshold + 1e-6, in float32, trees in order."""
    total = np.float32(0)
    for tree in model["params"]["trees"]:
        node = tree["root"]
        while "value" not in node:
            limit = np.float32(node["threshold"]) + np.float32(1e-6)
            node = node["left"] if document.get(node["feature"], np.float32(0)) <= limit else node["right"]
        total += np.float32(tree["weight"]) * np.float32(node["value"])
    return total


def documents(trained: Any) -> list[dict[str, np.float32]]:
    return [dict(zip(trained.ranker.feature_set.names, row, strict=True)) for row in trained.features]


def store(files: dict[str, bytes]) -> dict[str, Any]:
    return {one["name"]: one for one in json.loads(files["feature_store.json"])}


def test_an_independent_scorer_gives_the_boosters_scores_to_the_last_bit_on_hostile_vectors(hostile: Any) -> None:
    files = exporter().write(hostile.ranker)
    model = json.loads(files["model.json"])

    scores = [solr_score(model, document) for document in documents(hostile)]

    np.testing.assert_array_equal(scores, hostile.margins)
    ours = exporter().score(files, hostile.features, hostile.ranker.feature_set.names)
    np.testing.assert_array_equal(ours, hostile.margins)


def test_the_independent_scorer_notices_thresholds_as_the_booster_has_them(hostile: Any) -> None:
    text = exporter().write(hostile.ranker)["model.json"].decode()
    forest = hostile.ranker.forest
    parsed = solr_thresholds(forest.threshold)
    for place in forest.splits.tolist():
        text = text.replace(f'"threshold":"{parsed[place]!s}"', f'"threshold":"{forest.threshold[place]!s}"')

    scores = [solr_score(json.loads(text), document) for document in documents(hostile)]

    assert np.mean(np.array(scores) != hostile.margins) > 0.5


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3, 1e7])
def test_a_threshold_above_1e_4_is_met_exactly(scale: float) -> None:
    trained = (np.random.default_rng(1).normal(size=3000) * scale).astype(np.float32)
    trained = np.abs(trained[np.abs(trained) > 1e-4])

    compared = solr_thresholds(trained) + np.float32(1e-6)

    np.testing.assert_array_equal(compared, np.nextafter(trained, np.float32(-np.inf)))


@pytest.mark.parametrize("scale", [0.0, 1e-12, 1e-9, 1e-6, 1e-5, 1e-3, 1.0, 1e7])
def test_a_threshold_of_any_size_never_sends_a_tie_left_and_misses_by_less_than_1e_12(scale: float) -> None:
    trained = (np.random.default_rng(1).normal(size=3000) * scale).astype(np.float32)

    compared = solr_thresholds(trained) + np.float32(1e-6)

    assert (compared < trained).all()
    assert (trained.astype(float) - compared < np.maximum(1e-12, 2.1 * np.spacing(np.abs(trained)))).all()


def test_numbers_are_strings_and_the_base_score_is_the_first_tree(hostile: Any) -> None:
    trees = json.loads(exporter().write(hostile.ranker)["model.json"])["params"]["trees"]

    assert trees[0] == {"weight": "1", "root": {"value": "0.3"}}
    assert len(trees) == 1 + 40
    root = trees[1]["root"]
    assert root.keys() == {"feature", "threshold", "left", "right"}
    assert isinstance(root["threshold"], str)


def test_each_feature_type_has_its_class(hostile: Any) -> None:
    stored = store(exporter().write(hostile.ranker))
    name = "org.apache.solr.ltr.feature."

    assert {one["class"] for one in stored.values()} == {name + kind for kind in CLASSES}
    assert stored["grid"]["params"] == {"q": "{!simple qf=title q.operators='' q.op=OR}${keywords}"}
    assert stored["n_terms"]["params"] == {"value": "${query_length_english}", "required": True}
    assert stored["is_new"]["params"] == {"field": "is_new", "defaultValue": 0.0}
    logarithm = 'log(sum(1.0,def(field("popularity"),0.0)))'
    assert stored["skewed"]["params"] == {"q": f"{{!func}}max(0,{finite(logarithm)})"}


def finite(function: str) -> str:
    return f"if(lte(abs({function}),3.4028235e+38),{function},0)"


CLASSES = ("SolrFeature", "ValueFeature", "FieldValueFeature")


def test_a_phrase_goes_through_the_field_parser(make_ranker: Callable[..., Any]) -> None:
    features = ({"type": "phrase", "name": "title_phrase", "field": "title"},)

    stored = store(exporter().write(make_ranker(features=features).ranker))

    assert stored["title_phrase"]["params"] == {"q": "{!field f=title}${keywords}"}


def test_an_expression_over_fields_and_query_length_is_a_function_query(make_ranker: Callable[..., Any]) -> None:
    length = {"type": "query_length", "name": "n_terms"}
    mixed = {"type": "expression", "name": "mixed", "expression": "ln(1 + sold) / max(n_terms, 2) - -1"}

    stored = store(exporter().write(make_ranker(features=(SOLD, length, mixed)).ranker))

    function = 'sub(div(ln(sum(1.0,def(field("sold"),0.0))),max(${query_length_english},2.0)),product(-1,1.0))'
    assert stored["mixed"]["params"]["q"] == f"{{!func}}max(0,{finite(function)})"


def test_expressions_over_expressions_that_would_be_too_long_are_refused(make_ranker: Callable[..., Any]) -> None:
    names = ["sold", *(f"e{number}" for number in range(12))]
    deep = [{"type": "expression", "name": b, "expression": f"ln({a}) / 2"} for a, b in pairwise(names)]

    with pytest.raises(ExportError, match=r"'e\d+': its function query has [\d,]+ characters"):
        exporter().write(make_ranker("reg:squarederror", n_trees=40, features=(SOLD, *deep)).ranker)


def test_an_expression_over_text_is_refused_unless_the_client_quotes_it(make_ranker: Callable[..., Any]) -> None:
    mixed = {"type": "expression", "name": "mixed", "expression": "title_match * sold"}
    ranker = make_ranker(features=(MATCH, SOLD, mixed)).ranker

    with pytest.raises(ExportError, match=r"'mixed' computes with \['title_match'\]"):
        exporter().write(ranker)

    files = exporter(quoted_keywords=True).write(ranker)
    function = (
        "product(def(query({!simple qf=title q.operators='' q.op=OR v='${keywords_quoted}'}),0),"
        'def(field("sold"),0.0))'
    )
    assert store(files)["mixed"]["params"]["q"] == f"{{!func}}max(0,{finite(function)})"
    params = json.loads(files["rerank_query.json"])["params"]
    assert "efi.keywords_quoted=$keywords_quoted" in params["rq"]
    assert "keywords_quoted" in exporter().facts(ranker, files)["query_params"]


def test_the_example_query_passes_each_parameter_by_reference(hostile: Any) -> None:
    files = exporter(rerank_docs=50).write(hostile.ranker)
    model = json.loads(files["model.json"])["name"]

    params = json.loads(files["rerank_query.json"])["params"]

    efi = "efi.keywords=$keywords efi.query_length_english=$query_length_english"
    assert params["rq"] == f"{{!ltr model={model} reRankDocs=$rerank_docs {efi}}}"
    assert params["rerank_docs"] == 50
    assert params["q"] == "{!simple qf='title body' q.operators='' q.op=OR v=$keywords}"
    assert {"keywords", "query_length_english"} <= params.keys()


def test_store_model_and_features_bear_one_name_that_follows_the_content(
    hostile: Any, make_ranker: Callable[..., Any]
) -> None:
    files, other = (exporter().write(one) for one in (hostile.ranker, make_ranker(features=(SOLD,)).ranker))
    model = json.loads(files["model.json"])

    assert model["name"] == model["store"] != json.loads(other["model.json"])["name"]
    assert {one["store"] for one in store(files).values()} == {model["store"]}
    assert [one["name"] for one in model["features"]] == list(store(files))


def test_a_feature_that_may_be_absent_is_refused_where_0_would_go_elsewhere(make_ranker: Callable[..., Any]) -> None:
    ranker = make_ranker("reg:squarederror", keep=("sold",), n_trees=30, features=(MATCH, SOLD)).ranker

    with pytest.raises(ExportError, match=r"tree \d+, node \d+ .*'sold'"):
        exporter().write(ranker)


def test_one_field_with_two_analyzers_is_refused(make_ranker: Callable[..., Any]) -> None:
    exact = {"type": "match", "name": "title_exact", "field": "title", "analyzer": "standard"}

    with pytest.raises(ConfigError, match="'title_match' and 'title_exact' search the engine's field 'title'"):
        exporter().write(make_ranker(features=(MATCH, exact)).ranker)


@pytest.mark.parametrize("kind", ["match", "phrase", "field_value"])
def test_a_field_name_that_means_something_in_a_query_is_refused(make_ranker: Callable[..., Any], kind: str) -> None:
    features = ({"type": kind, "name": "odd", "field": "title} _query_:x"},)

    with pytest.raises(ExportError, match="'odd'"):
        exporter().write(make_ranker(features=features).ranker)


def around_zero(**feature: Any) -> tuple[TrainedRanker, NDArray[np.float32]]:
    """Train on -1, 0 and 1, so that one threshold is 0."""
    rows = np.tile(np.array([[-1], [0], [1]], np.float32), (40, 1))
    data = xgb.DMatrix(rows, rows[:, 0] * 2, feature_names=["signed"], feature_types=["float"])
    booster = xgb.train({"max_depth": 2, "nthread": 1, "tree_method": "hist"}, data, 4)
    feature_set = FeatureSet.model_validate({"name": "signed", "features": [{"name": "signed", **feature}]})
    return TrainedRanker("main", bytes(booster.save_raw("ubj")), feature_set, {}), rows


def test_a_threshold_of_zero_passes_the_gate_with_the_undecided_vectors_counted() -> None:
    ranker, rows = around_zero(type="field_value", field="signed")
    assert 0 in ranker.forest.threshold[ranker.forest.splits]
    sample = Vectors(rows, np.zeros(len(rows), np.int64), {"logged": len(rows)})
    vectors = parity_vectors(sample, ranker, n_vectors=100, n_ties=100)

    files = exporter().write(ranker)
    facts = check_parity(exporter(), files, ranker, vectors, tolerance=1e-5)

    assert facts["max_abs_difference"] == 0
    assert 0 < facts["n_undecided"] < facts["n_vectors"]["tie"]
    assert any("met exactly" in warning for warning in exporter().facts(ranker, files)["warnings"])


def test_a_logged_value_just_below_a_threshold_of_zero_is_not_left_out() -> None:
    ranker, _ = around_zero(type="field_value", field="signed")
    rows = np.array([[-1e-20]], np.float32)
    logged = Vectors(rows, np.zeros(1, np.int64), {"logged": 1})

    with pytest.raises(ExportError, match="feature 'signed'"):
        check_parity(exporter(), exporter().write(ranker), ranker, logged, tolerance=1e-5)


def test_a_function_query_that_training_saw_below_zero_is_refused() -> None:
    ranker, _ = around_zero(type="expression", expression="0 - 1")

    with pytest.raises(ExportError, match="cannot score below zero"):
        exporter().write(ranker)


def test_a_large_model_warns_of_the_heap(hostile: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    files = exporter().write(hostile.ranker)
    assert exporter().facts(hostile.ranker, files)["warnings"] == []
    monkeypatch.setattr("rankhammer.exporters.targets.solr_ltr.LARGE_BYTES", 1000)

    (warning,) = exporter().facts(hostile.ranker, files)["warnings"]

    assert "heap" in warning


def test_requests_name_the_collection_in_the_order_of_loading(hostile: Any) -> None:
    shop = exporter(collection="shop")
    files = shop.write(hostile.ranker)

    requests = shop.facts(hostile.ranker, files)["requests"]

    assert [one["path"] for one in requests] == [
        "/solr/shop/schema/feature-store",
        "/solr/shop/schema/model-store",
        "/solr/shop/select",
    ]
    assert [one["body"] for one in requests] == list(files)
