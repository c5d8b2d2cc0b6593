"""Rules that every exporter keeps, whoever provides it."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import pytest
import xgboost as xgb

from rankhammer import plugins
from rankhammer.errors import ExportError
from rankhammer.exporters import Traceable, TrainedRanker
from rankhammer.exporters.parity import check_parity
from rankhammer.exporters.parity_samples import parity_vectors
from rankhammer.exporters.threshold_samples import Vectors
from rankhammer.feature_sets import FeatureSet
from rankhammer.rankers import FitSettings, RankingData

NAMES = [info.name for info in plugins.installed() if info.group == "exporters"]
FEATURE_SET = FeatureSet.model_validate(
    {
        "name": "contract",
        "features": [
            {"type": "match", "name": "title_match", "field": "title"},
            {"type": "field_value", "name": "popularity", "field": "popularity"},
            {"type": "expression", "name": "more", "expression": "2 * popularity"},
        ],
    }
)


@pytest.fixture(scope="module")
def rows() -> np.ndarray[Any, np.dtype[np.float32]]:
    values = np.random.default_rng(3).lognormal(size=(300, 3)).astype(np.float32)
    values[::5, 0] = 0
    values[:, 2] = 2 * values[:, 1]
    return values


@pytest.fixture(scope="module")
def ranker(rows: Any) -> TrainedRanker:
    return make_ranker(rows, "rank:ndcg")


def make_ranker(rows: Any, objective: str, **params: Any) -> TrainedRanker:
    data = xgb.DMatrix(rows, (rows[:, 2] > 2).astype(int), feature_names=list(FEATURE_SET.names))
    if objective.startswith("rank"):
        data.set_group([30] * 10)
    booster = xgb.train({"objective": objective, "max_depth": 5, "nthread": 1, **params}, data, 10)
    return TrainedRanker("main", bytes(booster.save_raw("ubj")), FEATURE_SET, {})


@pytest.fixture(params=NAMES)
def exporter(request: pytest.FixtureRequest) -> Any:
    return plugins.create("exporters", plugins.PluginSpec(name=request.param))


def test_built_in_exporters_are_registered() -> None:
    assert {"opensearch_ltr", "elasticsearch_ltr", "ranklib", "solr_ltr", "elastic_native", "vespa"} <= set(NAMES)


def test_target_is_a_folder_name(exporter: Any) -> None:
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", exporter.target)


def test_written_twice_is_the_same_bytes(exporter: Any, ranker: TrainedRanker) -> None:
    again = TrainedRanker(ranker.corpus, ranker.model, ranker.feature_set, ranker.manifest)

    assert exporter.write(ranker) == exporter.write(again)


def test_files_are_plain_names_that_publishing_does_not_use(exporter: Any, ranker: TrainedRanker) -> None:
    files = exporter.write(ranker)

    assert files
    assert all(re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name) for name in files)
    assert all(isinstance(content, bytes) for content in files.values())
    assert not files.keys() & {"manifest.json", "parity.json"}


def make_vectors(rows: Any, ranker: TrainedRanker) -> Vectors:
    sample = Vectors(rows, np.zeros(len(rows), np.int64), {"logged": len(rows)})
    return parity_vectors(sample, ranker, n_vectors=300, n_ties=1000)


@pytest.mark.parametrize(
    ("objective", "params"),
    [
        ("rank:ndcg", {}),
        ("reg:squarederror", {"base_score": 0.7}),
        ("binary:logistic", {}),
        ("rank:ndcg", {"booster": "dart", "rate_drop": 0.5, "seed": 1}),
    ],
    ids=["rank", "regression", "logistic", "dart"],
)
def test_scores_equal_the_boosters_to_1e_5_on_logged_absent_and_tied_vectors(
    exporter: Any, rows: Any, objective: str, params: dict[str, Any]
) -> None:
    ranker = make_ranker(rows, objective, **params)

    facts = check_parity(exporter, exporter.write(ranker), ranker, make_vectors(rows, ranker), tolerance=1e-5)

    assert facts["max_abs_difference"] <= 1e-5


MIXED = plugins.PluginSpec(
    name="blend",
    options={"members": [{"name": "xgboost"}, {"name": "neural", "options": {"width": 8, "members": 1}}], "seeds": 1},
)


def learned_by(name: str, rows: Any) -> TrainedRanker:
    learner = plugins.create("rankers", MIXED if name == "mixed" else plugins.PluginSpec(name=name))
    qid = np.repeat(np.arange(10, dtype=np.int32), 30)
    data = RankingData(rows, (rows[:, 2] > 2).astype(np.float32), qid, np.ones(300), FEATURE_SET.names)
    fitted = learner.fit(learner.prepare(data), None, params={}, settings=FitSettings(30, None, 10, 1, 1))
    sample = json.dumps({"feature_names": FEATURE_SET.names, "features": rows.tolist()}).encode()
    return TrainedRanker("main", fitted.model, FEATURE_SET, {}, sample)


@pytest.mark.parametrize("name", ["lightgbm", "catboost", "blend"])
def test_trees_of_other_libraries_are_scored_alike_by_every_target(exporter: Any, rows: Any, name: str) -> None:
    ranker = learned_by(name, rows)
    facts = check_parity(exporter, exporter.write(ranker), ranker, make_vectors(rows, ranker), tolerance=1e-5)
    assert facts["max_abs_difference"] <= 1e-5


def test_a_linear_ranker_is_scored_alike_or_refused_with_the_targets_that_take_it(exporter: Any, rows: Any) -> None:
    ranker = learned_by("linear", rows)
    if exporter.target.startswith(("opensearch_ltr", "elasticsearch_ltr", "solr_ltr", "json")):
        facts = check_parity(exporter, exporter.write(ranker), ranker, make_vectors(rows, ranker), tolerance=1e-5)
        assert facts["max_abs_difference"] <= 1e-5
        return
    with pytest.raises(ExportError, match="is linear") as caught:
        exporter.write(ranker)
    assert "opensearch_ltr, elasticsearch_ltr, solr_ltr and json take linear rankers" in (caught.value.hint or "")


@pytest.mark.parametrize(("name", "targets"), [("neural", ("solr_ltr", "vespa", "json")), ("mixed", ("vespa", "json"))])
def test_a_network_alone_or_beside_trees_is_scored_alike_or_refused_by_name(
    exporter: Any, rows: Any, name: str, targets: tuple[str, ...]
) -> None:
    ranker = learned_by(name, rows)
    if exporter.target.startswith(targets):
        facts = check_parity(exporter, exporter.write(ranker), ranker, make_vectors(rows, ranker), tolerance=1e-5)
        assert facts["max_abs_difference"] <= 1e-5
        assert facts["n_traced"] == 10
        return
    with pytest.raises(ExportError, match=f"is {name}") as caught:
        exporter.write(ranker)
    assert "solr_ltr, vespa and json neural ones" in (caught.value.hint or "")


def test_files_of_another_ranker_do_not_pass_the_gate(exporter: Any, rows: Any, ranker: TrainedRanker) -> None:
    other = make_ranker(rows, "rank:ndcg", learning_rate=0.2)

    with pytest.raises(ExportError, match="the export scores"):
        check_parity(exporter, exporter.write(other), ranker, make_vectors(rows, ranker), tolerance=1e-5)


def test_scores_are_one_float_a_row(exporter: Any, ranker: TrainedRanker, rows: Any) -> None:
    scores = exporter.score(exporter.write(ranker), rows[:7], FEATURE_SET.names)

    assert scores.shape == (7,)
    assert scores.dtype == np.float64


def test_a_model_that_is_none_is_an_export_error(exporter: Any) -> None:
    with pytest.raises(ExportError):
        exporter.write(TrainedRanker("main", b"none", FEATURE_SET, {}))


def test_facts_hold_a_list_of_warnings(exporter: Any, ranker: TrainedRanker) -> None:
    facts = exporter.facts(ranker, exporter.write(ranker)) if isinstance(exporter, Traceable) else {"warnings": []}

    assert isinstance(facts["warnings"], list)
    assert json.loads(json.dumps(facts)) == facts
