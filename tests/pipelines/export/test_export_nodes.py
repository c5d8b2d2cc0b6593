"""Rules of the export stage."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xgboost as xgb
import yaml
from pydantic import ValidationError

from rankhammer.config_loader import ConfigLoader
from rankhammer.errors import ConfigError, DataError, EngineError, PluginError
from rankhammer.feature_sets import FeatureSet
from rankhammer.pipelines.export import nodes
from rankhammer.pipelines.export.params import ExportParams
from rankhammer.pipelines.export.pipeline import create_pipeline

CONF = Path(__file__).parents[3] / "conf" / "base"
LINEAGE = {"code": "abc"}


@pytest.fixture(scope="module")
def values() -> dict[str, Any]:
    """Return what conf/base says, globals put in."""
    loader = ConfigLoader(str(CONF.parent), base_env="base", default_run_env="base")
    return loader["parameters"]["export"]


@pytest.fixture(scope="module")
def params(values: dict[str, Any]) -> ExportParams:
    return ExportParams.model_validate(values)


@pytest.fixture(scope="module")
def folder() -> dict[str, bytes]:
    """Return one corpus's files as training publishes them."""
    rows = np.random.default_rng(5).random((60, 2)).astype(np.float32)
    data = xgb.DMatrix(rows, (rows[:, 0] * 3).round(), feature_names=["title", "body"])
    data.set_group([10] * 6)
    booster = xgb.train({"objective": "rank:ndcg", "nthread": 1}, data, 3)
    features = [{"type": "match", "name": name, "field": name} for name in ("title", "body")]
    sample = {"feature_names": ["title", "body"], "features": rows.tolist(), "scores": booster.predict(data).tolist()}
    return {
        "model.ubj": bytes(booster.save_raw("ubj")),
        "manifest.json": b'{"ndcg": 0.5}',
        "feature_set.json": FeatureSet.model_validate({"name": "two", "features": features}).model_dump_json().encode(),
        "sample_vectors.json": json.dumps(sample).encode(),
    }


def rankers(**corpora: dict[str, bytes]) -> dict[str, bytes]:
    return {f"{corpus}/{name}": content for corpus, files in corpora.items() for name, content in files.items()}


def test_every_corpus_gets_every_target(folder: dict[str, bytes], params: ExportParams) -> None:
    candidates, failures, _ = nodes.export(rankers(de=folder, en=folder), {}, LINEAGE, params)
    published = candidates.files

    assert failures == []
    assert {path.rsplit("/", 1)[0] for path in published} == {
        "de/json",
        "de/opensearch_ltr-3.6",
        "en/json",
        "en/opensearch_ltr-3.6",
    }
    assert json.loads(published["de/json/manifest.json"])["lineage"] == LINEAGE


def test_a_corpus_that_fails_is_reported_and_does_not_stop_the_others(
    folder: dict[str, bytes], params: ExportParams
) -> None:
    broken = folder | {"model.ubj": b"broken"}

    candidates, failures, held_back = nodes.export(rankers(de=folder, en=broken), {}, LINEAGE, params)
    published = candidates.files
    report = nodes.report_export(published, failures, held_back)

    assert all(path.startswith("de/") for path in published)
    assert [(failure["corpus"], failure["stage"]) for failure in failures] == [("en", "export")]
    assert "cannot be opened" in failures[0]["error"]
    assert report["corpora"].keys() == {"de"}
    assert report["failures"] == failures


def test_the_stage_stops_when_every_corpus_fails(folder: dict[str, bytes], params: ExportParams) -> None:
    with pytest.raises(DataError, match="cannot be opened"):
        nodes.export(rankers(de=folder | {"model.ubj": b"broken"}), {}, LINEAGE, params)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ({"name": "opensearch_lrt"}, "Did you mean 'opensearch_ltr'"),
        ({"name": "opensearch_ltr", "options": {"version": "three"}}, "version"),
        ({"name": "json", "options": {"indent": 2}}, "indent"),
    ],
)
def test_an_unknown_exporter_or_option_is_refused_before_any_node(
    values: dict[str, Any], target: dict[str, Any], message: str
) -> None:
    with pytest.raises(PluginError, match=message):
        ExportParams.model_validate(values | {"targets": [target]})


def test_a_target_named_twice_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="'json' twice"):
        ExportParams.model_validate(values | {"targets": [{"name": "json"}] * 2})


@pytest.mark.parametrize(
    ("engine", "message"),
    [
        ({"name": "opensaerch", "options": {"url": "http://x:1"}}, "opensaerch"),
        ({"name": "opensearch"}, "url"),
        ({"name": "opensearch", "options": {"url": "http://x:1", "index": "{corups}"}}, "index"),
        ({"name": "solr", "options": {"url": "http://x:1/solr"}}, "no target is solr_ltr"),
    ],
)
def test_an_engine_that_proves_nothing_is_refused_before_any_node(
    values: dict[str, Any], engine: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        ExportParams.model_validate(values | {"engine": engine})
    assert caught.value.hint


def test_an_engine_that_was_asked_for_is_never_left_out(folder: dict[str, bytes], values: dict[str, Any]) -> None:
    sample = json.loads(folder["sample_vectors.json"])
    message = {"query": ["a query"] * len(sample["features"]), "doc_id": list(map(str, range(len(sample["features"]))))}
    files = folder | {"sample_vectors.json": json.dumps(sample | message).encode()}
    nobody = {"name": "opensearch", "options": {"url": "http://127.0.0.1:9", "patience_s": 0}}

    candidates, _, _ = nodes.export(rankers(de=files), {}, LINEAGE, ExportParams.model_validate(values))
    assert json.loads(candidates.files["de/opensearch_ltr-3.6/parity.json"])["engine"] == "not asked"
    with pytest.raises(EngineError, match="did not answer"):
        nodes.export(rankers(de=files), {}, LINEAGE, ExportParams.model_validate(values | {"engine": nobody}))


def test_two_versions_of_one_engine_are_two_targets(folder: dict[str, bytes], values: dict[str, Any]) -> None:
    targets = [{"name": "opensearch_ltr", "options": {"version": version}} for version in ("2.19", "3.8")]

    params = ExportParams.model_validate(values | {"targets": targets})
    candidates, _, _ = nodes.export(rankers(de=folder), {}, LINEAGE, params)

    assert {path.split("/")[1] for path in candidates.files} == {"opensearch_ltr-2.19", "opensearch_ltr-3.8"}


@pytest.mark.parametrize("wrong", [{"targets": []}, {"tolerance": 0}, {"n_vectors": 0}, {"n_tie": 5}])
def test_a_wrong_parameter_is_refused(values: dict[str, Any], wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ExportParams.model_validate(values | wrong)


def test_inputs_and_outputs_are_catalogued() -> None:
    catalogued = yaml.safe_load((CONF / "catalog" / "export.yml").read_text())

    assert create_pipeline().all_outputs() == catalogued.keys()
    assert create_pipeline().inputs() == {"ranker", "verdicts", "lineage", "params:export"}


def verdict(word: str) -> bytes:
    found = {"mean": -0.096, "lower": -0.152, "upper": -0.036, "verdict": word}
    return json.dumps({"metric": "ndcg@10", "verdict": word, "verdicts": {"logged": found}}).encode()


@pytest.mark.parametrize(
    ("accepted", "held_back"),
    [(False, {"de", "fr"}), (["fr"], {"de"}), ("fr,de", set()), (True, set())],
)
def test_a_worse_ranker_is_written_and_not_current_unless_it_is_named(
    folder: dict[str, bytes], values: dict[str, Any], accepted: Any, held_back: set[str]
) -> None:
    params = ExportParams.model_validate(values | {"accept_worse": accepted, "targets": [{"name": "json"}]})
    verdicts = {"de/verdict.json": verdict("worse"), "fr/verdict.json": verdict("worse")}
    verdicts |= {"en/verdict.json": verdict("not distinguishable"), "it/verdict.json": verdict("too few queries")}
    candidates, _, why = nodes.export(rankers(de=folder, fr=folder, en=folder, it=folder), verdicts, LINEAGE, params)

    assert {path.split("/")[0] for path in candidates.held_back} == held_back == why.keys()
    assert {path.split("/")[0] for path in candidates.files} == {"de", "fr", "en", "it"} - held_back
    report = nodes.report_export(candidates.files, [], why)
    for corpus in held_back:
        reason = "worse than the logged order (-0.096, -0.152 to -0.036) in ndcg@10"
        assert report["corpora"][corpus]["held_back"] == reason
        assert [target["target"] for target in report["corpora"][corpus]["targets"]] == ["json"]


@pytest.mark.parametrize(
    ("promotion", "by_hand"),
    [("automatic", set()), ("by_hand", {"de", "fr"}), (["fr"], {"fr"}), ("fr,it", {"fr"})],
)
def test_a_ranker_that_is_promoted_by_hand_is_written_and_not_current(
    folder: dict[str, bytes], values: dict[str, Any], promotion: Any, by_hand: set[str]
) -> None:
    params = ExportParams.model_validate(values | {"promotion": promotion, "targets": [{"name": "json"}]})
    verdicts = {"de/verdict.json": verdict("better"), "fr/verdict.json": verdict("worse")}
    candidates, _, why = nodes.export(rankers(de=folder, fr=folder), verdicts, LINEAGE, params)

    assert {path.split("/")[0] for path in candidates.held_back} == by_hand | {"fr"} == why.keys()
    assert {corpus for corpus, ranker in candidates.rankers.items() if ranker.is_by_hand} == by_hand
    assert {corpus for corpus in why if why[corpus]["held_back"].startswith("to be promoted by hand")} == by_hand
    assert "worse than the logged order" in why["fr"]["held_back"]


def test_every_ranker_is_registered_with_its_own_files_and_what_is_known_of_it(
    folder: dict[str, bytes], params: ExportParams
) -> None:
    files = rankers(de=folder, en=folder | {"model.ubj": b"broken"})
    candidates, _, _ = nodes.export(files, {"de/verdict.json": verdict("better")}, LINEAGE, params)

    made = candidates.rankers["de"]
    assert (made.trained, made.lineage, made.evidence["verdict"]) == (folder, LINEAGE, "better")
    assert made.id != candidates.rankers["en"].id


def test_a_verdict_that_is_none_is_refused(folder: dict[str, bytes], params: ExportParams) -> None:
    with pytest.raises(DataError, match="is no verdict"):
        nodes.export(rankers(de=folder), {"de/verdict.json": b"[]"}, LINEAGE, params)
