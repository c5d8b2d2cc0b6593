"""Rules of the ranker that learns from chosen features alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import xgboost as xgb

from rankhammer import plugins
from rankhammer.errors import ConfigError
from rankhammer.exporters.ir.boosters import booster_kind
from rankhammer.neural_model import read_model
from rankhammer.plugins import PluginSpec
from rankhammer.rankers import FitSettings, RankingData
from rankhammer.rankers.selected import widen

SETTINGS = FitSettings(8, None, 10, 1, 3)
NAMES = tuple(f"f{at}" for at in range(12))


def _data(seed: int = 0) -> RankingData:
    """Of twelve features the fourth and the ninth say something."""
    rng = np.random.default_rng(seed)
    features = rng.standard_normal((600, 12)).astype(np.float32)
    label = np.digitize(features[:, 3] + features[:, 8], [0.0, 1.2]).astype(np.float32)
    return RankingData(features, label, np.repeat(np.arange(60, dtype=np.int32), 10), np.ones(600), NAMES)


def _selected(name: str, n_features: int = 2) -> object:
    options = {"n_features": n_features, "ranker": {"name": name, "options": {}}}
    return plugins.create("rankers", PluginSpec(name="selected", options=options))


@pytest.mark.parametrize("name", ["xgboost", "linear"])
def test_the_model_uses_the_chosen_features_and_scores_whole_vectors(name):
    data, ranker = _data(), _selected(name)
    fitted = ranker.fit(ranker.prepare(data), None, params={}, settings=SETTINGS)
    shares = ranker.importance(fitted.model, NAMES)
    assert {feature for feature, share in shares.items() if share} == {"f3", "f8"}
    columns = [3, 8]
    part = replace(data, features=np.ascontiguousarray(data.features[:, columns]), feature_names=("f3", "f8"))
    alone = plugins.create("rankers", PluginSpec(name=name))
    of_part = alone.fit(alone.prepare(part), None, params={}, settings=SETTINGS)
    expected = alone.score(of_part.model, part.features)
    assert np.array_equal(ranker.score(fitted.model, data.features), expected)
    booster = xgb.Booster(model_file=bytearray(fitted.model))
    assert booster.feature_names == list(NAMES)
    assert booster_kind(booster) == ("gblinear" if name == "linear" else "gbtree")


def test_a_network_of_chosen_features_takes_whole_vectors():
    data, ranker = _data(), _selected("neural")
    fitted = ranker.fit(ranker.prepare(data), None, params={"width": 4, "members": 1}, settings=SETTINGS)
    network = read_model(fitted.model)
    assert network.feature_names == NAMES
    assert [one.feature for one in network.inputs] == ["f3", "f8"]
    assert np.ptp(ranker.score(fitted.model, data.features)) > 1
    ranker.require_training()


def test_the_validation_rows_take_no_part_in_the_choice():
    ranker = _selected("xgboost")
    train = ranker.prepare(_data())
    # In these rows other features would be chosen.
    other = _data(1)
    moved = replace(other, features=np.ascontiguousarray(np.roll(other.features, 2, axis=1)))
    assert ranker.prepare(moved).columns.tolist() == [3 + 2, 8 + 2]
    valid = ranker.prepare(moved, reference=train)
    assert valid.columns.tolist() == train.columns.tolist() == [3, 8]
    fitted = ranker.fit(train, valid, params={}, settings=replace(SETTINGS, early_stopping_rounds=3))
    assert 1 <= fitted.n_rounds <= 8


def test_more_features_than_there_are_changes_nothing_but_the_bytes_way():
    data = _data()
    ranker, alone = _selected("xgboost", 50), plugins.create("rankers", PluginSpec(name="xgboost"))
    fitted = ranker.fit(ranker.prepare(data), None, params={}, settings=SETTINGS)
    plain = alone.fit(alone.prepare(data), None, params={}, settings=SETTINGS)
    assert np.array_equal(ranker.score(fitted.model, data.features), alone.score(plain.model, data.features))
    assert widen(plain.model, np.arange(12), NAMES) == plain.model


def test_it_does_not_choose_for_itself():
    with pytest.raises(ConfigError, match="itself"):
        plugins.create("rankers", PluginSpec(name="selected", options={"ranker": {"name": "selected"}}))
