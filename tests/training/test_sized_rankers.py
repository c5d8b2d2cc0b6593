"""Sizes of a ranker on a training matrix: chosen by cross-validation, and drawn over two features."""

from __future__ import annotations

import pytest

from rankhammer.dashboard.pages.sweep import view
from rankhammer.dashboard.results import Report
from rankhammer.errors import ConfigError, DataError
from rankhammer.evaluation.bootstrap import Bootstrap
from rankhammer.plugins import PluginSpec
from rankhammer.sweeps.sized_rankers import N_BANDS, RankerSweepSettings, feature_names, require_known, sweep_rankers
from rankhammer.training.held_out_curves import ROUNDS, Family
from rankhammer.training.staging import stage_matrix


def settings(parameter="max_depth", values=(1.0, 3.0), ranker="xgboost", **changed):
    family = Family(PluginSpec(name=ranker), parameter, values, 5, 10)
    return RankerSweepSettings(family, **{"n_grid": 11, **changed})


@pytest.fixture
def staged(stored_matrix, matrix_rows):
    return stage_matrix(stored_matrix({"a": matrix_rows("a")}))


def test_a_size_is_chosen_and_every_size_is_drawn_over_what_matters(spark, staged):
    found = sweep_rankers(spark.sparkContext, staged, settings(), Bootstrap(n_resamples=100))["a"]
    assert [row["size"] for row in found["rows"]] == [1, 3]
    assert sum(row["is_chosen"] for row in found["rows"]) == 1
    assert found["failed"] == []
    for surface in found["surfaces"]:
        assert {surface["x"]["name"], surface["y"]["name"]} == {"signal", "noise"}
        levels = surface["levels"]
        assert len(levels) == len(levels[0]) == 11
        # The grade follows `signal`: where it is high, scores are.
        along = [row[-1] for row in levels[::-1]] if surface["y"]["name"] == "signal" else levels[5]
        assert along[-1] > along[0]
        assert max(map(max, levels)) < N_BANDS
    (shown,) = view(Report({"sweeps": {"a": found}}))["sweeps"]
    assert [one["shade"] for one in shown["surfaces"]] == ["q", "q"]
    assert shown["held_out"] == "queries of the other folds, by grades from clicks"


def test_the_same_seed_gives_the_same_and_rounds_are_a_size(spark, staged):
    asked = (spark.sparkContext, staged, settings(ROUNDS, (1.0, 4.0), features=("signal", "noise")))
    first = sweep_rankers(*asked, Bootstrap(n_resamples=100))
    assert first == sweep_rankers(*asked, Bootstrap(n_resamples=100))
    assert [row["name"] for row in first["a"]["rows"]] == ["n_rounds 1", "n_rounds 4"]
    assert first["a"]["surfaces"][0]["levels"] != first["a"]["surfaces"][1]["levels"]


def test_sizes_that_cannot_be_trained_are_named(spark, staged):
    found = sweep_rankers(spark.sparkContext, staged, settings(values=(0.0, 2.0)), Bootstrap(n_resamples=100))["a"]
    assert {one["value"] for one in found["failed"]} <= {0.0}
    with pytest.raises(DataError, match="No size could be measured"):
        sweep_rankers(spark.sparkContext, staged, settings("gamma", (-1.0,)), Bootstrap(n_resamples=100))


def test_features_of_a_surface_are_two_that_there_are(staged):
    known = feature_names(staged["a"])
    assert known == ("signal", "noise")
    require_known((), known)
    with pytest.raises(ConfigError, match="two features"):
        require_known(("signal",), known)
    with pytest.raises(ConfigError, match="no feature 'signel'"):
        require_known(("signel", "noise"), known)
