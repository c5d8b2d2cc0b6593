"""The validation metric by round: what is kept of it, and that it survives an interruption."""

from __future__ import annotations

from dataclasses import replace

import pytest
from local_search import BUDGET, LocalContext, search

from rankhammer.plugins import PluginSpec
from rankhammer.storage.checkpoints import CheckpointFolder
from rankhammer.training.choice import Candidate, RankerChoice
from rankhammer.training.curves import Curve, held, thin
from rankhammer.training.matrix_table import read_trials, trial_table


def test_all_rounds_of_a_short_fit_are_kept():
    assert thin([0.1, 0.3, 0.2], 2, 3) == Curve((1, 2, 3), (0.1, 0.3, 0.2))


@pytest.mark.parametrize("best", [1, 37, 1000])
def test_a_long_fit_keeps_so_many_rounds_with_the_first_the_best_and_the_last(best):
    by_round = [number / 1000 for number in range(1, 1001)]
    curve = thin(by_round, best, 20)
    assert {1, best, 1000} <= set(curve.rounds)
    assert len(curve.rounds) <= 20
    assert curve.ndcg == tuple(number / 1000 for number in curve.rounds)
    assert max(late - early for early, late in zip(curve.rounds, curve.rounds[1:], strict=False)) <= 1000 / 18 + 1


def test_nothing_is_kept_of_a_fit_that_looked_at_nothing_or_where_nothing_is_wanted():
    assert thin([], 5, 10) == thin([0.5], 1, 0) == Curve()


def test_between_kept_rounds_is_a_line_and_after_the_last_one_the_best():
    assert held(Curve((1, 3, 5), (0.2, 0.6, 0.5)), [1, 2, 5, 9]) == pytest.approx([0.2, 0.4, 0.5, 0.6])


SHORT = replace(BUDGET, n_trials=4, n_rounds=8, early_stopping_rounds=2)


LEARN = [Candidate(PluginSpec(name=name)) for name in ("linear", "xgboost", "lightgbm", "catboost")]


@pytest.mark.parametrize("candidate", LEARN, ids=lambda candidate: candidate.name)
def test_each_fold_of_a_trial_has_its_best_round_and_its_metric_by_round(matrix, candidate):
    trials, _ = search(matrix, None, LocalContext(), choice=RankerChoice((candidate,)), budget=SHORT)
    for trial in trials:
        assert trial.n_rounds == max(1, round(sum(trial.fold_rounds) / 3))
        for curve, best, ndcg in zip(trial.curves, trial.fold_rounds, trial.fold_ndcg, strict=True):
            assert curve.rounds == tuple(range(1, len(curve.rounds) + 1))
            assert best <= len(curve.rounds) <= min(best + 2, 8)
            assert curve.ndcg[best - 1] == max(curve.ndcg)
            # XGBoost counts in 32 bits; CatBoost puts the least relevant of equal scores first.
            assert curve.ndcg[best - 1] == pytest.approx(ndcg, abs=0.05 if candidate.name == "catboost" else 1e-6)


def test_what_does_not_stop_early_has_no_metric_by_round(matrix):
    baseline = Candidate(PluginSpec(name="baseline", options={"feature": "signal"}))
    trials, _ = search(matrix, None, LocalContext(), choice=RankerChoice((baseline,)), budget=SHORT)
    assert {trial.curves for trial in trials} == {(Curve(), Curve(), Curve())}


def test_an_interrupted_search_goes_on_with_the_same_rounds_and_the_table_has_them(spark, matrix, tmp_path):
    kept = CheckpointFolder(str(tmp_path / "kept"), "v1")
    budget = replace(SHORT, rounds_kept=3)
    whole, _ = search(matrix, kept, LocalContext(), budget=budget)
    again, _ = search(matrix, kept, read_only := LocalContext(), budget=budget)
    assert read_only.n_tasks == []
    assert again == whole
    stored = read_trials(trial_table(spark, again))
    assert [(one.curves, one.fold_rounds) for one in stored] == [(one.curves, one.fold_rounds) for one in whole]
    assert {len(curve.rounds) for one in whole if one.ranker == "xgboost" for curve in one.curves} <= {2, 3}
    old = trial_table(spark, again).drop("fold_rounds", "curve_rounds", "curve_ndcg")
    assert {one.curves for one in read_trials(old)} == {()}
