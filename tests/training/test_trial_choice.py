"""Which trial of a search is taken: the best, or the simplest within one standard error."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from local_search import BUDGET, KNOWN, LocalContext, search

from rankhammer.plugins import PluginSpec
from rankhammer.training.choice import Candidate, RankerChoice, group_sums
from rankhammer.training.matrix_table import read_trials, trial_table
from rankhammer.training.search import Standing, Trial
from rankhammer.training.search_space import parse_space
from rankhammer.training.trial_choice import choice_of, choose_trial, compare

VALUES = np.random.default_rng(0).random(40)
NOISE = np.random.default_rng(1).normal(0, 0.1, 40)
NEAR = VALUES - 0.005 + NOISE - NOISE.mean()
"""Behind VALUES by 0.005, with a standard error of 0.1 / sqrt(40) = 0.016."""


def _trial(number: int, values=VALUES, size: float = 100.0, n_rounds: int = 10, **changes) -> Trial:
    loss = -float(np.mean(values))
    groups = group_sums(np.asarray(values))
    return Trial("a", number, {}, loss, n_rounds, **{"groups": groups, "model_size": size, "ranker": "x", **changes})


def _taken(trials, rule="one_standard_error") -> int:
    return choose_trial(compare(trials), rule).number


def test_the_smallest_model_within_one_standard_error_is_taken_and_by_the_mean_the_best():
    trials = [_trial(0), _trial(1, NEAR, 50), _trial(2, NEAR - 0.001, 20), _trial(3, VALUES - 0.1, 1)]
    assert _taken(trials) == 2
    assert _taken(trials, "mean") == 0


def test_a_trial_that_is_surely_behind_is_not_taken_however_small_and_however_little():
    """Equal differences for all queries have no standard error."""
    assert _taken([_trial(0), _trial(1, VALUES - 0.001, 1)]) == 0


def test_of_equal_sizes_fewer_rounds_then_the_better_mean_then_the_earlier_trial_is_taken():
    assert _taken([_trial(0), _trial(1, NEAR, n_rounds=9)]) == 1
    assert _taken([_trial(1, NEAR), _trial(0)]) == 0
    assert _taken([_trial(2), _trial(1)]) == 1


def test_failed_and_pruned_trials_take_no_part_and_without_another_none_is_taken():
    pruned = _trial(1, VALUES + 0.1, 1, is_pruned=True)
    failed = Trial("a", 2, {}, error="x")
    assert _taken([_trial(0), pruned, failed]) == 0
    assert choose_trial(compare([pruned, failed]), "one_standard_error") is None
    assert [trial.behind_best for trial in compare([_trial(0), pruned, failed])] == [0.0, None, None]


def test_the_reason_names_the_best_trial_and_what_is_saved():
    first, second = compare([_trial(0, size=2000), _trial(1, NEAR, 50)])
    marked = [first, replace(second, standing=Standing("x", 0.5, 0.0, 0.0, chosen=True))]
    found = choice_of(marked, "one_standard_error")
    assert (found.number, found.best, found.behind) == (1, 0, pytest.approx(0.005))
    assert found.reason == (
        f"the simplest that is at most one standard error behind trial 0: by 0.0050, standard error "
        f"{found.standard_error:.4f}, size 50 instead of 2,000"
    )
    of_best = [replace(first, standing=Standing("x", 0.5, 0.0, 0.0, chosen=True)), second]
    assert "none that is simpler" in choice_of(of_best, "one_standard_error").reason
    assert choice_of(of_best, "mean").reason == "the highest mean NDCG over folds"
    assert choice_of([first, second], "mean") is None


DEPTHS = parse_space({"max_depth": {"choice": [1, 2, 6]}}, known=KNOWN)
RULE = RankerChoice((Candidate(PluginSpec(name="xgboost"), DEPTHS),), trial_rule="one_standard_error")


def test_a_search_marks_the_simplest_trial_and_the_table_says_why(spark, matrix, caplog):
    caplog.set_level("INFO", "rankhammer.training")
    budget = replace(BUDGET, n_trials=6)
    trials, _ = search(matrix, None, LocalContext(), choice=RULE, budget=budget)
    n_simpler = 0
    for corpus in "ab":
        own = [trial for trial in trials if trial.corpus == corpus]
        (taken,) = [trial for trial in own if trial.standing and trial.standing.chosen]
        close = [trial for trial in own if trial.behind_best <= trial.behind_best_se or trial.behind_best == 0]
        assert taken.model_size == min(trial.model_size for trial in close)
        best = max(own, key=lambda trial: -trial.loss)
        n_simpler += taken.model_size < best.model_size
        told = f"Tuning: corpus {corpus} gets trial {taken.number} of xgboost, the simplest that is at most"
        assert any(line.startswith(told) for line in caplog.messages) == (taken.number != best.number)
    assert n_simpler
    shallow = [trial for trial in trials if trial.params["max_depth"] == 1]
    # A tree of depth 1 has two leaves.
    assert [trial.model_size for trial in shallow] == [2 * sum(trial.fold_rounds) / 3 for trial in shallow]
    stored = read_trials(trial_table(spark, trials))
    assert [(one.model_size, one.behind_best, one.behind_best_se) for one in stored] == [
        (one.model_size, one.behind_best, one.behind_best_se) for one in trials
    ]
    by_mean, _ = search(matrix, None, LocalContext(), choice=replace(RULE, trial_rule="mean"), budget=budget)
    assert [replace(one, standing=None, duration_s=0) for one in by_mean] == [
        replace(one, standing=None, duration_s=0) for one in trials
    ]
