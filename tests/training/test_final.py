"""The final rankers' files."""

from __future__ import annotations

import json

import numpy as np

from rankhammer.feature_sets import FeatureSet
from rankhammer.plugins import PluginSpec
from rankhammer.rankers import FittedRanker
from rankhammer.rankers.scoring import Made
from rankhammer.training import final
from rankhammer.training.choice import Candidate, RankerChoice
from rankhammer.training.matrix import CorpusFacts, SampleVectors
from rankhammer.training.search import Strategy, Trial
from rankhammer.training.staging import stage_matrix
from rankhammer.training.tune import Budget
from rankhammer.training.worker import FinalResult

FEATURES = FeatureSet.model_validate(
    {
        "name": "set",
        "features": [
            {"type": "match", "name": "title", "field": "title"},
            {"type": "field_value", "name": "age", "field": "age", "absent": "keep"},
        ],
    }
)
BUDGET = Budget(n_trials=5, batch_size=2, strategy=Strategy(2), n_rounds=6, early_stopping_rounds=3, metric_k=10)
TRAINER = final.Trainer(RankerChoice((Candidate(PluginSpec(name="xgboost")),)), BUDGET, 10, 42)
FACTS = CorpusFacts(
    (0, 1, 2),
    {"train": 9, "test": 4},
    {"train": 3, "test": 2},
    8,
    3,
    has_reference=True,
    n_relevant=2,
    n_telling_queries=3,
    highest_grade=2,
)
BEST = {"a": Trial("a", 3, {"max_depth": 4}, -0.75, 17, ranker="xgboost")}
VECTORS = np.array([[0.1, np.nan], [1 / 3, 2e-7]], np.float32)
RESULT = FinalResult(
    "a",
    "clicks",
    FittedRanker(b"model", 17),
    SampleVectors(VECTORS, np.array([5, 5], np.int32), ("q", "q"), ("d1", "d2")),
    VECTORS[:, 0],
)


def _files() -> dict[str, bytes]:
    return TRAINER.ranker_files(final.FinalFits({"a": RESULT}, {}, {"a": FACTS}, []), BEST, FEATURES)


def test_a_ranker_is_published_with_what_the_export_needs():
    assert set(_files()) == {
        f"a/{name}" for name in ("model.ubj", "manifest.json", "feature_set.json", "sample_vectors.json")
    }
    assert _files()["a/model.ubj"] == b"model"
    assert FeatureSet.model_validate_json(_files()["a/feature_set.json"]) == FEATURES


def test_sampled_vectors_read_back_bit_by_bit():
    sample = json.loads(_files()["a/sample_vectors.json"])
    assert np.array_equal(np.array(sample["features"], np.float32), VECTORS, equal_nan=True)
    assert np.array_equal(np.array(sample["scores"], np.float32), VECTORS[:, 0])
    assert (sample["feature_names"], sample["qid"]) == (["title", "age"], [5, 5])
    assert (sample["query"], sample["doc_id"]) == (["q", "q"], ["d1", "d2"])
    assert sample["features"][0][1] is None


def test_the_manifest_tells_what_was_trained_on_what():
    manifest = json.loads(_files()["a/manifest.json"])
    assert manifest["params"]["max_depth"] == 4
    assert manifest["params"]["learning_rate"] == 0.1
    assert manifest["n_rounds"] == 17
    assert manifest["cross_validation"] == {"metric": "ndcg@10", "mean": 0.75, "n_folds": 3, "trial": 3}
    assert manifest["feature_set"] == {"name": "set", "version": FEATURES.version}
    assert manifest["missing_value_policy"]["absent"] == {"title": "zero", "age": "keep"}
    assert (manifest["n_train_rows"], manifest["n_test_rows"]) == (8, 4)


def test_the_same_fits_give_the_same_bytes():
    assert _files() == _files()


def test_models_are_found_by_corpus():
    fits = final.FinalFits({}, {"b/c": RESULT}, {"b/c": FACTS}, [])
    made = Made(PluginSpec(name="xgboost"), b"model")
    assert final.models(_files()) == {"a": made}
    oracles = TRAINER.oracle_files(fits, {"b/c": BEST["a"]})
    assert final.models(oracles) == {"b/c": made}
    models_alone = {name: content for name, content in oracles.items() if name.endswith("model.ubj")}
    assert final.models(models_alone) == {"b/c": made}


def test_the_oracle_trains_for_the_rounds_that_the_reference_grades_bear(spark, stored_matrix, matrix_rows):
    rows = [row | {"reference_grade": round(row["features"]["signal"] * 4)} for row in matrix_rows("a")]
    best = {"a": Trial("a", 0, {}, -0.5, 1, ranker="xgboost")}
    fits = TRAINER.fit(spark.sparkContext, stage_matrix(stored_matrix({"a": rows})), best)
    assert fits.rankers["a"].fitted.n_rounds == 1
    assert 1 < fits.oracles["a"].fitted.n_rounds <= BUDGET.n_rounds


def test_an_oracle_that_cannot_be_trained_is_said_and_fails_no_corpus(monkeypatch):
    said = []
    monkeypatch.setattr(final.logger, "warning", lambda text, *values: said.append(text % values))
    fits = final._sort([RESULT, FinalResult("a", "reference", error="XGBoostError: no rows")], {"a": FACTS})
    assert (set(fits.rankers), fits.oracles, fits.failures) == ({"a"}, {}, [])
    assert said == ["The oracle of corpus a could not be trained: XGBoostError: no rows"]
