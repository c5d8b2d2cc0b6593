"""The LightGBM ranker: its trees take every document the way that LightGBM takes it, as a booster of XGBoost."""

from __future__ import annotations

import json
from dataclasses import replace

import lightgbm
import numpy as np
import pytest
import xgboost as xgb

from rankhammer.errors import ConfigError, DataError
from rankhammer.evaluation.metrics import mean_ndcg
from rankhammer.rankers import FitSettings, RankingData
from rankhammer.rankers import lightgbm as module
from rankhammer.rankers.booster_trees import Node, threshold_above, write_booster
from rankhammer.rankers.lightgbm import LightGBMOptions, LightGBMRanker

SETTINGS = FitSettings(n_rounds=30, early_stopping_rounds=None, metric_k=10, n_threads=1, random_state=7)
NAMES = ("title match", "sold: all", "bad", "sometimes")


def _data(n_queries: int = 80, *, seed: int = 0) -> RankingData:
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(n_queries * 10, 4)).astype(np.float32) * np.array([1, 1e5, 1e-6, 1], np.float32)
    features[rng.random(len(features)) < 0.3, 3] = np.nan
    hidden = features[:, 0] + features[:, 1] / 2e5 - np.nan_to_num(features[:, 3]) * 0.3
    label = np.digitize(hidden + rng.normal(0, 0.3, len(features)), [0.2, 0.8, 1.4]).astype(np.float32)
    return RankingData(features, label, np.repeat(np.arange(n_queries, dtype=np.int32), 10), np.ones(len(label)), NAMES)


def _fit(data, *, valid=None, settings=SETTINGS, options=None, **params):
    ranker = LightGBMRanker(options or LightGBMOptions())
    train = ranker.prepare(data, n_threads=settings.n_threads)
    checked = ranker.prepare(valid, reference=train) if valid else None
    return ranker, ranker.fit(train, checked, params=params, settings=settings)


@pytest.fixture
def trained(monkeypatch):
    """Keeps the boosters that LightGBM trains."""
    kept, train = [], lightgbm.train
    monkeypatch.setattr(lightgbm, "train", lambda *given, **more: kept.append(train(*given, **more)) or kept[-1])
    return kept


def _edges(booster) -> np.ndarray:
    """Return rows that stand on, just below and just above each threshold, and extreme and absent ones."""
    text = json.dumps(booster.dump_model())
    thresholds = [float(part.split(",")[0]) for part in text.split('"threshold": ')[1:]]
    near = np.float32(thresholds)
    values = [near, np.nextafter(near, np.float32(-np.inf)), np.nextafter(near, np.float32(np.inf))]
    values.append(np.float32([0.0, -0.0, np.nan, 1e-40, -1e-40, 3.4e38, -3.4e38]))
    column = np.concatenate(values)
    rng = np.random.default_rng(1)
    return np.stack([rng.permutation(column) for _ in NAMES], axis=1)


@pytest.mark.parametrize("absent_in_training", [True, False])
def test_each_document_gets_the_score_that_lightgbm_gives_it(trained, absent_in_training):
    data = _data()
    if not absent_in_training:
        data = replace(data, features=np.nan_to_num(data.features))
    ranker, fitted = _fit(data, num_leaves=15, min_data_in_leaf=5)
    rows = np.concatenate([_edges(trained[0]), _data(seed=3).features])
    assert fitted.n_rounds == trained[0].num_trees() == 30
    assert ranker.score(fitted.model, rows) == pytest.approx(trained[0].predict(rows), abs=2e-6)


def test_it_ranks_unseen_queries_far_better_than_their_order(trained):
    ranker, fitted = _fit(_data(200))
    unseen = _data(seed=5)
    found = mean_ndcg(ranker.score(fitted.model, unseen.features), unseen.label, unseen.qid, 10)
    assert found > mean_ndcg(np.zeros(len(unseen.label)), unseen.label, unseen.qid, 10) + 0.15
    shares = ranker.importance(fitted.model, NAMES)
    assert max(shares, key=shares.get) == "title match"
    assert shares["bad"] < 0.1


def test_it_stops_early_on_the_validation_queries_and_keeps_the_best_round(trained):
    settings = replace(SETTINGS, n_rounds=400, early_stopping_rounds=5)
    _, fitted = _fit(_data(40), valid=_data(40, seed=9), settings=settings, learning_rate=0.5)
    assert fitted.n_rounds == trained[0].best_iteration < 400
    assert xgb.Booster(model_file=bytearray(fitted.model)).num_boosted_rounds() == fitted.n_rounds


def test_the_number_of_threads_changes_no_byte():
    data = _data(200)
    params = {"bagging_fraction": 0.7, "feature_fraction": 0.7}
    models = {_fit(data, settings=replace(SETTINGS, n_threads=n), **params)[1].model for n in (1, 2)}
    assert len(models) == 1
    assert _fit(data, settings=replace(SETTINGS, random_state=8), **params)[1].model not in models


def test_one_preparation_serves_fits_of_any_parameters():
    ranker = LightGBMRanker(LightGBMOptions())
    train = ranker.prepare(_data())
    points = [{"min_data_in_leaf": 50}, {"min_data_in_leaf": 1, "num_leaves": 63}, {"max_depth": 2}]
    together = [ranker.fit(train, None, params=point, settings=SETTINGS).model for point in points]
    assert together == [_fit(_data(), **point)[1].model for point in points]


def test_a_monotone_feature_never_lowers_a_score():
    ranker, fitted = _fit(_data(), options=LightGBMOptions(monotone=("bad",)), min_data_in_leaf=1)
    rows = np.zeros((50, 4), np.float32)
    rows[:, 2] = np.linspace(-3e-6, 3e-6, 50)
    assert (np.diff(ranker.score(fitted.model, rows)) >= 0).all()
    with pytest.raises(DataError, match="Option monotone of lightgbm names 'bid'"):
        _fit(_data(), options=LightGBMOptions(monotone=("bid",)))


def test_rows_that_cannot_be_split_give_one_leaf():
    data = _data(2)
    ranker, fitted = _fit(replace(data, features=np.ones_like(data.features)))
    assert len(set(ranker.score(fitted.model, data.features))) == 1


def test_grades_up_to_31_are_trained_on_and_higher_ones_refused():
    data = _data(10)
    _fit(replace(data, label=np.where(data.label > 0, 31, 0).astype(np.float32)))
    with pytest.raises(DataError, match="Grade 32"):
        _fit(replace(data, label=np.full_like(data.label, 32)))


def test_without_lightgbm_it_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(module, "find_spec", lambda _: None)
    with pytest.raises(ConfigError, match=r"pip install 'rankhammer\[lightgbm\]'"):
        LightGBMRanker(LightGBMOptions())


@pytest.mark.parametrize("at_most", [0.1, -0.1, 0.0, 1e-46, -1e-46, 16777217.0, 1e300, -1e300, float(np.float32(0.1))])
def test_a_threshold_of_32_bits_divides_32_bit_values_as_the_other_does(at_most):
    with np.errstate(over="ignore", under="ignore"):
        near = np.float32(at_most)
        values = [near, np.nextafter(near, np.float32(np.inf)), np.nextafter(near, np.float32(-np.inf)), np.float32(0)]
    threshold = np.float32(threshold_above(at_most))
    assert [value < threshold for value in values] == [float(value) <= at_most for value in values]


def test_a_base_score_is_added_to_every_row():
    tree = Node(cover=2, feature=0, at_most=1.0, gain=3.0, children=(Node(1, value=-1), Node(1, value=2)))
    booster = xgb.Booster(model_file=bytearray(write_booster([tree, tree], ("a",), base=0.25)))
    assert booster.inplace_predict(np.float32([[1.0], [1.5], [np.nan]])) == pytest.approx([-1.75, 4.25, -1.75])
