"""The training stage's parameters: the yml is valid, and a mistake is found before anything runs."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from rankhammer import plugins
from rankhammer.errors import ConfigError, PluginError
from rankhammer.pipelines.training.params import TrainingParams

YML = Path(__file__).parents[3] / "conf" / "base" / "parameters" / "training.yml"
VALUES = yaml.safe_load(YML.read_text())["training"]
XGBOOST = VALUES | {"ranker": {"name": "xgboost"}}


def test_the_values_in_the_yml_are_valid():
    params = TrainingParams.model_validate(VALUES)
    assert params.headline == "ndcg@10"
    assert params.budget().n_trials == VALUES["n_trials"]


def test_the_yml_names_every_parameter():
    assert set(VALUES) == set(TrainingParams.model_fields)


def test_a_grid_that_fits_is_searched_and_one_trial_needs_none():
    space = {"search_algorithm": "grid", "search_space": {"xgboost": {"max_depth": {"choice": [2, 4, 6]}}}}
    assert TrainingParams.model_validate(XGBOOST | space | {"n_trials": 4}).budget().strategy.algorithm == "grid"
    with pytest.raises(ConfigError, match="3 trials are allowed"):
        TrainingParams.model_validate(XGBOOST | space | {"n_trials": 3})
    assert TrainingParams.model_validate(XGBOOST | {"search_algorithm": "grid", "n_trials": 1}).n_trials == 1


def test_without_a_search_space_there_is_one_trial():
    choice = TrainingParams.model_validate(XGBOOST | {"search_space": {}}).choice_of()
    assert choice.candidates[0].space.dimensions == ()


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        ({"n_trial": 3}, ValidationError, "n_trial"),
        ({"n_trials": 0}, ValidationError, "n_trials"),
        ({"metric_k": 7}, ValidationError, "metrics must hold ndcg@7"),
        ({"metrics": ["ndgc@10"]}, ConfigError, "Did you mean 'ndcg'"),
        ({"ranker": {"name": "auto", "options": {"max_depth": 3}}}, ConfigError, "auto has no options"),
        ({"choice": VALUES["choice"] | {"candidates": []}}, ValidationError, "choice.candidates"),
        (
            {"choice": VALUES["choice"] | {"candidates": [{"name": "linear"}, {"name": "linear"}]}},
            ConfigError,
            "candidates names a ranker twice",
        ),
        ({"choice": VALUES["choice"] | {"candidates": [{"name": "liner"}]}}, PluginError, "Did you mean 'linear'"),
        ({"ranker": {"name": "xgbost"}}, PluginError, "Did you mean 'xgboost'"),
        ({"ranker": {"name": "xgboost", "options": {"depth": 3}}}, PluginError, "depth"),
        ({"search_algorithm": "bayes"}, ValidationError, "search_algorithm"),
        ({"search_algorithm": "grid"}, ConfigError, "infinitely many values"),
        ({"search_space": {"xgboost": {"max_dept": {"uniform": [0, 1]}}}}, ConfigError, "Did you mean 'max_depth'"),
        ({"search_space": {"xgboost": {"max_depth": {"qunifrom": [3, 8, 1]}}}}, ConfigError, "Did you mean 'quniform'"),
        ({"search_space": {"max_depth": {"quniform": [3, 8, 1]}}}, ConfigError, "'max_depth', which is no ranker"),
        (
            {"ranker": {"name": "linear"}, "search_space": {"linear": {"max_depth": {"quniform": [3, 8, 1]}}}},
            ConfigError,
            "'max_depth', which the ranker does not have",
        ),
    ],
)
def test_a_mistake_is_named(change, error, text):
    with pytest.raises(error, match=text):
        TrainingParams.model_validate(VALUES | change)


@pytest.mark.parametrize("name", plugins.names("rankers"))
def test_each_ranker_is_searched_in_its_own_space_by_one_line(name):
    params = TrainingParams.model_validate(VALUES | {"ranker": {"name": name}})
    (candidate,) = params.choice_of().candidates
    assert {found.name for found in candidate.space.dimensions} == set(VALUES["search_space"].get(name, {}))
    assert params.budget().n_trials == VALUES["n_trials"]


def test_an_environment_takes_a_searched_parameter_or_its_function_back_with_null():
    base = VALUES["search_space"]
    written = base["xgboost"] | {"max_depth": None, "subsample": {"uniform": None, "choice": [0.6, 1.0]}}
    params = TrainingParams.model_validate(VALUES | {"search_space": base | {"xgboost": written}})
    assert "max_depth" not in params.search_space["xgboost"]
    assert params.search_space["xgboost"]["subsample"] == {"choice": [0.6, 1.0]}
    for nothing in (None, dict.fromkeys(base["xgboost"])):
        none = TrainingParams.model_validate(XGBOOST | {"search_space": base | {"xgboost": nothing}})
        assert none.choice_of().candidates[0].space.dimensions == ()


def test_auto_chooses_by_size_and_its_baseline_is_the_baseline_feature():
    choice = TrainingParams.model_validate(VALUES | {"baseline_feature": "title_bm25"}).choice_of()
    small, middle, large = (choice.for_queries(n) for n in (299, 300, 5000))
    assert [found.name for found in small] == [found.name for found in middle] == ["baseline", "linear", "xgboost"]
    assert [found.name for found in large] == ["xgboost"]
    assert small[0].ranker.options == {"feature": "title_bm25"}
    assert [(found.n_trials, found.n_rounds) for found in (small[-1], middle[-1])] == [(1, 300), (None, None)]
    assert small[-1].ranker.options["max_depth"] == 2
    assert middle[-1].ranker.options == {}
