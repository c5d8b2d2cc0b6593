"""The parity gate's last word, from a node with the plugin: its scores of logged documents are the booster's."""

from __future__ import annotations

import json

import numpy as np
import pytest
from ltr_node import LtrNode
from ltr_node.refusals import Refusal
from shop import DOCS, FEATURES, fill, ranker_files, train

from rankhammer.deploy.engine_gate import engine_gate
from rankhammer.errors import ConfigError, EngineError, ExportError
from rankhammer.exporters import publish
from rankhammer.exporters.targets.opensearch_ltr import OpenSearchLtr, OpenSearchLtrOptions
from rankhammer.exporters.targets.plain_json import PlainJson
from rankhammer.feature_sets import FeatureSet
from rankhammer.feature_sources.remote.base import FeatureSearch
from rankhammer.feature_sources.remote.concurrency_limit import Pace
from rankhammer.feature_sources.remote.options import SearchOptions
from rankhammer.feature_sources.remote.plugin_logging import PluginLogging
from rankhammer.search_engines.client import connect

QUERIES = ["red shoe", "blue hat", "a hat"]
N_PAIRS = len(QUERIES) * len(DOCS)
PLAIN = [feature.model_dump() for feature in FEATURES.features if feature.name != "mixed"]
KEPT = FeatureSet.model_validate(
    {"name": "kept", "features": [{**one, "absent": "keep"} if one["name"] == "title" else one for one in PLAIN]}
)


def logged(node, features):
    """What training would log: the node's own values of every query and document."""
    options = SearchOptions(url=node.url, logging="sltr", pace="greedy")
    logging, client = PluginLogging.of(options, features, ["shop"]), connect(options)
    logging.prepare(client)
    found = logging.ask(client, [FeatureSearch("shop", query, tuple(DOCS)) for query in QUERIES], Pace(1, greedy=True))
    return np.concatenate([values for _, values in found])


def published(node, version="3.6", features=FEATURES, **given):
    """Log, train, and export with the gate; `change` alters the node in between."""
    change = given.pop("change", lambda: None)
    ranker, _ = train(features=features, absent="title" if features is KEPT else "")
    rows = logged(node, features)
    pairs = {"query": [query for query in QUERIES for _ in DOCS], "doc_id": [*DOCS] * len(QUERIES)}
    files = ranker_files(ranker, rows, **given.pop("sample", pairs))
    change()
    gate = engine_gate("opensearch", {"url": node.url, "patience_s": 0, **given})
    exporters = [OpenSearchLtr(OpenSearchLtrOptions(version=version)), PlainJson(PlainJson.Options())]
    found = publish.export_corpus("shop", files, exporters, lineage={}, checks=publish.Checks(1e-5, 100, 50, gate))
    return {name: json.loads(content) for name, content in found.items() if name.endswith(".json")}


def test_the_nodes_scores_are_published_and_nothing_is_left_there(shop):
    version = ".".join(shop.version.split(".")[:2])
    found = published(shop, version)
    engine = found[f"shop/opensearch_ltr-{version}/parity.json"]["engine"]
    assert (engine["name"], engine["version"], engine["n_pairs"], engine["n_gone"]) == (
        "opensearch",
        shop.version,
        N_PAIRS,
        0,
    )
    assert engine["max_abs_difference"] <= engine["tolerance"]
    assert (engine["max_feature_difference"], engine["order_kept"], engine["passed"]) == (0.0, 1.0, True)
    assert found[f"shop/opensearch_ltr-{version}/manifest.json"]["parity"]["engine"] == engine
    assert found[f"shop/opensearch_ltr-{version}/manifest.json"]["proved_by"] == "real engine"
    assert found["shop/json/parity.json"]["engine"] == "not asked"
    name = found[f"shop/opensearch_ltr-{version}/model.json"]["model"]["name"]
    for kind in ("model", "featureset"):
        assert shop.call("GET", f"/_ltr/_{kind}/{name}_parity")[0] == 404


def test_a_document_that_has_changed_is_named_with_its_feature_and_the_node(stand_in_shop):
    def change():
        stand_in_shop.indices["shop"]["1"]["popularity"] = 999.0

    with pytest.raises(ExportError) as caught:
        published(stand_in_shop, change=change)
    for words in ("document '1' for 'red shoe'", "Feature 'popularity' was 0.602", "and is 3 now", "Tree ", "node "):
        assert words in caught.value.message
    assert stand_in_shop.stores["_default_"].models == {}


def test_another_rule_for_absent_features_is_named_with_the_node(monkeypatch):
    with LtrNode("3.8.0") as node:
        fill(node)
        assert published(node, "3.8", KEPT)["shop/opensearch_ltr-3.8/parity.json"]["engine"]["passed"]
        monkeypatch.setattr("ltr_node.store.missing_rule", lambda version: "right")
        with pytest.raises(ExportError, match=r"where an absent feature always goes right.* Tree \d+, node \d+"):
            published(node, "3.8", KEPT)


def test_documents_that_went_away_are_counted(stand_in_shop):
    found = published(stand_in_shop, change=lambda: stand_in_shop.indices["shop"].pop("4"))
    engine = found["shop/opensearch_ltr-3.6/parity.json"]["engine"]
    assert (engine["n_pairs"], engine["n_gone"]) == (N_PAIRS - len(QUERIES), len(QUERIES))
    with pytest.raises(EngineError, match="has none of the 12 documents"):
        published(stand_in_shop, change=lambda: stand_in_shop.indices["shop"].clear())


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"url": "http://127.0.0.1:9"}, EngineError, "did not answer within 0 s"),
        ({"version": "3.8"}, EngineError, "follows each node's default direction"),
        ({"index": "nowhere"}, EngineError, "no index 'nowhere'"),
        ({"sample": {}}, ExportError, "do not say which query and document"),
        ({"urll": "x"}, ConfigError, "urll"),
    ],
)
def test_an_engine_that_cannot_be_asked_stops_the_export(stand_in_shop, given, error, message):
    with pytest.raises(error, match=message) as caught:
        published(stand_in_shop, **given)
    assert caught.value.hint


def test_a_gate_that_breaks_off_takes_its_upload_away(stand_in_shop):
    def refuse(method, path):
        if path.endswith("_search"):
            raise Refusal(403, ("security_exception", "no permissions"))

    with pytest.raises(EngineError, match="no permissions"):
        published(stand_in_shop, change=lambda: setattr(stand_in_shop, "on_request", refuse))
    store = stand_in_shop.stores["_default_"]
    assert (store.models, [name for name in store.featuresets if name.endswith("_parity")]) == ({}, [])
