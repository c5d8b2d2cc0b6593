"""The search over all corpora as Spark tasks."""

from __future__ import annotations

import logging
import math
import os
import signal
from dataclasses import replace

import pytest

from rankhammer.plugins import PluginSpec
from rankhammer.training import final, fold_runs, worker
from rankhammer.training.choice import Candidate, RankerChoice
from rankhammer.training.matrix_table import trial_table
from rankhammer.training.search import Strategy
from rankhammer.training.search_space import parse_space
from rankhammer.training.staging import stage_matrix
from rankhammer.training.tune import Budget, tune_corpora

XGBOOST = PluginSpec(name="xgboost")
KNOWN = ("max_depth", "learning_rate", "subsample")
SPACE = parse_space({"max_depth": {"quniform": [2, 4, 1]}, "subsample": {"uniform": [0.5, 1.0]}}, known=KNOWN)
FAILING = parse_space({"max_depth": {"choice": [-5, 3]}}, known=KNOWN)
BUDGET = Budget(n_trials=5, batch_size=2, strategy=Strategy(2), n_rounds=6, early_stopping_rounds=3, metric_k=10)


class OneByOne:
    """Runs tasks in this process and in the opposite order, as a cluster with one slot might."""

    def __init__(self, context) -> None:
        self._context = context
        self._jsc = context._jsc
        self.n_tasks: list[int] = []

    def getConf(self):  # noqa: N802 - Spark's name
        return self._context.getConf()

    def parallelize(self, tasks, n_slices):
        self.n_tasks.append(n_slices)
        self._tasks = tasks[::-1]
        return self

    def map(self, function):
        self._tasks = [function(task) for task in self._tasks]
        return self

    def collect(self):
        return self._tasks


def _without_time(trials):
    return [replace(trial, duration_s=0.0) for trial in trials]


def _tune(context, corpora, space=SPACE, **changes):
    options = {"choice": RankerChoice((Candidate(XGBOOST, space),)), "budget": BUDGET, "random_state": 42} | changes
    return tune_corpora(context, corpora, **options)


@pytest.fixture
def corpora(stored_matrix, matrix_rows):
    return stage_matrix(stored_matrix({"a": matrix_rows("a"), "b": matrix_rows("b", seed=1)}))


def test_the_same_seed_gives_the_same_trials_however_many_slots_there_are(spark, corpora):
    alone = OneByOne(spark.sparkContext)
    serial, _ = _tune(alone, dict(reversed(corpora.items())))
    parallel, failures = _tune(spark.sparkContext, corpora)
    assert _without_time(parallel) == _without_time(serial)
    assert [(trial.corpus, trial.number) for trial in parallel] == [(name, n) for name in "ab" for n in range(5)]
    assert failures == []
    assert alone.n_tasks == [2 * 3 * 2, 2 * 3 * 2, 1 * 3 * 2]


def test_another_corpus_beside_it_changes_nothing(spark, corpora):
    context = OneByOne(spark.sparkContext)
    both, _ = _tune(context, corpora)
    alone, _ = _tune(context, {"b": corpora["b"]})
    assert _without_time(alone) == _without_time(both)[5:]


def test_the_loss_is_minus_the_mean_ndcg_of_the_folds(spark, corpora):
    trials, _ = _tune(OneByOne(spark.sparkContext), corpora)
    assert all(-1.0 < trial.loss < -0.7 for trial in trials)
    assert all(1 <= trial.n_rounds <= BUDGET.n_rounds for trial in trials)


def test_a_failing_trial_never_stops_the_search(spark, corpora, caplog):
    budget = replace(BUDGET, n_trials=8)
    trials, failures = _tune(OneByOne(spark.sparkContext), corpora, FAILING, budget=budget)
    assert {trial.status for trial in trials} == {"ok", "fail"}
    assert all((trial.status == "fail") == (trial.params["max_depth"] == -5) for trial in trials)
    assert failures == []
    assert "max_depth" in caplog.text


def test_a_trial_that_ends_its_workers_is_recorded_and_the_search_goes_on(spark, corpora, monkeypatch, caplog):
    expected, _ = _tune(OneByOne(spark.sparkContext), corpora)

    def ends_for_trial_3(task):
        if (task.trial.corpus, task.trial.number) == ("a", 3):
            os.kill(os.getpid(), signal.SIGKILL)
        return worker.run_fold(task)

    monkeypatch.setattr(fold_runs, "run_fold", ends_for_trial_3)
    trials, failures = _tune(spark.sparkContext, corpora)
    assert failures == []
    failed = trials.pop(3)
    assert (failed.corpus, failed.number, failed.status) == ("a", 3, "fail")
    assert "too little memory" in failed.error
    assert "is run by itself" in caplog.text
    assert trial_table(spark, [failed]).collect()[0].error == failed.error
    # The search does not learn from it: its last trial is another one.
    assert _without_time(trials)[:3] == _without_time(expected)[:3]
    assert _without_time(trials)[4:] == _without_time(expected)[5:]


def test_a_job_that_fails_for_another_reason_ends_the_search(spark, corpora, monkeypatch):
    def fails(task):
        raise OSError("no such file")

    monkeypatch.setattr(fold_runs, "run_fold", fails)
    with pytest.raises(OSError, match="no such file"):
        _tune(OneByOne(spark.sparkContext), corpora)


def test_a_corpus_whose_every_trial_fails_is_reported_and_the_others_go_on(spark, stored_matrix, matrix_rows):
    odd = [row | {"weight": -1.0} for row in matrix_rows("odd")]
    corpora = stage_matrix(stored_matrix({"a": matrix_rows("a"), "odd": odd}))
    trials, (failure,) = _tune(OneByOne(spark.sparkContext), corpora)
    assert {trial.corpus for trial in trials} == {"a"}
    assert (failure.corpus, failure.stage) == ("odd", "training")
    assert "all 5 trials failed" in failure.error
    assert "Weights must be positive values" in failure.error


def _query_by_query(rows):
    """Give all documents of a query the same grade, a relevant one in each second query."""
    return [row | {"grade": row["qid"] % 2} for row in rows]


def _too_high(rows):
    return [row | {"grade": 32} if row["grade"] == 2 else row for row in rows]


def _below_zero(rows):
    return [row | {"grade": -1} if row["grade"] == 0 else row for row in rows]


def _infinite(rows):
    return [row | {"features": row["features"] | {"noise": math.inf}} if row["qid"] == 4 else row for row in rows]


def _too_high_for_people(rows):
    return [row | {"reference_grade": 32} for row in rows]


def _one_query(rows):
    return [row for row in rows if row["qid"] in (0, 1)]


@pytest.mark.parametrize(
    ("spoil", "error"),
    [
        (_query_by_query, "in each of its 30 graded training queries all documents have the same grade"),
        (_too_high, "grade 32 cannot be trained on: a gain is 2^grade - 1, and grades go from 0 to 31."),
        (_too_high_for_people, "grade 32 cannot be trained on"),
        (_below_zero, "grade -1 cannot be trained on"),
        (_infinite, "features have infinite values, which cannot be learned from: noise in 8 rows."),
        (_one_query, "1 of its folds have a document of grade 1 or more; expected at least 2 (8 training rows"),
    ],
)
def test_a_corpus_that_cannot_be_trained_is_set_aside_before_any_trial_and_the_others_go_on(
    spark, stored_matrix, matrix_rows, spoil, error
):
    corpora = stage_matrix(stored_matrix({"a": matrix_rows("a"), "bad": spoil(matrix_rows("bad"))}))
    context = OneByOne(spark.sparkContext)
    trials, (failure,) = _tune(context, corpora)
    assert {trial.corpus for trial in trials} == {"a"}
    assert (failure.corpus, failure.stage) == ("bad", "training")
    assert error in failure.error
    assert context.n_tasks == [6, 6, 3]


@pytest.mark.parametrize(
    "ranker",
    [
        XGBOOST,
        PluginSpec(name="linear"),
        PluginSpec(name="selected", options={"n_features": 2, "ranker": {"name": "xgboost"}}),
    ],
)
def test_a_feature_without_any_value_costs_a_warning_and_no_corpus(spark, stored_matrix, matrix_rows, caplog, ranker):
    absent = [row | {"features": row["features"] | {"noise": math.nan}} for row in matrix_rows("a")]
    corpora = stage_matrix(stored_matrix({"a": absent, "b": matrix_rows("b")}))
    context = OneByOne(spark.sparkContext)
    choice = RankerChoice((Candidate(ranker, parse_space({}, known=())),))
    trials, failures = _tune(context, corpora, choice=choice)
    best = {trial.corpus: trial for trial in trials}
    fits = final.Trainer(choice, BUDGET, 10, 42).fit(context, corpora, best)
    assert failures == fits.failures == []
    assert set(fits.rankers) == {"a", "b"}
    (warning,) = [record.getMessage() for record in caplog.records if "without any value" in record.getMessage()]
    assert warning == "Corpus a: nothing is learned from features without any value: noise"


def test_a_corpus_without_relevant_documents_is_reported_and_the_others_go_on(spark, stored_matrix, matrix_rows):
    corpora = stage_matrix(stored_matrix({"a": matrix_rows("a"), "poor": matrix_rows("poor", max_grade=0)}))
    trials, (failure,) = _tune(OneByOne(spark.sparkContext), corpora)
    assert {trial.corpus for trial in trials} == {"a"}
    assert (failure.corpus, failure.stage) == ("poor", "training")
    assert "0 of its folds" in failure.error


def test_every_batch_is_told_in_one_line(spark, corpora, caplog):
    caplog.set_level(logging.INFO, "rankhammer.training")
    _tune(OneByOne(spark.sparkContext), corpora)
    messages = [record.getMessage() for record in caplog.records]
    lines = [message for message in messages if message.startswith("Tuning:") and "trials per corpus" in message]
    assert [line.split(" trials")[0] for line in lines] == ["Tuning: 2 of 5", "Tuning: 4 of 5", "Tuning: 5 of 5"]


def test_trials_become_a_table(spark, corpora):
    trials, _ = _tune(OneByOne(spark.sparkContext), {"a": corpora["a"]}, FAILING)
    rows = trial_table(spark, trials).collect()
    assert [row.trial for row in rows] == [0, 1, 2, 3, 4]
    assert rows[0].params == '{"max_depth": 6}'
    assert {row.status: row.loss is None for row in rows} == {"ok": False, "fail": True}


BASELINE, LINEAR = PluginSpec(name="baseline", options={"feature": "signal"}), PluginSpec(name="linear")
SEVERAL = RankerChoice((Candidate(BASELINE), Candidate(LINEAR), Candidate(XGBOOST, SPACE)), below=1000)


def test_all_candidates_are_tried_on_the_same_folds_and_the_simplest_within_the_margin_is_chosen(spark, corpora):
    context = OneByOne(spark.sparkContext)
    trials, failures = _tune(context, {"a": corpora["a"]}, choice=SEVERAL)
    assert failures == []
    assert [(trial.ranker, trial.number) for trial in trials] == [
        *[("baseline", 0), ("linear", 0)],
        *[("xgboost", number) for number in range(5)],
    ]
    # Batches as without a choice, and one more job: each candidate's best trial for its own number of rounds.
    assert context.n_tasks == [4 * 3, 2 * 3, 1 * 3, 3 * 3]
    standings = [trial.standing for trial in trials if trial.standing]
    assert [standing.ranker for standing in standings] == ["baseline", "linear", "xgboost"]
    assert min(standing.behind for standing in standings) == 0.0
    # The grade follows the baseline's feature and chance: nothing more can be learned.
    assert [standing.ranker for standing in standings if standing.chosen] == ["baseline"]
    assert sum(group[1] for group in trials[0].groups) == 30


def test_the_choice_does_not_depend_on_slots_and_leaves_each_search_as_it_is_alone(spark, corpora):
    serial, _ = _tune(OneByOne(spark.sparkContext), corpora, choice=SEVERAL)
    parallel, _ = _tune(spark.sparkContext, dict(reversed(corpora.items())), choice=SEVERAL)
    assert _without_time(parallel) == _without_time(serial)
    alone, _ = _tune(OneByOne(spark.sparkContext), {"a": corpora["a"]})
    searched = [trial for trial in serial if (trial.corpus, trial.ranker) == ("a", "xgboost")]
    assert [(trial.loss, trial.params) for trial in searched] == [(trial.loss, trial.params) for trial in alone]


def test_a_candidate_with_rounds_of_its_own_is_not_stopped_early(spark, corpora):
    several = replace(SEVERAL, candidates=(Candidate(BASELINE), Candidate(XGBOOST, n_rounds=9)))
    trials, _ = _tune(OneByOne(spark.sparkContext), {"a": corpora["a"]}, choice=several)
    assert [trial.n_rounds for trial in trials] == [1, 9]


def test_fits_whose_rounds_were_fixed_before_are_not_made_again_for_the_choice(spark, corpora, monkeypatch):
    several = replace(SEVERAL, candidates=(Candidate(BASELINE), Candidate(XGBOOST, n_rounds=9)))
    context = OneByOne(spark.sparkContext)
    found, _ = _tune(context, {"a": corpora["a"]}, choice=several)
    assert context.n_tasks == [2 * 3, 1 * 3]
    monkeypatch.setattr(fold_runs.FoldRuns, "_known", lambda self, task: None)
    again, _ = _tune(context, {"a": corpora["a"]}, choice=several)
    assert context.n_tasks[2:] == [2 * 3, 2 * 3]
    assert _without_time(found) == _without_time(again)


def test_a_corpus_with_enough_queries_gets_the_last_candidate_unasked(spark, corpora):
    trials, _ = _tune(OneByOne(spark.sparkContext), {"a": corpora["a"]}, choice=replace(SEVERAL, below=30))
    assert {trial.ranker for trial in trials} == {"xgboost"}
    assert [trial.standing.chosen for trial in trials if trial.standing] == [True]


def test_a_candidate_that_fails_leaves_the_choice_to_the_others(spark, corpora):
    unknown = PluginSpec(name="baseline", options={"feature": "none"})
    choice = replace(SEVERAL, candidates=(Candidate(unknown), *SEVERAL.candidates[1:]))
    trials, failures = _tune(OneByOne(spark.sparkContext), {"a": corpora["a"]}, choice=choice)
    assert failures == []
    assert "which is not in the feature set" in trials[0].error
    assert {trial.ranker for trial in trials if trial.standing} == {"linear", "xgboost"}
    rows = {(row.ranker, row.trial): row for row in trial_table(spark, trials).collect()}
    assert rows["baseline", 0].behind is None
    assert sum(row.chosen for row in rows.values()) == 1
