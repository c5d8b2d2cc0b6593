"""What is recorded of each trial, and what the log says of them; tasks run in this process."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from local_search import BUDGET, SPACE, LocalContext, search

from rankhammer.plugins import PluginSpec
from rankhammer.training.choice import Candidate, RankerChoice, lead_of

TREES = RankerChoice((Candidate(PluginSpec(name="xgboost"), SPACE),))


def test_a_trial_has_the_ndcg_of_each_fold_and_the_standard_error_of_their_mean(matrix):
    trials, _ = search(matrix, None, LocalContext(), choice=TREES, budget=replace(BUDGET, n_trials=3))
    for trial in trials:
        mean = sum(trial.fold_ndcg) / 3
        spread = sum((value - mean) ** 2 for value in trial.fold_ndcg) / 2
        assert trial.loss == pytest.approx(-mean)
        assert trial.standard_error == pytest.approx(math.sqrt(spread / 3))


def test_the_log_names_the_corpora_whose_best_two_trials_folds_do_not_tell_apart(matrix, caplog):
    caplog.set_level("INFO", "rankhammer.training.tune")
    trials, _ = search(matrix, None, LocalContext(), choice=TREES, budget=replace(BUDGET, n_trials=6))
    close = {name for name in "ab" if lead_of(trial for trial in trials if trial.corpus == name).is_noise}
    (line,) = [line for line in caplog.messages if "more folds" in line]
    assert close
    assert {name for name in "ab" if f" {name} (trial " in line} == close
