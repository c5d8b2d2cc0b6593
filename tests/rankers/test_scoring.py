"""Scoring a table with each corpus's rankers."""

from __future__ import annotations

import math

import numpy as np
import pytest

from rankhammer import plugins
from rankhammer.plugins import PluginSpec
from rankhammer.rankers import FitSettings, RankingData
from rankhammer.rankers.scoring import Made, rank_as_shown, score_rows

CHOICE = PluginSpec(name="xgboost")
ROWS = "corpus string, doc_id string, mean_position double, features struct<x: float, y: float>"


def _model(sign: float) -> bytes:
    ranker = plugins.create("rankers", CHOICE)
    features = np.random.default_rng(0).random((200, 2), dtype=np.float32)
    label = (sign * features[:, 0] > sign * 0.5).astype(np.float32)
    qid = np.repeat(np.arange(20, dtype=np.int32), 10)
    train = ranker.prepare(RankingData(features, label, qid, np.ones(200), ("x", "y")))
    settings = FitSettings(n_rounds=5, early_stopping_rounds=None, metric_k=10, n_threads=1, random_state=0)
    return ranker.fit(train, None, params={}, settings=settings).model


@pytest.mark.parametrize("n_partitions", [1, 3])
def test_each_corpus_is_scored_by_its_own_ranker_whatever_the_partitioning(spark, n_partitions):
    up, down = _model(1.0), _model(-1.0)
    rows = spark.createDataFrame(
        [("a", "1", 1.0, (0.9, 0.5)), ("b", "1", 1.0, (0.9, 0.5)), ("c", "1", 1.0, (0.9, 0.5))], ROWS
    ).repartition(n_partitions)
    models = {"a": Made(CHOICE, up), "b": Made(CHOICE, down)}
    scored = score_rows(rows, {"ranker": models, "oracle": {}})
    found = {row.corpus: (row.ranker, row.oracle) for row in scored.collect()}
    ranker = plugins.create("rankers", CHOICE)
    expected = {
        name: float(ranker.score(model, np.array([[0.9, 0.5]], np.float32))[0])
        for name, model in (("a", up), ("b", down))
    }
    assert found == {"a": (expected["a"], None), "b": (expected["b"], None), "c": (None, None)}
    assert found["a"][0] > found["b"][0]


def test_the_logged_order_is_the_mean_position_and_an_absent_baseline_has_no_score(spark):
    rows = spark.createDataFrame([("a", "1", 1.5, (0.25, 0.0)), ("a", "2", 2.0, (math.nan, 0.0))], ROWS)
    shown = rank_as_shown(rows, baseline_feature="x").orderBy("doc_id").select("logged", "baseline").collect()
    assert [tuple(row) for row in shown] == [(-1.5, 0.25), (-2.0, None)]
