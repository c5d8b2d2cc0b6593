"""Rules of Elasticsearch's trained models, with a scorer written after its tree and ensemble definitions."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from rankhammer.errors import ExportError
from rankhammer.exporters.targets.elastic_native import ElasticNative, ElasticNativeOptions

if TYPE_CHECKING:
    from collections.abc import Callable

MATCH = {"type": "match", "name": "title_match", "field": "title"}
SOLD = {"type": "field_value", "name": "sold", "field": "it's sold", "modifier": "ln1p", "missing": 2.0}
LENGTH = {"type": "query_length", "name": "n_terms"}


def exporter(**options: Any) -> ElasticNative:
    return ElasticNative(ElasticNativeOptions(**options))


def body_of(files: dict[str, bytes]) -> dict[str, Any]:
    return json.loads(files["trained_model.json"])


def elastic_score(body: dict[str, Any], document: dict[str, float]) -> float:
    """Score an ensemble in 64-bit floats: left when value < threshold; the aggregate is a weighted sum."""
    ensemble = body["definition"]["trained_model"]["ensemble"]
    weights = ensemble["aggregate_output"]["weighted_sum"]["weights"]
    values = []
    for model in ensemble["trained_models"]:
        tree = model["tree"]
        node = tree["tree_structure"][0]
        while "leaf_value" not in node:
            assert node["decision_type"] == "lt"
            value = document.get(tree["feature_names"][node["split_feature"]])
            left = node["default_left"] if value is None else value < node["threshold"]
            node = tree["tree_structure"][node["left_child" if left else "right_child"]]
        values.append(node["leaf_value"])
    return sum(weight * value for weight, value in zip(weights, values, strict=True))


def extractors(files: dict[str, bytes]) -> dict[str, Any]:
    found = body_of(files)["inference_config"]["learning_to_rank"]["feature_extractors"]
    return {one["query_extractor"]["feature_name"]: one["query_extractor"]["query"] for one in found}


def test_an_independent_scorer_gives_the_boosters_scores_on_hostile_vectors(hostile: Any) -> None:
    files = exporter().write(hostile.ranker)
    names = hostile.ranker.feature_set.names

    rows = hostile.features.tolist()
    scores = [elastic_score(body_of(files), dict(zip(names, row, strict=True))) for row in rows]

    # The only difference is that the booster adds up in 32 bits.
    np.testing.assert_allclose(scores, hostile.margins, rtol=0, atol=1e-5)
    np.testing.assert_allclose(exporter().score(files, hostile.features, names), scores, rtol=0, atol=1e-12)


def test_the_independent_scorer_notices_thresholds_with_few_digits(hostile: Any) -> None:
    body = body_of(exporter().write(hostile.ranker))
    for model in body["definition"]["trained_model"]["ensemble"]["trained_models"]:
        for node in model["tree"]["tree_structure"]:
            if "threshold" in node:
                node["threshold"] = float(str(np.float32(node["threshold"])))
    names = hostile.ranker.feature_set.names

    rows = hostile.features.tolist()
    scores = [elastic_score(body, dict(zip(names, row, strict=True))) for row in rows]

    assert np.abs(scores - hostile.margins).max() > 1e-3


def test_an_absent_feature_scores_alike_as_0_and_by_default_direction(absent_left: Any) -> None:
    body = body_of(exporter().write(absent_left.ranker))

    scores = [elastic_score(body, document) for document in ({}, {"title_match": 0.0})]

    assert np.isnan(absent_left.features[0, 0])
    np.testing.assert_allclose(scores, absent_left.margins[[0, 0]], rtol=0, atol=1e-6)


def test_a_ranker_trained_on_absent_values_that_go_elsewhere_is_refused(make_ranker: Callable[..., Any]) -> None:
    with pytest.raises(ExportError, match="was trained to send an absent"):
        exporter().write(make_ranker("reg:squarederror", keep=("title_match",), n_trees=30, features=(MATCH,)).ranker)


def test_the_body_is_a_tree_ensemble_for_learning_to_rank(hostile: Any) -> None:
    body = body_of(exporter().write(hostile.ranker))
    ensemble = body["definition"]["trained_model"]["ensemble"]
    trees = [model["tree"] for model in ensemble["trained_models"]]

    assert body["model_type"] == "tree_ensemble"
    assert body["input"]["field_names"] == ensemble["feature_names"] == trees[0]["feature_names"]
    assert {tree["target_type"] for tree in [*trees, ensemble]} == {"regression"}
    assert trees[0]["tree_structure"] == [{"node_index": 0, "leaf_value": float(np.float32(0.3))}]
    for tree in trees:
        assert [node["node_index"] for node in tree["tree_structure"]] == list(range(len(tree["tree_structure"])))


def test_nodes_that_pruning_cut_off_are_not_written(make_ranker: Callable[..., Any]) -> None:
    features = (MATCH, SOLD, LENGTH)
    trained = make_ranker("reg:squarederror", tree_method="exact", gamma=3.0, max_depth=5, features=features)
    forest, names = trained.ranker.forest, trained.ranker.feature_set.names
    assert (forest.depth < 0).any()

    body = body_of(exporter().write(trained.ranker))

    trees = [one["tree"] for one in body["definition"]["trained_model"]["ensemble"]["trained_models"]]
    assert sum(len(tree["tree_structure"]) for tree in trees) == 1 + (forest.depth >= 0).sum()
    scores = [elastic_score(body, dict(zip(names, row, strict=True))) for row in trained.features.tolist()]
    np.testing.assert_allclose(scores, trained.margins, rtol=0, atol=1e-5)


def test_each_feature_is_a_query_that_every_document_matches(make_ranker: Callable[..., Any]) -> None:
    found = extractors(exporter().write(make_ranker(features=(MATCH, SOLD, LENGTH)).ranker))

    match = {"match": {"title": {"query": "{{keywords}}", "analyzer": "english"}}}
    assert found["title_match"] == {"bool": {"must": [{"match_all": {"boost": 0}}], "should": [match]}}
    assert found["sold"]["function_score"]["query"] == {"match_all": {}}
    assert found["n_terms"] == {"match_all": {"boost": "{{query_length_english}}"}}


def test_an_expression_over_one_text_is_a_script_on_its_score(make_ranker: Callable[..., Any]) -> None:
    half = {"type": "expression", "name": "half", "expression": "sold / n_terms"}
    mixed = {"type": "expression", "name": "mixed", "expression": "max(title_match, half) - 0.5"}
    ranker = make_ranker("reg:squarederror", n_trees=40, features=(MATCH, SOLD, LENGTH, half, mixed)).ranker

    script = extractors(exporter().write(ranker))["mixed"]["script_score"]

    assert script["query"]["bool"]["should"][0]["match"]["title"]["query"] == "{{keywords}}"
    field = "doc['it\\'s sold']"
    sold = f"Math.log((1.0 + ({field}.size() == 0 ? 2.0 : {field}.value)))"
    assert script["script"] == {
        "source": f"double v0 = {sold}; v0 = Math.abs(v0) <= 3.4028235e+38 ? v0 : 0; "
        "double v1 = (v0 / Double.parseDouble(params.query_length_english)); "
        "v1 = Math.abs(v1) <= 3.4028235e+38 ? v1 : 0; "
        "double v = (Math.max(_score, v1) - 0.5); return v > 0 && v <= 3.4028235e+38 ? v : 0;",
        "params": {"query_length_english": "{{query_length_english}}"},
    }


BODY = {"type": "match", "name": "body_match", "field": "body"}


def query_score(query: dict[str, Any], scores: dict[str, float]) -> float:
    """Score a compound query, given each field's own match score: must adds up, dis_max takes the largest."""
    kind, body = next(iter(query.items()))
    if kind == "match_all":
        return body.get("boost", 1.0)
    if kind == "match":
        return scores[next(iter(body))]
    if kind == "dis_max":
        return max(query_score(inner, scores) for inner in body["queries"])
    parts = [*body.get("must", []), *body.get("should", [])]
    return body.get("boost", 1.0) * sum(query_score(inner, scores) for inner in parts)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("title_match + body_match", 3.0 + 5.0),
        ("max(title_match, body_match) + 0.1 * (title_match + body_match)", 5.0 + 0.1 * (3.0 + 5.0)),
        ("max(title_match * 2 + 1, body_match)", 3.0 * 2 + 1),
    ],
)
def test_sums_multiples_and_largest_of_several_texts_are_a_compound_query(
    make_ranker: Callable[..., Any], expression: str, expected: float
) -> None:
    both = {"type": "expression", "name": "both", "expression": expression}
    ranker = make_ranker("reg:squarederror", features=(MATCH, BODY, both)).ranker

    query = extractors(exporter().write(ranker))["both"]

    assert query_score(query, {"title": 3.0, "body": 5.0}) == pytest.approx(expected)


@pytest.mark.parametrize("expression", ["title_match / body_match", "title_match - body_match", "ln(title_match) + 1"])
def test_other_expressions_over_two_texts_are_refused(make_ranker: Callable[..., Any], expression: str) -> None:
    both = {"type": "expression", "name": "both", "expression": f"{expression} + body_match"}

    with pytest.raises(ExportError, match=r"\['title_match', 'body_match'\]: Elasticsearch can add up"):
        exporter().write(make_ranker(features=(MATCH, BODY, both)).ranker)


def test_requests_and_example_name_one_model(hostile: Any) -> None:
    chosen = exporter(index="shop", window_size=5)
    files = chosen.write(hostile.ranker)
    query = json.loads(files["rescore_query.json"])
    model_id = query["rescore"]["learning_to_rank"]["model_id"]

    facts = chosen.facts(hostile.ranker, files)

    assert [one["path"] for one in facts["requests"]] == [f"/_ml/trained_models/{model_id}", "/shop/_search"]
    assert query["size"] == query["rescore"]["window_size"] == 5
    assert query["rescore"]["learning_to_rank"]["params"].keys() == {"keywords", "query_length_english"}
    assert facts["proved_by"] == "file only"
