"""Rules of explaining scores, on a small booster of each kind."""

from __future__ import annotations

import numpy as np
import pytest
import xgboost as xgb

from rankhammer.evaluation.bootstrap import Bootstrap
from rankhammer.evaluation.explanations import importance, pairwise_difference, partial_dependence, shap_values

BOOTSTRAP = Bootstrap(200, 0.95, 3)
NAMES = ("strong", "weak", "unused", "of_query")


@pytest.fixture(scope="module")
def data() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    features = rng.standard_normal((400, 4)).astype(np.float32)
    features[:, 2] = 1.0
    features[:, 3] = np.repeat(rng.standard_normal(40), 10)
    features[::9, 1] = np.nan
    return features, np.repeat(np.arange(40), 10)


@pytest.fixture(scope="module", params=["trees", "linear", "lightgbm"])
def booster(request, data) -> xgb.Booster:
    features, qid = data
    label = 3 * features[:, 0] + np.nan_to_num(features[:, 1]) + features[:, 3]
    if request.param == "lightgbm":
        return _lightgbm(features, label, qid)
    kind = {"booster": "gblinear"} if request.param == "linear" else {"max_depth": 4}
    matrix = xgb.DMatrix(features, label, feature_names=list(NAMES), missing=np.nan)
    return xgb.train({**kind, "nthread": 1}, matrix, 20)


def _lightgbm(features, label, qid) -> xgb.Booster:
    pytest.importorskip("lightgbm")
    from rankhammer.rankers import FitSettings, RankingData
    from rankhammer.rankers.lightgbm import LightGBMRanker

    ranker = LightGBMRanker(LightGBMRanker.Options())
    grades = np.digitize(label, np.quantile(label, [0.5, 0.8])).astype(np.float32)
    data = RankingData(features, grades, qid.astype(np.int32), np.ones(len(label)), NAMES)
    fitted = ranker.fit(ranker.prepare(data), None, params={}, settings=FitSettings(10, None, 10, 1, 1))
    return xgb.Booster(model_file=bytearray(fitted.model))


def test_contributions_and_the_constant_sum_up_to_the_score(booster, data):
    found = shap_values(booster, data[0], NAMES)
    assert found.added.shape == (400, 4)
    assert found.largest_gap <= 1e-4 * max(1.0, np.abs(found.scores).max())


def test_a_difference_of_documents_sums_up_to_that_of_their_scores(booster, data):
    found = shap_values(booster, data[0][:2], NAMES)
    above, below = (dict(zip(NAMES, row, strict=True)) for row in found.added)
    why = pairwise_difference(above, below)
    assert sum(why.values()) == pytest.approx(found.scores[0] - found.scores[1], abs=1e-4)
    assert [*map(abs, why.values())] == sorted(map(abs, why.values()), reverse=True)


def test_what_moves_documents_within_a_query_is_important(booster, data):
    rows = importance(shap_values(booster, data[0], NAMES), NAMES, data[1], data[1], BOOTSTRAP)
    assert rows[0]["feature"] == "strong"
    assert rows[0]["lower"] < rows[0]["mean"] < rows[0]["upper"]
    assert sum(row["share"] for row in rows) == pytest.approx(1.0)
    assert next(row for row in rows if row["feature"] == "unused")["mean"] == pytest.approx(0.0, abs=1e-6)


def test_a_linear_feature_of_the_query_alone_orders_nothing(data):
    matrix = xgb.DMatrix(data[0], data[0][:, 3], feature_names=list(NAMES), missing=np.nan)
    booster = xgb.train({"booster": "gblinear", "nthread": 1}, matrix, 20)
    rows = importance(shap_values(booster, data[0], NAMES), NAMES, data[1], data[1], BOOTSTRAP)
    assert next(row for row in rows if row["feature"] == "of_query")["mean"] < 1e-5


def test_dependence_follows_the_feature_and_begins_at_zero(booster, data):
    rows = partial_dependence(booster, data[0], NAMES, "strong", clusters=data[1], bootstrap=BOOTSTRAP)
    assert rows[0]["mean"] == 0.0
    assert rows[-1]["mean"] > rows[len(rows) // 2]["mean"] > 0
    assert [row["value"] for row in rows] == sorted({row["value"] for row in rows})
    alone = partial_dependence(booster, data[0], NAMES, "unused", clusters=data[1], bootstrap=BOOTSTRAP)
    assert [row["mean"] for row in alone] == [0.0]
    absent = np.full_like(data[0], np.nan)
    assert partial_dependence(booster, absent, NAMES, "weak", clusters=data[1], bootstrap=BOOTSTRAP) == []
