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


def test_the_values_in_the_yml_are_valid():
    params = TrainingParams.model_validate(VALUES)
    assert params.headline == "ndcg@10"
    assert params.budget().n_trials == VALUES["n_trials"]


def test_the_yml_names_every_parameter():
    assert set(VALUES) == set(TrainingParams.model_fields)


def test_without_a_search_space_there_is_one_trial():
    assert TrainingParams.model_validate(VALUES | {"search_space": {}}).budget().n_trials == 1


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        ({"n_trial": 3}, ValidationError, "n_trial"),
        ({"n_trials": 0}, ValidationError, "n_trials"),
        ({"metric_k": 7}, ValidationError, "metrics must hold ndcg@7"),
        ({"metrics": ["ndgc@10"]}, ConfigError, "Did you mean 'ndcg'"),
        ({"ranker": {"name": "xgbost"}}, PluginError, "Did you mean 'xgboost'"),
        ({"ranker": {"name": "xgboost", "options": {"depth": 3}}}, PluginError, "depth"),
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
    assert {found.name for found in params.space().dimensions} == set(VALUES["search_space"][name])
    assert params.budget().n_trials == VALUES["n_trials"]


def test_an_environment_takes_a_searched_parameter_or_its_function_back_with_null():
    base = VALUES["search_space"]
    written = base["xgboost"] | {"max_depth": None, "subsample": {"uniform": None, "choice": [0.6, 1.0]}}
    params = TrainingParams.model_validate(VALUES | {"search_space": base | {"xgboost": written}})
    assert "max_depth" not in params.search_space["xgboost"]
    assert params.search_space["xgboost"]["subsample"] == {"choice": [0.6, 1.0]}
    for nothing in (None, dict.fromkeys(base["xgboost"])):
        none = TrainingParams.model_validate(VALUES | {"search_space": base | {"xgboost": nothing}})
        assert none.budget().n_trials == 1
