"""A search of one group of parameters after the other."""

from __future__ import annotations

from dataclasses import replace

import pytest
from local_search import BUDGET, SPACE, LocalContext, search

from rankhammer.errors import ConfigError
from rankhammer.plugins import PluginSpec
from rankhammer.training.choice import Candidate, RankerChoice
from rankhammer.training.search import Strategy, Trial
from rankhammer.training.search_space import parse_space, require_groups
from rankhammer.training.staged_search import StagedSearch, split_space

NAMES = ("x", "y", "z")
WHOLE = parse_space({name: {"uniform": [0, 10]} for name in NAMES}, known=NAMES)
DEFAULTS = dict.fromkeys(NAMES, 5.0) | {"unsearched": 1}
BEST = {"x": 2.0, "y": 8.0, "z": 4.0}


def _loss(trial: Trial) -> float:
    return sum((trial.params[name] - BEST[name]) ** 2 for name in NAMES)


def _search(*, batch_size: int = 1, n_trials: int = 31, failing: tuple[int, ...] = (), **changes) -> StagedSearch:
    options = {"defaults": DEFAULTS, "strategy": Strategy(3, "staged"), "random_state": 1} | changes
    found = StagedSearch("a", split_space(WHOLE, [["x"], ["y", "missing"]]), n_trials=n_trials, **options)
    while proposed := found.suggest(batch_size):
        for trial in proposed:
            found.record(replace(trial, loss=None if trial.number in failing else _loss(trial)))
    return found


def test_a_group_varies_its_parameters_and_begins_at_the_best_point_so_far():
    trials = _search().trials
    assert (len(trials), trials[0].params) == (31, {"x": 5.0, "y": 5.0, "z": 5.0})
    for group, name in enumerate(NAMES):
        before = min(trials[: 1 + 10 * group], key=_loss)
        own = trials[1 + 10 * group : 11 + 10 * group]
        fixed = [{other: trial.params[other] for other in NAMES if other != name} for trial in own]
        assert fixed == [{other: before.params[other] for other in NAMES if other != name}] * 10
        assert len({trial.params[name] for trial in own}) == 10


def test_it_is_deterministic_ends_near_the_minimum_and_never_worse_than_the_defaults():
    assert _search().trials == _search().trials
    assert _search().trials != _search(random_state=2).trials
    reached = [_loss(_search(random_state=seed).best) for seed in range(4)]
    # Each distance of the defaults is at least 1 in one parameter, and 19 in all.
    assert max(reached) <= _loss(Trial("a", 0, DEFAULTS)) == 9 + 9 + 1
    assert sum(reached) / 4 < 2


def test_a_batch_over_the_end_of_a_group_sees_the_batches_before_it_alone():
    trials = _search(batch_size=4).trials
    assert len(trials) == 31
    # Trials 8 to 11 are a batch, and 11 is the first of the second group.
    before = min(trials[:8], key=_loss)
    assert {name: trials[11].params[name] for name in "xz"} == {name: before.params[name] for name in "xz"}


def test_failed_trials_are_no_base_and_a_search_whose_defaults_fail_goes_on():
    found = _search(failing=(0, 3))
    assert found.best.number not in (0, 3)
    assert len(found.trials) == 31


def test_what_no_group_names_is_the_last_group():
    names = [[one.name for one in space.dimensions] for space in split_space(WHOLE, [["y"]])]
    assert names == [["y"], ["x", "z"]]
    assert [len(space.dimensions) for space in split_space(WHOLE, [])] == [3]


@pytest.mark.parametrize(("groups", "text"), [([["x"], ["xx"]], "'xx'"), ([["x"], ["y", "x"]], "'x' twice")])
def test_a_wrong_group_is_refused(groups, text):
    with pytest.raises(ConfigError, match=text):
        require_groups(groups, ranker="xgboost", known=NAMES)


def test_rankers_are_searched_by_it(matrix):
    trees = Candidate(PluginSpec(name="xgboost"), SPACE, groups=(("max_depth",), ("learning_rate", "subsample")))
    budget = replace(BUDGET, n_trials=9, strategy=Strategy(2, "staged"))
    trials, failures = search(matrix, None, LocalContext(), choice=RankerChoice((trees,)), budget=budget)
    assert failures == []
    assert [(trial.corpus, trial.number) for trial in trials] == [(name, n) for name in "ab" for n in range(9)]
    assert {trial.ranker for trial in trials} == {"xgboost"}
    first = [trial.params for trial in trials[:5]]
    assert {(params["learning_rate"], params["subsample"]) for params in first} == {
        (first[0]["learning_rate"], first[0]["subsample"])
    }
