"""What a Spark task does, and what its worker keeps between tasks."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import pytest

from rankhammer.plugins import PluginSpec
from rankhammer.rankers import FitSettings
from rankhammer.rankers.xgboost import XGBoostRanker
from rankhammer.training import worker
from rankhammer.training.search import Trial

SETTINGS = FitSettings(n_rounds=8, early_stopping_rounds=3, metric_k=10, n_threads=1, random_state=1)
XGBOOST = PluginSpec(name="xgboost")


@dataclass(frozen=True)
class Value:
    n_bytes: int


@pytest.fixture
def task(monkeypatch, tmp_path, matrix_rows, write_corpus):
    """A fold task over a corpus whose file lies in a folder of the test, with empty caches."""
    write_corpus(tmp_path / "a", matrix_rows("a"))
    monkeypatch.setattr(worker, "_local", lambda names: [str(tmp_path / name) for name in names])
    monkeypatch.setattr(worker, "_corpora", worker.LruCache(worker.CORPORA_BYTES))
    monkeypatch.setattr(worker, "_folds", worker.LruCache(worker.FOLDS_BYTES))
    return worker.FoldTask(("a",), Trial("a", 3, {"max_depth": 3}), 1, XGBOOST, SETTINGS)


def test_a_fold_is_measured_by_our_own_ndcg(task):
    result = worker.run_fold(task)
    assert (result.corpus, result.trial, result.fold, result.error) == ("a", 3, 1, "")
    assert 0.7 < result.ndcg < 1.0
    assert 1 <= result.n_rounds <= SETTINGS.n_rounds


def test_a_fit_that_fails_is_a_result_and_not_an_exception(task):
    result = worker.run_fold(replace(task, trial=Trial("a", 3, {"max_depth": -5})))
    assert math.isnan(result.ndcg)
    assert "max_depth" in result.error


def test_a_fold_without_a_relevant_document_is_a_failure(task, tmp_path, matrix_rows, write_corpus):
    write_corpus(tmp_path / "zero", [row | {"grade": 0} if row["fold"] == 1 else row for row in matrix_rows("a")])
    assert "no query with a relevant document" in worker.run_fold(replace(task, names=("zero",))).error


def test_an_error_reads_the_same_at_any_time(task, monkeypatch):
    failed = worker.run_fold(replace(task, trial=Trial("a", 3, {"max_depth": -5}))).error
    assert "Stack trace" not in failed
    texts = (f"[08:1{n}:00] /a.cc:3: Check failed\nStack trace:\n  [bt] (0) 0x7f{n}" for n in range(2))
    found = []
    for text in texts:
        monkeypatch.setattr(XGBoostRanker, "fit", lambda *_, text=text, **__: _fail(text))
        found.append(worker.run_fold(task).error)
    assert found == ["ValueError: /a.cc:3: Check failed"] * 2


def _fail(text: str) -> None:
    raise ValueError(text)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_scores_that_are_no_numbers_are_a_failure(task, monkeypatch, value):
    score = XGBoostRanker.score

    def diverged(ranker, model, features, *, n_threads):
        scores = score(ranker, model, features, n_threads=n_threads)
        scores[:2] = value
        return scores

    monkeypatch.setattr(XGBoostRanker, "score", diverged)
    result = worker.run_fold(task)
    assert math.isnan(result.ndcg)
    assert "2 of 70 scores are no finite numbers" in result.error


def test_a_fit_without_memory_is_a_failure_and_leaves_room_for_the_next_one(task, monkeypatch):
    worker.run_fold(task)
    assert (len(worker._corpora), len(worker._folds)) == (1, 1)
    with monkeypatch.context() as patched:
        patched.setattr(XGBoostRanker, "fit", _without_memory)
        assert worker.run_fold(task).error == "MemoryError: 8 GiB"
    assert (len(worker._corpora), len(worker._folds)) == (0, 0)
    assert worker.run_fold(task).error == ""


def _without_memory(*_, **__):
    raise MemoryError("8 GiB")


def test_the_matrix_is_built_once_for_many_trials(task, monkeypatch):
    builds = []
    read, build = worker.read_corpus, worker.rows_in_memory
    monkeypatch.setattr(worker, "read_corpus", lambda paths: builds.append("corpus") or read(paths))
    monkeypatch.setattr(
        worker, "rows_in_memory", lambda *args, **more: builds.append(f"fold {args[2]}") or build(*args, **more)
    )
    for number in range(3):
        for fold in (0, 1):
            worker.run_fold(replace(task, fold=fold, trial=Trial("a", number, {})))
    assert builds == ["corpus", "fold 0", "fold 1"]


def test_a_retrain_in_the_same_worker_reads_the_new_file(task, tmp_path, matrix_rows, write_corpus):
    before = worker.run_fold(task).ndcg
    write_corpus(tmp_path / "b", matrix_rows("a", seed=9))
    assert worker.run_fold(replace(task, names=("b",))).ndcg != before
    assert worker.run_fold(task).ndcg == before


def test_the_final_fit_uses_all_folds_and_scores_its_sample(task):
    final = worker.FinalTask("a", ("a",), "clicks", XGBOOST, {"max_depth": 3}, SETTINGS, 20)
    result = worker.run_final(final)
    assert result.fitted.n_rounds == SETTINGS.n_rounds
    assert result.sample.features.shape == (20, 2)
    assert result.scores.shape == (20,)


def test_a_failed_final_fit_is_a_result_and_not_an_exception(task):
    final = worker.FinalTask("a", ("a",), "clicks", XGBOOST, {"max_depth": -5}, SETTINGS, 20)
    assert "max_depth" in worker.run_final(final).error


@pytest.mark.parametrize("ranker", ["xgboost", "linear"])
def test_a_ranker_that_orders_no_query_is_a_failure(task, tmp_path, matrix_rows, write_corpus, ranker):
    """Features that are the same for all documents of a query, though they differ between queries."""
    alike = [row | {"features": {"signal": float(row["qid"]), "noise": 0.5}} for row in matrix_rows("a")]
    write_corpus(tmp_path / "alike", alike)
    settings = replace(SETTINGS, early_stopping_rounds=None)
    result = worker.run_final(worker.FinalTask("a", ("alike",), "clicks", PluginSpec(name=ranker), {}, settings, 5))
    assert result.fitted is None
    assert "the same score" in result.error
    assert "features_report.json" in result.hint


def test_the_values_used_last_are_kept():
    recent = worker.LruCache(limit_bytes=10)
    builds = []

    def get(key: str, n_bytes: int) -> None:
        recent.get(key, lambda: builds.append(key) or Value(n_bytes))

    for key in ("a", "b", "a", "c", "a", "b"):
        get(key, 4)
    assert builds == ["a", "b", "c", "b"]
    assert len(recent) == 2


def test_a_value_larger_than_the_limit_is_kept_alone():
    recent = worker.LruCache(limit_bytes=10)
    recent.get("a", lambda: Value(4))
    assert recent.get("big", lambda: Value(99)) is recent.get("big", lambda: Value(1))
    assert len(recent) == 1
