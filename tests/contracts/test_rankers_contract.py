"""What every registered ranker must do."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from pydantic import BaseModel

from rankhammer import plugins
from rankhammer.plugins import PluginSpec
from rankhammer.rankers import FitSettings, RankingData

RANKERS = [found.name for found in plugins.installed() if found.group == "rankers" and not found.error]
SETTINGS = FitSettings(n_rounds=15, early_stopping_rounds=5, metric_k=10, n_threads=1, random_state=3)
NAMES = ("signal", "noise", "constant")


def _data(seed: int) -> RankingData:
    rng = np.random.default_rng(seed)
    features = rng.random((400, 3), dtype=np.float32)
    features[:, 2] = 1.0
    label = np.digitize(features[:, 0], [0.5, 0.8]).astype(np.float32)
    return RankingData(features, label, np.repeat(np.arange(40, dtype=np.int32), 10), np.ones(400), NAMES)


@pytest.fixture(params=RANKERS)
def ranker(request):
    return plugins.create("rankers", PluginSpec(name=request.param))


@pytest.fixture
def fitted(ranker):
    train = ranker.prepare(_data(0))
    return ranker.fit(train, ranker.prepare(_data(1), reference=train), params={}, settings=SETTINGS)


def test_a_ranker_is_registered():
    assert "xgboost" in RANKERS


def test_it_says_what_it_is(ranker):
    assert issubclass(ranker.Options, BaseModel)
    assert isinstance(ranker.objective, str)
    assert type(ranker).__doc__


def test_its_default_parameters_are_plain_values(ranker):
    assert all(isinstance(value, int | float | str | bool) for value in ranker.default_params().values())


def test_it_ranks_a_higher_signal_higher(ranker, fitted):
    scores = ranker.score(fitted.model, np.array([[0.2, 0.5, 1.0], [0.65, 0.5, 1.0], [0.9, 0.5, 1.0]], np.float32))
    assert scores.dtype == np.float32
    assert scores[0] < scores[1] < scores[2]


def test_a_score_depends_on_its_own_row_alone(ranker, fitted):
    features = _data(2).features
    assert np.array_equal(ranker.score(fitted.model, features)[7:9], ranker.score(fitted.model, features[7:9]))


def test_it_scores_absent_values(ranker, fitted):
    assert np.isfinite(ranker.score(fitted.model, np.full((1, 3), np.nan, np.float32))).all()


def test_the_same_data_parameters_and_seed_give_the_same_bytes(ranker):
    models = {ranker.fit(ranker.prepare(_data(0)), None, params={}, settings=SETTINGS).model for _ in range(2)}
    assert len(models) == 1


def test_it_holds_no_more_rounds_than_allowed(fitted):
    assert 1 <= fitted.n_rounds <= SETTINGS.n_rounds


def test_importance_is_a_share_of_every_feature(ranker, fitted):
    shares = ranker.importance(fitted.model, NAMES)
    assert list(shares) == list(NAMES)
    assert sum(shares.values()) == pytest.approx(1.0)
    assert shares["constant"] == 0.0


def test_it_and_its_result_travel_between_processes(ranker, fitted):
    assert pickle.loads(pickle.dumps(fitted)) == fitted
    assert type(pickle.loads(pickle.dumps(ranker))) is type(ranker)
