"""What is recorded of each trial, and what the log says of them; tasks run in this process."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from local_search import BUDGET, KNOWN, SPACE, LocalContext, search

from rankhammer.plugins import PluginSpec
from rankhammer.rankers.xgboost import XGBoostRanker
from rankhammer.storage.checkpoints import CheckpointFolder
from rankhammer.training.choice import Candidate, RankerChoice, SizedSearch, lead_of
from rankhammer.training.matrix import read_facts
from rankhammer.training.pruning import Pruning
from rankhammer.training.search_space import parse_space

TREES = RankerChoice((Candidate(PluginSpec(name="xgboost"), SPACE),))


def test_a_trial_has_the_ndcg_of_each_fold_and_the_standard_error_of_their_mean(matrix):
    trials, _ = search(matrix, None, LocalContext(), choice=TREES, budget=replace(BUDGET, n_trials=3))
    for trial in trials:
        mean = sum(trial.fold_ndcg) / 3
        spread = sum((value - mean) ** 2 for value in trial.fold_ndcg) / 2
        assert trial.loss == pytest.approx(-mean)
        assert trial.standard_error == pytest.approx(math.sqrt(spread / 3))


def test_the_log_names_the_corpora_whose_best_two_trials_folds_do_not_tell_apart(matrix, caplog):
    caplog.set_level("INFO", "rankhammer.training")
    trials, _ = search(matrix, None, LocalContext(), choice=TREES, budget=replace(BUDGET, n_trials=6))
    close = {name for name in "ab" if lead_of(trial for trial in trials if trial.corpus == name).is_noise}
    (line,) = [line for line in caplog.messages if "more folds" in line]
    assert close
    assert {name for name in "ab" if f" {name} (trial " in line} == close


DEEP = parse_space({"learning_rate": {"choice": [0.001, 0.3]}, "max_depth": {"choice": [1, 4]}}, known=KNOWN)
PRUNED = replace(BUDGET, n_trials=12, n_rounds=10, pruning=Pruning(1, 2.0))
ABLE = RankerChoice((Candidate(PluginSpec(name="xgboost"), DEEP),))


def test_hopeless_trials_are_given_up_after_some_folds_and_are_never_the_best(matrix):
    context = LocalContext()
    trials, _ = search(matrix, None, context, choice=ABLE, budget=PRUNED)
    given_up = [trial for trial in trials if trial.status == "pruned"]
    assert given_up
    assert {len(trial.fold_ndcg) for trial in given_up} == {1}
    assert {len(trial.fold_ndcg) for trial in trials if trial.status == "ok"} == {3}
    # The first batch has nobody to be behind; each batch runs one fold of all, and two of those that are left.
    assert min(trial.number for trial in given_up) >= BUDGET.batch_size
    assert sum(context.n_tasks) == 3 * len(trials) - 2 * len(given_up)
    for corpus in "ab":
        own = [trial for trial in trials if trial.corpus == corpus]
        best = next(trial for trial in own if trial.standing)
        assert best.status == "ok"
        assert all(trial.loss > best.loss for trial in own if trial.status == "pruned")


def test_pruning_sees_no_trial_of_the_same_batch_and_no_other_corpus(matrix, tmp_path):
    whole, _ = search(matrix, None, LocalContext(), choice=ABLE, budget=PRUNED)
    first, _ = search(matrix, None, LocalContext(), choice=ABLE, budget=replace(PRUNED, n_trials=8))
    assert [_bare(trial) for trial in first] == [_bare(trial) for trial in whole if trial.number < 8]
    (matrix / "b.parquet").rename(tmp_path / "b.parquet")
    alone, _ = search(matrix, None, LocalContext(), choice=ABLE, budget=PRUNED)
    assert [_bare(trial) for trial in alone] == [_bare(trial) for trial in whole if trial.corpus == "a"]


def test_a_pruned_search_that_was_interrupted_goes_on(matrix, tmp_path):
    whole, _ = search(matrix, None, LocalContext(), choice=ABLE, budget=PRUNED)
    kept = CheckpointFolder(str(tmp_path / "kept"))
    first = LocalContext()
    search(matrix, kept, first, choice=ABLE, budget=PRUNED)
    *_, last = sorted((tmp_path / "kept").glob("*/*"))
    last.unlink()
    resumed = LocalContext()
    again, _ = search(matrix, kept, resumed, choice=ABLE, budget=PRUNED)
    assert [_bare(trial) for trial in again] == [_bare(trial) for trial in whole]
    assert resumed.n_tasks == first.n_tasks[-1:]


def test_a_corpus_with_no_more_folds_than_all_trials_run_is_never_pruned(matrix):
    budget = replace(PRUNED, pruning=Pruning(3, 2.0))
    trials, _ = search(matrix, None, LocalContext(), choice=ABLE, budget=budget)
    plain, _ = search(matrix, None, LocalContext(), choice=ABLE, budget=replace(PRUNED, pruning=None))
    assert [_bare(trial) for trial in trials] == [_bare(trial) for trial in plain]


def _bare(trial):
    """All but durations, and what only the end of a search tells."""
    return replace(trial, duration_s=0.0, standing=None, behind_best=None, behind_best_se=None)


def test_a_corpus_is_searched_as_its_size_says_and_the_log_names_it(matrix, caplog):
    caplog.set_level("INFO", "rankhammer.training")
    n_rows = {name: read_facts([str(matrix / f"{name}.parquet")]).n_graded_rows for name in "ab"}
    narrow = parse_space({"max_depth": {"choice": [1]}}, known=KNOWN)
    size = SizedSearch(min(n_rows.values()) - 1, {"xgboost": narrow}, n_trials=2, n_rounds=1)
    budget = replace(BUDGET, n_trials=3)
    large, _ = search(matrix, None, LocalContext(), choice=replace(TREES, sizes=(size,)), budget=budget)
    assert [_bare(trial) for trial in large] == [
        _bare(trial) for trial in search(matrix, None, LocalContext(), choice=TREES, budget=budget)[0]
    ]
    fitting = replace(size, max_rows=max(n_rows.values()))
    small, _ = search(matrix, None, LocalContext(), choice=replace(TREES, sizes=(fitting,)), budget=budget)
    assert [(trial.number, trial.params["max_depth"], trial.n_rounds) for trial in small] == 2 * [(0, 6, 1), (1, 1, 1)]
    (line,) = [line for line in caplog.messages if "searched as" in line]
    assert line == f"Tuning: searched as corpora of at most {fitting.max_rows:,} rows: a, b"


def test_the_same_failure_is_told_once_and_a_long_one_shortly(matrix, caplog, monkeypatch):
    caplog.set_level("WARNING", "rankhammer.training")
    whole = XGBoostRanker.fit

    def fails(self, train, valid, *, params, settings):
        if params["max_depth"] != 6:
            raise ValueError("too deep\n" + "x" * 2000)
        return whole(self, train, valid, params=params, settings=settings)

    monkeypatch.setattr(XGBoostRanker, "fit", fails)
    trials, _ = search(matrix, None, LocalContext(), choice=TREES, budget=replace(BUDGET, n_trials=4))
    told = [line for line in caplog.messages if " of corpus a failed: " in line]
    assert told[0].startswith("Trial 1 of xgboost of corpus a failed: ValueError: too deep xxx")
    assert told[0].endswith("xxx ... (whole: tuning_trials, column error)")
    assert told[1:] == [f"Trial {number} of xgboost of corpus a failed: as trial 1 did" for number in (2, 3)]
    assert len(told[0]) < 400
    assert {len(trial.error) for trial in trials if trial.status == "fail"} == {len("ValueError: too deep\n") + 2000}


def test_a_blend_of_equal_models_is_warned_of_with_what_to_do(matrix, caplog):
    still = PluginSpec(name="blend", options={"seeds": 2, "members": [{"name": "xgboost"}]})
    choice = RankerChoice((Candidate(still),))
    search(matrix, None, LocalContext(), choice=choice, budget=replace(BUDGET, n_trials=1, n_rounds=2))
    (line,) = [line for line in caplog.messages if "blend" in line]
    assert line.endswith("set its option subsample below 1 (0.8), or seeds: 1 in training.ranker.options.")
