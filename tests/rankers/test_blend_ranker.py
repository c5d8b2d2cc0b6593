"""The blend of several rankers or seeds: one ensemble of trees whose score is the mean of its members'."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rankhammer import plugins
from rankhammer.errors import ConfigError, DataError
from rankhammer.mixed_model import read_mixed
from rankhammer.plugins import PluginSpec
from rankhammer.rankers import FitSettings, RankingData
from rankhammer.rankers.blend import _SEED_STEP, BlendOptions, BlendRanker
from rankhammer.rankers.xgboost import XGBoostOptions, XGBoostRanker

SETTINGS = FitSettings(n_rounds=10, early_stopping_rounds=None, metric_k=10, n_threads=1, random_state=7)
NAMES = ("signal", "noise")
DRAWN = {"subsample": 0.5, "max_depth": 3}


def _data(seed: int = 0) -> RankingData:
    rng = np.random.default_rng(seed)
    features = rng.random((400, 2), dtype=np.float32)
    features[::9, 1] = np.nan
    label = np.digitize(features[:, 0] + rng.normal(0, 0.2, 400), [0.5, 0.8]).astype(np.float32)
    return RankingData(features, label, np.repeat(np.arange(40, dtype=np.int32), 10), np.ones(400), NAMES)


def test_seeds_of_one_ranker_score_as_the_mean_of_their_scaled_scores():
    data = _data()
    blend = BlendRanker(BlendOptions(members=(PluginSpec(name="xgboost", options=DRAWN),), seeds=3))
    fitted = blend.fit(blend.prepare(data), None, params={"learning_rate": 0.3}, settings=SETTINGS)
    single = XGBoostRanker(XGBoostOptions(**DRAWN))
    expected = np.zeros(len(data.label))
    for seed in range(3):
        own = FitSettings(10, None, 10, 1, 7 + seed * _SEED_STEP)
        model = single.fit(single.prepare(data), None, params={"learning_rate": 0.3}, settings=own).model
        scores = single.score(model, data.features).astype(np.float64)
        expected += scores / scores.std() / 3
    np.testing.assert_allclose(blend.score(fitted.model, data.features), expected, rtol=0, atol=1e-5)
    assert fitted.n_rounds == SETTINGS.n_rounds
    assert sum(blend.importance(fitted.model, NAMES).values()) == pytest.approx(1)


def test_members_of_several_libraries_rank_together():
    members = tuple(PluginSpec(name=name) for name in ("xgboost", "lightgbm", "catboost"))
    blend = BlendRanker(BlendOptions(members=members, seeds=1))
    train = blend.prepare(_data())
    fitted = blend.fit(train, blend.prepare(_data(1), reference=train), params={}, settings=SETTINGS)
    scores = blend.score(fitted.model, np.float32([[0.1, 0.5], [0.65, 0.5], [0.95, 0.5]]))
    assert scores[0] < scores[1] < scores[2]
    assert blend.default_params() == {}
    assert blend.objective == "rank:ndcg+lambdarank+YetiRank"


def test_members_whose_seeds_change_nothing_are_named_unless_the_search_draws():
    still, drawn = PluginSpec(name="xgboost"), PluginSpec(name="xgboost", options={"subsample": 0.8})
    assert BlendRanker(BlendOptions(members=(still,), seeds=2)).equal_models(()) == {"xgboost": "subsample"}
    assert BlendRanker(BlendOptions(members=(still,), seeds=2)).equal_models(("colsample_bytree",)) == {}
    assert BlendRanker(BlendOptions(members=(still,), seeds=1)).equal_models(()) == {}
    several = BlendOptions(members=(drawn, PluginSpec(name="lightgbm"), PluginSpec(name="catboost")), seeds=2)
    assert BlendRanker(several).equal_models(("bagging_fraction",)) == {"lightgbm": "bagging_fraction"}


def test_models_of_a_member_that_is_named_are_equal_and_others_are_not():
    data = _data()
    settings = FitSettings(n_rounds=3, early_stopping_rounds=None, metric_k=10, n_threads=1, random_state=0)
    for name, options, n_models in (("xgboost", {}, 1), ("lightgbm", {}, 1), ("xgboost", {"subsample": 0.5}, 2)):
        member = plugins.create("rankers", PluginSpec(name=name, options=options))
        seeds = (replace(settings, random_state=seed) for seed in (0, 1_000_003))
        found = {member.fit(member.prepare(data), None, params={}, settings=one).model for one in seeds}
        assert len(found) == n_models, name


def test_the_parameters_of_an_only_member_are_searched():
    assert BlendRanker(BlendOptions()).default_params()["subsample"] == 0.8


def test_trees_and_a_network_score_as_the_mean_of_their_scaled_scores():
    data = _data()
    network = PluginSpec(name="neural", options={"width": 4, "members": 1})
    blend = BlendRanker(BlendOptions(members=(PluginSpec(name="xgboost", options=DRAWN), network), seeds=2))
    assert (blend.kind, BlendRanker(BlendOptions()).kind) == ("mixed", "trees")
    blend.require_training()
    fitted = blend.fit(blend.prepare(data), None, params={}, settings=SETTINGS)
    assert fitted == blend.fit(blend.prepare(data), None, params={}, settings=SETTINGS)
    expected = np.zeros(len(data.label))
    for spec in (PluginSpec(name="xgboost", options=DRAWN), network):
        member = plugins.create("rankers", spec)
        for seed in range(2):
            own = FitSettings(10, None, 10, 1, 7 + seed * _SEED_STEP)
            model = member.fit(member.prepare(data), None, params={}, settings=own).model
            scores = member.score(model, data.features).astype(np.float64)
            expected += scores / scores.std() / 4
    np.testing.assert_allclose(blend.score(fitted.model, data.features), expected, rtol=0, atol=1e-5)
    assert sum(blend.importance(fitted.model, NAMES).values()) == pytest.approx(1)
    with pytest.raises(DataError, match="blend cannot be read"):
        read_mixed(b'{"mixed":{}}')


def test_a_blend_has_trees_and_one_network_at_most():
    network, trees = PluginSpec(name="neural"), PluginSpec(name="xgboost")
    for members in ((network,), (trees, network, network)):
        with pytest.raises(ConfigError, match="needs a member with trees"):
            BlendRanker(BlendOptions(members=members))


@pytest.mark.parametrize("name", ["linear", "baseline", "blend"])
def test_a_member_without_trees_of_its_own_is_refused(name):
    with pytest.raises(ConfigError, match=f"has the member {name}"):
        BlendRanker(BlendOptions(members=(PluginSpec(name=name),)))
