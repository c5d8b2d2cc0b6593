"""The XGBoost ranker: what it learns, what it keeps, and that nothing but data, parameters and seed changes it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rankhammer.errors import DataError
from rankhammer.rankers import FitSettings, RankingData
from rankhammer.rankers.xgboost import XGBoostOptions, XGBoostRanker, query_weights

SETTINGS = FitSettings(n_rounds=30, early_stopping_rounds=5, metric_k=10, n_threads=1, random_state=7)
RANKER = XGBoostRanker(XGBoostOptions())


def _data(n_queries: int = 60, *, seed: int = 0, noise: float = 0.1) -> RankingData:
    """Ten documents a query; the grade follows `good` alone, `bad` is noise."""
    rng = np.random.default_rng(seed)
    features = rng.random((n_queries * 10, 2), dtype=np.float32)
    utility = features[:, 0] + rng.normal(0, noise, len(features))
    label = np.digitize(utility, [0.5, 0.8]).astype(np.float32)
    qid = np.repeat(np.arange(n_queries, dtype=np.int32), 10)
    return RankingData(features, label, qid, np.ones(len(qid)), ("good", "bad"))


def _fit(data: RankingData, *, valid: RankingData | None = None, settings: FitSettings = SETTINGS, **params: float):
    train = RANKER.prepare(data, n_threads=settings.n_threads)
    checked = RANKER.prepare(valid, reference=train, n_threads=settings.n_threads) if valid else None
    return RANKER.fit(train, checked, params=params, settings=settings)


def test_a_known_signal_is_learned():
    fitted = _fit(_data(), valid=_data(seed=1))
    scores = RANKER.score(fitted.model, np.array([[0.1, 0.9], [0.65, 0.1], [0.95, 0.5]], np.float32))
    assert scores[0] < scores[1] < scores[2]
    shares = RANKER.importance(fitted.model, ("good", "bad"))
    assert shares["good"] > 0.8
    assert sum(shares.values()) == pytest.approx(1.0)


def test_early_stopping_cuts_the_ranker_to_its_best_round():
    stopped = _fit(_data(noise=1.0), valid=_data(seed=1, noise=1.0), max_depth=8, learning_rate=1.0)
    assert stopped.n_rounds < SETTINGS.n_rounds
    exact = replace(SETTINGS, n_rounds=stopped.n_rounds, early_stopping_rounds=None)
    assert _fit(_data(noise=1.0), settings=exact, max_depth=8, learning_rate=1.0).model == stopped.model


@pytest.mark.parametrize("params", [{}, {"subsample": 0.7, "colsample_bytree": 0.5, "colsample_bynode": 0.5}])
def test_the_number_of_threads_never_changes_a_byte(params):
    models = {_fit(_data(), settings=replace(SETTINGS, n_threads=n), **params).model for n in (1, 2, 3)}
    assert len(models) == 1


def test_the_seed_changes_a_sampled_ranker():
    first, second = (_fit(_data(), settings=replace(SETTINGS, random_state=n), subsample=0.5) for n in (1, 2))
    assert first.model != second.model


def test_a_query_weighs_as_much_as_its_rows_on_average():
    data = RankingData(
        features=np.zeros((5, 1), np.float32),
        label=np.zeros(5, np.float32),
        qid=np.array([3, 3, 7, 7, 7], np.int32),
        weight=np.array([1.0, 3.0, 0.5, 1.0, 1.5]),
        feature_names=("x",),
    )
    assert query_weights(data).tolist() == [(1 + 3) / 2, (0.5 + 1 + 1.5) / 3]


def test_a_heavier_query_changes_the_ranker():
    data = _data(noise=1.0)
    heavy = replace(data, weight=np.where(data.qid < 30, 10.0, 0.1))
    assert _fit(data).model != _fit(heavy).model


def test_a_missing_value_is_not_a_zero():
    data = _data()
    absent = data.features.copy()
    absent[data.label == 2, 1] = np.nan
    fitted = _fit(replace(data, features=absent))
    missing, zero = RANKER.score(fitted.model, np.array([[0.5, np.nan], [0.5, 0.0]], np.float32))
    assert missing > zero


@pytest.mark.parametrize("grade", [32, -1, 0.5, np.nan])
def test_a_grade_that_cannot_be_trained_on_is_named(grade):
    data = _data(2)
    with pytest.raises(DataError, match=f"Grade {grade:g} cannot be trained on"):
        RANKER.prepare(replace(data, label=np.full(len(data.label), grade, np.float32)))


def test_options_are_the_default_parameters_but_for_the_bins():
    defaults = XGBoostRanker(XGBoostOptions(max_depth=3)).default_params()
    assert defaults["max_depth"] == 3
    assert "max_bin" not in defaults


def test_a_monotone_feature_never_lowers_a_score():
    data = _data(noise=0.6)
    held = XGBoostRanker(XGBoostOptions(monotone=("go*",)))
    line = np.column_stack([np.linspace(0, 1, 200), np.full(200, 0.5)]).astype(np.float32)

    def steps(ranker: XGBoostRanker) -> np.ndarray:
        fitted = ranker.fit(ranker.prepare(data), None, params={}, settings=replace(SETTINGS, n_rounds=60))
        return np.diff(ranker.score(fitted.model, line))

    assert steps(held).min() >= 0.0 < steps(held).max()
    assert steps(RANKER).min() < 0.0


def test_a_monotone_pattern_that_fits_no_feature_is_named():
    with pytest.raises(DataError, match=r"'\*bm25', which no feature of the set fits"):
        XGBoostRanker(XGBoostOptions(monotone=("*bm25",))).prepare(_data())
