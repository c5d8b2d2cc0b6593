"""One model trained by several Spark tasks together ranks like one that a single task trains."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from rankhammer.errors import ClusterError
from rankhammer.plugins import PluginSpec
from rankhammer.rankers import FitSettings
from rankhammer.rankers.xgboost import XGBoostRanker
from rankhammer.training import distributed_fit, worker
from rankhammer.training.distributed_fit import DistributedFits
from rankhammer.training.distributed_rows import DistributedCorpus, Part
from rankhammer.training.distributed_task import DistributedTask
from rankhammer.training.matrix import read_facts
from rankhammer.training.search import Trial
from rankhammer.training.slots import count_slots, require_slots
from rankhammer.training.staging import Workers, count_rows, stage_matrix

SETTINGS = FitSettings(n_rounds=20, early_stopping_rounds=10, metric_k=10, n_threads=1, random_state=1)
XGBOOST = PluginSpec(name="xgboost", options={"max_depth": 3})
TASK = worker.FoldTask((), Trial("a", 0, {"learning_rate": 0.3}, ranker="xgboost"), 1, XGBOOST, SETTINGS)
N_QUERIES = 120


@pytest.fixture(scope="module")
def stored(spark, tmp_path_factory, matrix_rows, write_corpus):
    folder = tmp_path_factory.mktemp("matrix")
    path = write_corpus(folder / "corpus=a" / "part-0.parquet", matrix_rows("a", n_queries=N_QUERIES))
    return spark.read.parquet(str(folder)), path


@pytest.fixture(scope="module")
def fits(stored):
    """Return what runs fits by so many tasks."""
    return {n: DistributedFits(DistributedCorpus("a", stored[0], n)) for n in (1, 2)}


@pytest.fixture
def single(stored, monkeypatch):
    monkeypatch.setattr(worker, "_local", lambda _: [stored[1]])
    monkeypatch.setattr(worker, "_corpora", worker.LruCache(worker.CORPORA_BYTES))
    monkeypatch.setattr(worker, "_folds", worker.LruCache(worker.FOLDS_BYTES))


def test_one_and_two_tasks_find_the_model_that_a_single_worker_does_within_noise(fits, single):
    alone = worker.run_fold(TASK)
    found = {n: fits[n].run_fold(replace(TASK, n_workers=n)) for n in fits}
    assert [one.error for one in found.values()] == ["", ""]
    assert found[1].ndcg == pytest.approx(alone.ndcg, abs=1e-6)
    np.testing.assert_allclose(found[1].groups, alone.groups, atol=1e-9)
    assert found[2].ndcg == pytest.approx(alone.ndcg, abs=0.03)
    assert sum(count for _, count in found[2].groups) == sum(count for _, count in alone.groups)


def test_a_corpus_in_spark_is_counted_as_its_file_is(fits, stored):
    assert fits[2].facts == read_facts([stored[1]])


def test_the_final_model_scores_its_sample_as_any_scorer_does(fits):
    final = worker.FinalTask("a", (), "clicks", XGBOOST, {}, SETTINGS, 30, n_workers=2)
    found = fits[2].run_final(final)
    assert found.error == ""
    again = XGBoostRanker(XGBoostRanker.Options()).score(found.fitted.model, found.sample.features)
    assert len(again) == 30
    np.testing.assert_array_equal(again, found.scores)


def test_ranges_hold_every_query_once_and_about_as_many_rows(fits):
    queries = fits[2]._queries
    for n in (1, 2, 3, 7):
        parts = queries.parts(n, "clicks")
        assert sum(part.n_queries for part in parts) == int(queries.in_train.sum())
        assert max(part.n_rows for part in parts) - min(part.n_rows for part in parts) <= 2 * 7


def test_rows_of_a_query_in_two_tasks_end_the_fit_with_the_numbers(tmp_path):
    vectors = pa.array([{"signal": 0.5}] * 5, pa.struct([("signal", pa.float32())]))
    columns = {"qid": pa.array([1, 1, 2, 2, 2], pa.int32()), "label": pa.array([0, 1, 0, 0, 1], pa.float32())}
    columns |= {"weight": pa.array([1.0] * 5), "is_valid": pa.array([False] * 5), "features": vectors}
    rows = pa.RecordBatch.from_pydict(columns)
    task = DistributedTask(XGBOOST, {}, SETTINGS, (Part(1, 5, 2), Part(3, 9, 4)), has_valid=False)
    assert task._spool(iter([rows.slice(0, 3), rows.slice(3)]), 0, tmp_path / "whole")[0] == ""
    error, *_ = task._spool(iter([rows.slice(0, 4)]), 0, tmp_path / "split")
    assert error.startswith("task 0 of 2 has 4 rows of 2 queries, and its range of queries has 5 of 2")


def test_a_grade_that_one_task_cannot_train_on_fails_the_trial_and_hangs_nobody(fits, stored):
    bad = DistributedFits(DistributedCorpus("a", stored[0].replace(2, 32, subset=["grade"]), 2))
    assert "Grade 32 cannot be trained on" in bad.run_fold(TASK).error


def test_more_tasks_than_slots_are_refused_in_seconds_with_the_numbers(spark, stored):
    n = count_slots(spark.sparkContext) + 1
    began = time.monotonic()
    with pytest.raises(ClusterError, match=rf"{n} tasks have to train .* room for {n - 1} "):
        DistributedFits(DistributedCorpus("a", stored[0], n)).require_slots()
    assert time.monotonic() - began < 30


def test_slots_that_come_back_are_waited_for(spark, monkeypatch):
    counted = iter([0, 0, 2])
    monkeypatch.setattr("rankhammer.training.slots.count_slots", lambda _: next(counted))
    monkeypatch.setattr("rankhammer.training.slots._POLL_S", 0.01)
    require_slots(spark.sparkContext, 2, wait_s=5)
    assert next(counted, None) is None


def test_a_lost_task_is_tried_again_and_then_the_trial_fails(fits, monkeypatch):
    calls = []

    def lose(*_):
        calls.append(1)
        raise RuntimeError("Job aborted\nExecutorLostFailure (executor 1 exited)")

    monkeypatch.setattr(fits[2], "_collect", lose)
    found = fits[2].run_fold(TASK)
    assert len(calls) == distributed_fit.MAX_ATTEMPTS
    assert "ExecutorLostFailure" in found.error


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        (PluginSpec(name="xgboost", options={"unbiased": True}), "bias of positions from the queries of one task"),
        (PluginSpec(name="linear"), "needs all rows in memory"),
    ],
)
def test_what_several_tasks_cannot_train_is_refused_with_the_reason(fits, spec, reason):
    assert reason in fits[2].run_fold(replace(TASK, ranker=spec)).error


def test_size_or_parameter_decides_which_corpora_stay_in_spark(spark, stored):
    rows = N_QUERIES * 8
    uris = stored[0].inputFiles()
    assert count_rows(spark.sparkContext, uris) == rows
    decided = {
        (number, from_rows): Workers(number, from_rows).of_corpus(spark.sparkContext, uris)
        for number, from_rows in ((1, 0), (3, 0), (3, rows), (3, rows + 1), (None, 1))
    }
    assert decided == {(1, 0): 1, (3, 0): 3, (3, rows): 3, (3, rows + 1): 1, (None, 1): count_slots(spark.sparkContext)}
    assert stage_matrix(stored[0], Workers(2))["a"].n_workers == 2
