"""Rules of the files for Elasticsearch's LTR plugin, where they are not those of OpenSearch's."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from rankhammer.errors import ExportError
from rankhammer.exporters.ir.with_missing_rule import elasticsearch_rule
from rankhammer.exporters.targets.elasticsearch_ltr import ElasticsearchLtr, ElasticsearchLtrOptions
from rankhammer.exporters.targets.opensearch_ltr import OpenSearchLtr, OpenSearchLtrOptions

if TYPE_CHECKING:
    from collections.abc import Callable

FEATURES = (
    {"type": "match", "name": "title_match", "field": "title"},
    {"type": "field_value", "name": "popularity", "field": "popularity"},
)


def exporter(**options: Any) -> ElasticsearchLtr:
    return ElasticsearchLtr(ElasticsearchLtrOptions(**options))


def plugin_score(files: dict[str, bytes], document: dict[str, float], *, absent_is_zero: bool) -> np.float32:
    """Score as the plugin's additive trees: yes when value < split_condition, in float32; trees in order."""
    model = json.loads(files["model.json"])["model"]["model"]
    assert model["type"] == "model/xgboost+json"
    total = np.float32(0)
    for tree in json.loads(model["definition"])[:-1]:
        node = tree
        while "leaf" not in node:
            value = document.get(node["split"], 0.0 if absent_is_zero else math.nan)
            goes_to = "yes" if np.float32(value) < np.float32(node["split_condition"]) else "no"
            goes_to = "missing" if math.isnan(value) else goes_to
            node = {child["nodeid"]: child for child in node["children"]}[node[goes_to]]
        total += np.float32(node["leaf"])
    return total


@pytest.mark.parametrize(("version", "rule"), [("1.5.8", "zero"), ("1.5.9", "default"), ("1.5.10", "default")])
def test_versions_of_the_plugin_have_their_missing_rule(trained: Any, version: str, rule: str) -> None:
    chosen = exporter(version=version)

    assert elasticsearch_rule(version) == chosen.parse(chosen.write(trained.ranker)).rule == rule


@pytest.mark.parametrize("version", ["1.5.8", "1.5.10"])
def test_an_independent_scorer_gives_the_boosters_scores_on_hostile_vectors(hostile: Any, version: str) -> None:
    files = exporter(version=version).write(hostile.ranker)
    names = hostile.ranker.feature_set.names

    rows = (dict(zip(names, row, strict=True)) for row in hostile.features.tolist())
    scores = [plugin_score(files, row, absent_is_zero=version == "1.5.8") for row in rows]

    np.testing.assert_array_equal(scores, hostile.margins)
    np.testing.assert_array_equal(exporter(version=version).score(files, hostile.features, names), hostile.margins)


def test_an_absent_feature_follows_default_directions_from_1_5_9(make_ranker: Callable[..., Any]) -> None:
    trained = make_ranker("reg:squarederror", keep=("popularity",), n_trees=30, features=FEATURES)
    names = trained.ranker.feature_set.names
    files = exporter(version="1.5.9").write(trained.ranker)

    rows = ({name: v for name, v in zip(names, row, strict=True) if v == v} for row in trained.features.tolist())
    scores = [plugin_score(files, row, absent_is_zero=False) for row in rows]

    assert np.isnan(trained.features).any()
    np.testing.assert_array_equal(scores, trained.margins)
    with pytest.raises(ExportError, match=r"reaches the trees as 0\.0"):
        exporter(version="1.5.8").write(trained.ranker)


def test_the_files_are_those_of_opensearch(trained: Any) -> None:
    assert exporter().write(trained.ranker) == OpenSearchLtr(OpenSearchLtrOptions()).write(trained.ranker)


def test_facts_name_the_engine_its_bm25_and_how_files_were_proved(trained: Any) -> None:
    files = exporter().write(trained.ranker)

    facts = exporter().facts(trained.ranker, files)

    assert facts["engine"]["name"] == "elasticsearch"
    assert facts["proved_by"] == "contract"
    assert any("2.2" in warning for warning in facts["warnings"])


def test_document_numbers_that_training_saw_below_zero_are_warned_of(hostile: Any) -> None:
    facts = exporter().facts(hostile.ranker, exporter().write(hostile.ranker))

    assert [warning for warning in facts["warnings"] if "'balance'" in warning]
    assert not [warning for warning in facts["warnings"] if "'size'" in warning]
