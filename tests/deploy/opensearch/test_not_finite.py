"""Expressions that are no number for some documents: served as they were trained, as 0, or found by the trial."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from shop import DOCS, FEATURES, export_with, ranker_files, train

from deploy.opensearch.test_engine_gate import QUERIES, logged
from rankhammer.deploy import deploy, read_exported_ranker, read_options
from rankhammer.deploy.engine_gate import engine_gate
from rankhammer.errors import EngineError, ExportError
from rankhammer.exporters import publish
from rankhammer.exporters.targets.opensearch_ltr import OpenSearchLtr, OpenSearchLtrOptions
from rankhammer.feature_sets import FeatureSet
from rankhammer.feature_sets.dialects.ltr_features import plugin_features

PLAIN = [feature.model_dump() for feature in FEATURES.features if feature.name != "mixed"]
SHARE = {"name": "share", "type": "expression", "expression": "title / body"}
REST = {"name": "rest", "type": "expression", "expression": "1 - share + ln(popularity)"}
ODD = FeatureSet.model_validate({"name": "odd", "features": [*PLAIN, SHARE, REST]})


def train_odd(seed, corpus):
    return train(seed, corpus, ODD)


def line(node):
    return ".".join(node.version.split(".")[:2])


def options(node):
    return read_options({"clusters": [{"url": node.url, "patience_s": 0.2}], "queries": QUERIES, "n_documents": 4})


@pytest.fixture
def exported(shop, tmp_path):
    exporter = OpenSearchLtr(OpenSearchLtrOptions(version=line(shop)))
    return read_exported_ranker(export_with(exporter, tmp_path, train=train_odd))


def test_a_ranker_over_divisions_by_zero_scores_in_the_engine_as_its_booster_does(shop):
    rows = logged(shop, ODD)
    divided = rows[:, [ODD.names.index("title"), ODD.names.index("body"), ODD.names.index("share")]]
    assert ((divided[:, 0] > 0) & (divided[:, 1] == 0) & (divided[:, 2] == 0)).any()
    assert np.isfinite(rows).all()
    ranker, _ = train(features=ODD)
    pairs = {"query": [query for query in QUERIES for _ in DOCS], "doc_id": [*DOCS] * len(QUERIES)}
    checks = publish.Checks(1e-5, 100, 50, engine_gate("opensearch", {"url": shop.url, "patience_s": 0}))
    exporter = OpenSearchLtr(OpenSearchLtrOptions(version=line(shop)))
    found = publish.export_corpus("shop", ranker_files(ranker, rows, **pairs), [exporter], lineage={}, checks=checks)
    assert any(name.endswith("model.json") for name in found)


def test_such_a_ranker_is_deployed(shop, exported):
    (done,) = deploy(exported, options(shop))
    assert max(trial["max_abs_difference"] for trial in done.tried) <= 1e-5


def test_a_definition_without_a_guard_is_found_by_the_trial(stand_in_shop, tmp_path):
    exported = read_exported_ranker(
        export_with(OpenSearchLtr(OpenSearchLtrOptions(version="3.6")), tmp_path, train=train_odd)
    )
    features = exported.json("feature_set.json")
    for feature in features["featureset"]["features"]:
        if feature["template_language"] == "derived_expression":
            feature["template"] = feature["template"].partition("? ")[2].partition(" :")[0]
    bare = replace(exported, files={**exported.files, "feature_set.json": json.dumps(features).encode()})
    with pytest.raises(EngineError, match="differently from the ranker's files do"):
        deploy(bare, options(stand_in_shop))


def test_an_expression_that_may_be_absent_is_refused():
    kept = FeatureSet.model_validate({"name": "kept", "features": [*PLAIN, {**SHARE, "absent": "keep"}]})
    with pytest.raises(ExportError, match="'share' is an expression that may be absent"):
        plugin_features(kept)
