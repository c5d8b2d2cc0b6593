"""The linear ranker: what it learns, what it keeps, and that nothing but data and parameters changes it."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import xgboost as xgb

from rankhammer.errors import DataError
from rankhammer.evaluation.metrics import mean_ndcg
from rankhammer.rankers import FitSettings, RankingData
from rankhammer.rankers.linear import LinearOptions, LinearRanker

SETTINGS = FitSettings(n_rounds=60, early_stopping_rounds=None, metric_k=10, n_threads=1, random_state=7)
RANKER = LinearRanker(LinearOptions())
NAMES = ("match", "sold", "bad", "of_query")
SCALES = np.array([1.0, 1e5, 0.1, 3.0])
TRUE = np.array([1.0, 0.5, -1.0, 0.0])


def _data(n_queries: int = 80, *, seed: int = 0, noise: float = 0.3, scales=SCALES) -> RankingData:
    """Ten documents a query; the grade follows TRUE, on features of very different sizes."""
    rng = np.random.default_rng(seed)
    plain = rng.random((n_queries * 10, 4))
    plain[:, 3] = np.repeat(rng.random(n_queries), 10)
    label = np.digitize(plain @ TRUE + rng.normal(0, noise, len(plain)), [0.0, 0.4, 0.8]).astype(np.float32)
    qid = np.repeat(np.arange(n_queries, dtype=np.int32), 10)
    return RankingData((plain * scales).astype(np.float32), label, qid, np.ones(len(qid)), NAMES)


def _fit(data, *, valid=None, ranker=RANKER, settings=SETTINGS, **params):
    train = ranker.prepare(data, n_threads=settings.n_threads)
    checked = ranker.prepare(valid, reference=train) if valid else None
    return ranker.fit(train, checked, params=params, settings=settings)


def _weights(model: bytes) -> np.ndarray:
    booster = json.loads(bytes(xgb.Booster(model_file=bytearray(model)).save_raw("json")))
    return np.array(booster["learner"]["gradient_booster"]["model"]["weights"])


def test_weights_are_those_behind_the_grades_whatever_the_features_scales():
    *weights, intercept = _weights(_fit(_data(400), reg_lambda=0.0).model) * [*SCALES, 1]
    assert np.array(weights) / weights[0] == pytest.approx(TRUE, abs=0.1)
    assert weights[3] == intercept == 0
    shares = RANKER.importance(_fit(_data(400)).model, NAMES)
    assert shares["match"] == pytest.approx(shares["bad"], rel=0.1)
    assert shares["match"] == pytest.approx(2 * shares["sold"], rel=0.2)


def test_it_ranks_unseen_queries_almost_as_well_as_the_truth_and_far_better_than_its_best_feature():
    fitted, unseen = _fit(_data()), _data(seed=1)

    def ndcg(scores):
        return mean_ndcg(scores, unseen.label, unseen.qid, 10)

    learned = ndcg(RANKER.score(fitted.model, unseen.features))
    assert learned > ndcg(unseen.features @ (TRUE / SCALES)) - 0.01
    assert learned > ndcg(unseen.features[:, 0]) + 0.05


def test_a_score_is_the_sum_of_weight_times_value_and_an_absent_value_adds_nothing():
    model, rows = _fit(_data()).model, _data(seed=2).features[:50].copy()
    rows[::3, 1] = np.nan
    rows[7] = np.nan
    expected = np.nan_to_num(rows).astype(np.float64) @ _weights(model)[:-1]
    assert RANKER.score(model, rows) == pytest.approx(expected, abs=1e-5)
    assert RANKER.score(model, rows)[7] == 0


def test_an_absent_value_is_learned_from_as_zero():
    data = _data()
    absent, zero = data.features.copy(), data.features.copy()
    absent[::4, 0], zero[::4, 0] = np.nan, 0
    assert _fit(replace(data, features=absent)).model == _fit(replace(data, features=zero)).model


def test_early_stopping_keeps_the_weights_of_the_best_step():
    train, valid = _data(10, noise=2.0), _data(seed=1)
    stopped = _fit(train, valid=valid, settings=replace(SETTINGS, early_stopping_rounds=4), reg_lambda=0.0)
    steps = [_fit(train, settings=replace(SETTINGS, n_rounds=n), reg_lambda=0.0) for n in range(1, 12)]
    ndcgs = [mean_ndcg(RANKER.score(one.model, valid.features), valid.label, valid.qid, 10) for one in steps]
    assert stopped.n_rounds == 1 + int(np.argmax(ndcgs[: stopped.n_rounds + 4])) < 11
    assert stopped.model == steps[stopped.n_rounds - 1].model


def test_neither_threads_nor_the_seed_change_a_byte():
    changed = [replace(SETTINGS, n_threads=n, random_state=n) for n in (1, 2, 3)]
    assert len({_fit(_data(), settings=settings).model for settings in changed}) == 1


def test_rows_in_many_blocks_are_summed_as_those_in_one(monkeypatch):
    weights = _weights(_fit(_data()).model)
    monkeypatch.setattr("rankhammer.rankers.linear._BLOCK", 100)
    assert _weights(_fit(_data()).model) == pytest.approx(weights, rel=1e-4)


def test_a_stronger_penalty_makes_smaller_weights():
    sizes = [np.abs(_weights(_fit(_data(), reg_lambda=n).model) * [*SCALES, 1]).sum() for n in (0.0, 0.1, 10.0)]
    assert sizes[0] > sizes[1] > sizes[2] > 0


def test_no_weight_is_negative_where_that_was_asked_for():
    assert _weights(_fit(_data()).model)[2] < 0
    weights = _weights(_fit(_data(), ranker=LinearRanker(LinearOptions(non_negative=True))).model)
    assert weights.min() == weights[2] == 0
    assert weights[0] > 0


def test_a_heavier_query_changes_the_ranker():
    data = _data(noise=1.0)
    heavy = replace(data, weight=np.where(data.qid < 30, 10.0, 0.1))
    assert _fit(data).model != _fit(heavy).model


def test_queries_without_a_relevant_document_say_nothing():
    data, more = _data(40), _data(80)
    known = more.qid < 40
    silent = replace(more, label=np.where(known, more.label, 0).astype(np.float32))
    few = replace(data, features=more.features[known], label=more.label[known])
    # The spread of the silent ones still counts, so scores and not bytes are compared.
    first, second = (_fit(one, reg_lambda=0.0).model for one in (silent, few))
    assert RANKER.score(first, data.features) == pytest.approx(RANKER.score(second, data.features), rel=0.01, abs=0.01)


def test_a_value_that_is_not_finite_is_refused_by_its_features_name():
    data = _data(4)
    data.features[3, 1] = np.inf
    with pytest.raises(DataError, match="Feature 'sold' is infinite in 1 rows"):
        RANKER.prepare(data)


def test_grades_that_cannot_be_learned_from_give_a_ranker_that_knows_nothing():
    data = _data(4)
    assert _weights(_fit(replace(data, label=np.zeros_like(data.label))).model).tolist() == [0] * 5
    with pytest.raises(DataError, match=r"Grade 0\.5 cannot be trained on"):
        RANKER.prepare(replace(data, label=np.full(len(data.label), 0.5, np.float32)))
