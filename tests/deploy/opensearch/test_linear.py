"""`model/linear` on a node with the plugin: what it takes, how it scores, and our linear rankers on it."""

from __future__ import annotations

import json

import numpy as np
import pytest
import xgboost as xgb
from ltr_node import ElasticNode
from shop import DOCS, export_with, fill, ranker_files, train_linear

from deploy.opensearch.test_deploy import active, options
from deploy.opensearch.test_engine_gate import QUERIES
from deploy.opensearch.test_engine_gate import logged as logged_rows
from deploy.opensearch.test_node_contract import ALL, create, logged, logging, node, rescore, words  # noqa: F401 - a fixture
from rankhammer.deploy import deploy, read_exported_ranker
from rankhammer.deploy.engine_gate import engine_gate
from rankhammer.errors import EngineError, ExportError
from rankhammer.exporters import publish
from rankhammer.exporters.targets.elasticsearch_ltr import ElasticsearchLtr, ElasticsearchLtrOptions
from rankhammer.exporters.targets.opensearch_ltr import OpenSearchLtr, OpenSearchLtrOptions
from rankhammer.feature_sets import FeatureSet

WEIGHTS = {"both": 0.5, "title_match": 1.5}


def test_a_weighted_sum_of_logged_values_is_the_score_and_an_absent_one_is_zero(node):  # noqa: F811
    assert create(node, json.dumps(WEIGHTS), kind="model/linear")[0] == 201
    values = logged(node.call("POST", "/shop/_search", logging()))
    _, body = node.call("POST", "/shop/_search", rescore("m"))
    scores = {hit["_id"]: hit["_score"] for hit in body["hits"]["hits"]}
    assert values["2"]["title_match"] is None
    for doc_id, found in values.items():
        wanted = sum(weight * (found[name] or 0.0) for name, weight in WEIGHTS.items())
        assert scores[doc_id] == pytest.approx(wanted, abs=1e-6)
    assert scores["1"] > scores["2"] == 0


@pytest.mark.parametrize(
    ("definition", "reason"),
    [
        ({"nope": 1.0}, "Feature [nope] is unknown."),
        ({"title_match": "1.0"}, "Expected a float but found [VALUE_STRING]"),
        ({"title_match": None}, "Expected a float but found [VALUE_NULL]"),
        ([1.0], "Expected start object but found [START_ARRAY]"),
        ("{not json", ""),
    ],
)
def test_bad_weights_are_refused(node, definition, reason):  # noqa: F811
    status, found = words(create(node, definition, kind="model/linear"))
    assert status == 400
    assert "Error while parsing model [m] with type [model/linear]" in found
    assert reason in found
    assert node.call("GET", "/_ltr/_model/m")[0] == 404


def opensearch(version="3.6"):
    return OpenSearchLtr(OpenSearchLtrOptions(version=version))


def test_a_linear_ranker_is_stored_and_its_rescore_gives_the_boosters_scores(shop, tmp_path):
    line = ".".join(shop.version.split(".")[:2])
    exported = read_exported_ranker(export_with(opensearch(line), tmp_path, train=train_linear))
    (done,) = deploy(exported, options(shop))
    assert max(trial["max_abs_difference"] for trial in done.tried) <= 1e-5
    assert exported.constant > 0
    ranker, _ = train_linear()
    rows = logged_rows(shop, ranker.feature_set)[: len(DOCS)]
    wanted = ranker.booster.predict(xgb.DMatrix(rows), validate_features=False) + exported.constant
    example = json.loads(active(shop)["deployments"][0]["example"])
    sltr = example["rescore"]["query"]["rescore_query"]["sltr"]
    sltr["params"] = {"keywords": QUERIES[0], "query_length_standard": 2}
    _, body = shop.call("POST", "/shop/_search", {**example, "query": ALL})
    scores = {hit["_id"]: hit["_score"] for hit in body["hits"]["hits"]}
    assert [scores[doc_id] for doc_id in DOCS] == pytest.approx(wanted.tolist(), abs=1e-5)
    assert len(set(wanted.tolist())) == len(DOCS)


def test_a_linear_ranker_for_elasticsearch_is_stored_there(tmp_path):
    exporter = ElasticsearchLtr(ElasticsearchLtrOptions())
    exported = read_exported_ranker(export_with(exporter, tmp_path, train=train_linear))
    with ElasticNode("1.5.10") as other:
        (done,) = deploy(exported, options(fill(other), engine="elasticsearch"))
    assert max(trial["max_abs_difference"] for trial in done.tried) <= 1e-5


def published(node, change=lambda: None):  # noqa: F811
    ranker, _ = train_linear()
    pairs = {"query": [query for query in QUERIES for _ in DOCS], "doc_id": [*DOCS] * len(QUERIES)}
    files = ranker_files(ranker, logged_rows(node, ranker.feature_set), **pairs)
    change()
    checks = publish.Checks(1e-5, 100, 50, engine_gate("opensearch", {"url": node.url, "patience_s": 0}))
    found = publish.export_corpus("shop", files, [opensearch()], lineage={}, checks=checks)
    return json.loads(found["shop/opensearch_ltr-3.6/parity.json"])["engine"]


def test_the_gate_asks_the_node_and_names_the_feature_that_has_changed(stand_in_shop):
    engine = published(stand_in_shop)
    assert (engine["max_feature_difference"], engine["order_kept"], engine["passed"]) == (0.0, 1.0, True)

    def change():
        stand_in_shop.indices["shop"]["1"]["popularity"] = 0.0

    with pytest.raises(ExportError) as caught:
        published(stand_in_shop, change)
    for text in ("document '1' for ", "'popularity' was 0.602", "and is 0 now", "Feature 'popularity' = "):
        assert text in caught.value.message
    assert stand_in_shop.stores["_default_"].models == {}


def test_a_document_far_beyond_the_logged_ones_that_scores_below_zero_is_found(stand_in_shop, tmp_path):
    exported = read_exported_ranker(export_with(opensearch(), tmp_path, train=train_linear))
    assert any("'popularity' (-" in warning for warning in exported.manifest["warnings"])
    stand_in_shop.indices["shop"]["4"]["popularity"] = 1e30
    with pytest.raises(EngineError, match="must give 0 or more"):
        deploy(exported, options(stand_in_shop))


def test_a_linear_ranker_may_do_without_a_feature_in_every_version(stand_in_shop):
    names = ("title", "body", "summary")
    kept = [{"name": name, "type": "match", "field": name, "absent": "keep"} for name in names]
    ranker, rows = train_linear(features=FeatureSet.model_validate({"name": "kept", "features": kept}))
    rows = np.where(rows == 0, np.nan, rows)
    checks = publish.Checks(1e-5, 100, 50)
    exporters = [opensearch(version) for version in ("2.19", "3.6", "3.8")]
    found = publish.export_corpus("shop", ranker_files(ranker, rows), exporters, lineage={}, checks=checks)
    rules = [json.loads(found[f"shop/{one.target}/manifest.json"])["missing_values"]["rule"] for one in exporters]
    assert rules == ["zero"] * 3
