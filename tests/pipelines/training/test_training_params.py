"""The training stage's parameters: the yml is valid, and a mistake is found before anything runs."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

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
        ({"search_space": {"max_dept": {"uniform": [0, 1]}}}, ConfigError, "Did you mean 'max_depth'"),
        ({"search_space": {"max_depth": {"qunifrom": [3, 8, 1]}}}, ConfigError, "Did you mean 'quniform'"),
    ],
)
def test_a_mistake_is_named(change, error, text):
    with pytest.raises(error, match=text):
        TrainingParams.model_validate(VALUES | change)


def test_an_environment_takes_a_searched_parameter_or_its_function_back_with_null():
    written = {"max_depth": None, "subsample": {"uniform": None, "choice": [0.6, 1.0]}}
    params = TrainingParams.model_validate(VALUES | {"search_space": VALUES["search_space"] | written})
    assert "max_depth" not in params.search_space
    assert params.search_space["subsample"] == {"choice": [0.6, 1.0]}
    assert (
        TrainingParams.model_validate(VALUES | {"search_space": dict.fromkeys(VALUES["search_space"])})
        .budget()
        .n_trials
        == 1
    )
