"""The training stage's parameters: the yml is valid, and a mistake is found before anything runs."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from rankhammer import plugins
from rankhammer.errors import ConfigError, PluginError
from rankhammer.pipelines.training.params import TrainingParams
from rankhammer.training.pruning import Pruning

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


def test_pruning_is_off_until_folds_are_named():
    assert TrainingParams.model_validate(VALUES).budget().pruning is None
    pruning = {"pruning": {"after_folds": 2, "standard_errors": 2.5}}
    assert TrainingParams.model_validate(VALUES | pruning).budget().pruning == Pruning(2, 2.5)


def test_a_staged_search_has_the_groups_of_its_ranker():
    params = TrainingParams.model_validate(XGBOOST | {"search_algorithm": "staged"})
    (candidate,) = params.choice_of().candidates
    assert candidate.groups[0] == ("max_depth", "min_child_weight")
    assert params.budget().strategy.algorithm == "staged"
    assert TrainingParams.model_validate(XGBOOST | {"search_groups": {"xgboost": None}}).search_groups == {}


def test_every_candidate_that_learns_learns_from_chosen_features_and_keeps_its_name():
    params = TrainingParams.model_validate(VALUES | {"feature_selection": {"n_features": 7}})
    found = {candidate.name: candidate for candidate in params.choice_of().candidates}
    plain = {candidate.name: candidate for candidate in TrainingParams.model_validate(VALUES).choice_of().candidates}
    assert [*found] == [*plain] == ["baseline", "linear", "xgboost"]
    assert found["baseline"] == plain["baseline"]
    for name in ("linear", "xgboost"):
        options = {"n_features": 7, "ranker": plain[name].ranker.model_dump(mode="json")}
        assert (found[name].ranker.name, found[name].ranker.options) == ("selected", options)
        assert found[name].space == plain[name].space


def test_without_a_search_space_there_is_one_trial():
    choice = TrainingParams.model_validate(XGBOOST | {"search_space": {}}).choice_of()
    assert choice.candidates[0].space.dimensions == ()


def _rules(*rules: dict[str, object]) -> dict[str, object]:
    return {"search_spaces": [{"search_space": {}} | rule for rule in rules]}


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        ({"n_trial": 3}, ValidationError, "n_trial"),
        ({"n_trials": 0}, ValidationError, "n_trials"),
        ({"search_groups": {"xgbost": [["max_depth"]]}}, ConfigError, "search_groups names 'xgbost'"),
        ({"search_groups": {"xgboost": [["max_dept"]]}}, ConfigError, "max_dept"),
        ({"pruning": {"after_folds": -1, "standard_errors": 2}}, ValidationError, "after_folds"),
        ({"pruning": {"after_folds": 1, "standard_errors": 0}}, ValidationError, "standard_errors"),
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
        (_rules({"max_rows": 5000}, {"max_rows": 500}), ConfigError, r"search_spaces\[1\].max_rows is 500, .* 5,000"),
        (_rules({"max_rows": 500}, {"max_rows": 500}), ConfigError, "no corpus would come to it"),
        (_rules({"max_rows": 0}), ValidationError, "max_rows"),
        (_rules({"max_row": 500}), ValidationError, "max_row"),
        (
            _rules({"max_rows": 9, "search_space": {"xgbost": {}}}),
            ConfigError,
            "search_space names 'xgbost', which is no",
        ),
        (
            _rules({"max_rows": 9, "search_space": {"xgboost": {"max_dept": {"choice": [1]}}}}),
            ConfigError,
            r"search_spaces\[0\].search_space names 'max_dept'",
        ),
        (
            _rules({"max_rows": 9, "search_space": {"xgboost": {"max_depth": {"uniform": [3, 1]}}}}),
            ConfigError,
            r"search_spaces\[0\].search_space.max_depth: uniform got \[3, 1\]",
        ),
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


NARROW = {"xgboost": {"max_depth": {"choice": [1, 2]}, "subsample": None}}


def test_the_first_rule_that_a_corpus_is_small_enough_for_says_how_it_is_searched():
    rules = _rules({"max_rows": 100, "search_space": NARROW, "n_trials": 3, "n_rounds": 20}, {"max_rows": 500})
    choice = TrainingParams.model_validate(XGBOOST | rules).choice_of()
    (tiny,), (small,), (large,) = (choice.for_size(50, n_rows) for n_rows in (100, 101, 501))
    assert {one.name: one.arguments for one in tiny.space.dimensions}["max_depth"] == (1, 2)
    assert {one.name for one in tiny.space.dimensions} == set(VALUES["search_space"]["xgboost"]) - {"subsample"}
    assert (tiny.n_trials, tiny.max_rounds, tiny.n_rounds) == (3, 20, None)
    assert small == large == choice.candidates[0]
    assert [choice.size_of(50, n_rows) for n_rows in (100, 500, 501)] == [*choice.sizes, None]


def test_a_rule_does_not_take_trials_from_a_candidate_that_says_its_own_and_none_is_named_where_nothing_is_searched():
    choice = TrainingParams.model_validate(VALUES | _rules({"max_rows": 100, "n_trials": 3})).choice_of()
    assert [found.n_trials for found in choice.for_size(299, 100)] == [None, 1, 1]
    assert [found.n_trials for found in choice.for_size(300, 100)] == [3, 1, 3]
    assert choice.size_of(299, 100) is None
    assert choice.size_of(300, 100) == choice.sizes[0]


def test_a_grid_has_to_fit_for_corpora_of_every_size():
    grid = {"search_algorithm": "grid", "search_space": {"xgboost": {"max_depth": {"choice": [2, 4]}}}, "n_trials": 3}
    wide = _rules({"max_rows": 100, "search_space": {"xgboost": {"max_depth": {"choice": [1, 2, 3]}}}})
    with pytest.raises(ConfigError, match="3 points, and 3 trials"):
        TrainingParams.model_validate(XGBOOST | grid | wide)
    enough = _rules({"max_rows": 100, "search_space": wide["search_spaces"][0]["search_space"], "n_trials": 4})
    assert TrainingParams.model_validate(XGBOOST | grid | enough).n_trials == 3
