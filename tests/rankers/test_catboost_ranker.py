"""The CatBoost ranker: its trees take every document the way that CatBoost takes it, as a booster of XGBoost."""

from __future__ import annotations

from dataclasses import replace

import catboost
import numpy as np
import pytest

from rankhammer.errors import ConfigError, DataError
from rankhammer.evaluation.metrics import mean_ndcg
from rankhammer.rankers import FitSettings, RankingData
from rankhammer.rankers import catboost as module
from rankhammer.rankers.catboost import CatBoostOptions, CatBoostRanker, write_trees

SETTINGS = FitSettings(n_rounds=12, early_stopping_rounds=None, metric_k=10, n_threads=1, random_state=7)
NAMES = ("title match", "sold: all", "sometimes")


def _data(n_queries: int = 40, *, seed: int = 0) -> RankingData:
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(n_queries * 8, 3)).astype(np.float32) * np.array([1, 1e5, 1], np.float32)
    features[rng.random(len(features)) < 0.3, 2] = np.nan
    hidden = features[:, 0] + features[:, 1] / 2e5 - np.nan_to_num(features[:, 2]) * 0.3
    label = np.digitize(hidden + rng.normal(0, 0.3, len(features)), [0.2, 0.8, 1.4]).astype(np.float32)
    return RankingData(features, label, np.repeat(np.arange(n_queries, dtype=np.int32), 8), np.ones(len(label)), NAMES)


def _fit(data, *, valid=None, settings=SETTINGS, options=None, **params):
    ranker = CatBoostRanker(options or CatBoostOptions())
    train = ranker.prepare(data, n_threads=settings.n_threads)
    checked = ranker.prepare(valid, reference=train) if valid else None
    return ranker, ranker.fit(train, checked, params=params, settings=settings)


@pytest.fixture
def trained(monkeypatch):
    """Keeps the models that CatBoost trains."""
    kept, as_json = [], module._as_json
    monkeypatch.setattr(module, "_as_json", lambda model: kept.append(model) or as_json(model))
    return kept


def _edges(model) -> np.ndarray:
    """Return rows that stand on, just below and just above each border, and extreme and absent ones."""
    found = module._as_json(model)["features_info"]["float_features"]
    near = np.concatenate([np.float32(one["borders"]) for one in found])
    values = [near, np.nextafter(near, np.float32(-np.inf)), np.nextafter(near, np.float32(np.inf))]
    column = np.concatenate([*values, np.float32([0.0, -0.0, np.nan, 3.4e38, -3.4e38])])
    rng = np.random.default_rng(1)
    return np.stack([rng.permutation(column) for _ in NAMES], axis=1)


@pytest.mark.parametrize("depth", [1, 4, 8])
def test_every_document_gets_the_score_that_catboost_gives_it(trained, depth):
    ranker, fitted = _fit(_data(), depth=depth)
    rows = np.concatenate([_edges(trained[0]), _data(seed=1).features])
    # Leaves are rounded to 32 bits, and summed up in them.
    np.testing.assert_allclose(ranker.score(fitted.model, rows), trained[0].predict(rows), rtol=0, atol=1e-6)
    assert fitted.n_rounds == SETTINGS.n_rounds


@pytest.mark.parametrize("nan_mode", ["Min", "Max"])
def test_an_absent_value_goes_where_catboost_sends_it(nan_mode):
    data = _data()
    model = catboost.CatBoost({"iterations": 5, "depth": 3, "nan_mode": nan_mode, "allow_writing_files": False})
    model.fit(catboost.Pool(data.features, data.label), silent=True)
    found = module._as_json(model)
    treatments = {one["nan_value_treatment"] for one in found["features_info"]["float_features"]}
    assert {"Min": "AsFalse", "Max": "AsTrue"}[nan_mode] in treatments
    # The mean of the labels is the bias, and a scale belongs to it.
    scaled = {**found, "scale_and_bias": [2.0, found["scale_and_bias"][1]]}
    bias = found["scale_and_bias"][1][0]
    for one, factor in ((found, 1.0), (scaled, 2.0)):
        scores = CatBoostRanker(CatBoostOptions()).score(write_trees(one, NAMES), data.features)
        np.testing.assert_allclose(scores, bias + factor * (model.predict(data.features) - bias), rtol=0, atol=1e-5)


def test_a_question_that_was_answered_above_is_not_asked_again():
    split = {"float_feature_index": 0, "split_type": "FloatFeature"}
    tree = {"splits": [split | {"border": 1.0}, split | {"border": 2.0}], "leaf_values": [1, 2, 9, 3]}
    feature = {"feature_index": 0, "flat_feature_index": 0, "nan_value_treatment": "AsIs"}
    found = {
        "scale_and_bias": [1, [0.0]],
        "features_info": {"float_features": [feature]},
        "oblivious_trees": [tree | {"leaf_weights": [4, 2, 0, 2]}],
    }
    model = write_trees(found, ("a",))
    rows = np.float32([[0.5], [1.0], [1.5], [2.0], [2.5], [np.nan]])
    assert CatBoostRanker(CatBoostOptions()).score(model, rows).tolist() == [1, 1, 2, 2, 3, 1]


def test_the_validation_rows_end_a_fit_and_it_ranks(trained):
    data, valid = _data(120), _data(60, seed=5)
    settings = replace(SETTINGS, n_rounds=200, early_stopping_rounds=5)
    ranker, fitted = _fit(data, valid=valid, settings=settings)
    assert fitted.n_rounds < 200
    assert mean_ndcg(ranker.score(fitted.model, valid.features), valid.label, valid.qid, 10) > 0.8


def test_threads_and_reruns_change_no_byte():
    models = {_fit(_data(), settings=replace(SETTINGS, n_threads=n))[1].model for n in (1, 2, 1)}
    assert len(models) == 1


def test_importance_sums_up_to_one_and_sees_what_decides():
    ranker, fitted = _fit(_data())
    shares = ranker.importance(fitted.model, NAMES)
    assert sum(shares.values()) == pytest.approx(1)
    assert shares["title match"] == max(shares.values())


def test_without_the_package_the_ranker_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(module, "find_spec", lambda _: None)
    with pytest.raises(ConfigError, match="needs the package catboost"):
        CatBoostRanker(CatBoostOptions())


def test_a_grade_that_is_none_is_refused():
    data = _data()
    with pytest.raises(DataError, match=r"Grade \d\.5 cannot"):
        CatBoostRanker(CatBoostOptions()).prepare(replace(data, label=data.label + np.float32(2.5)))
