"""Small trained rankers for the exporters' tests."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import xgboost as xgb

from rankhammer.exporters import TrainedRanker
from rankhammer.feature_sets import FeatureSet
from rankhammer.rankers import FitSettings, RankingData
from rankhammer.rankers.linear import LinearOptions, LinearRanker

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

FEATURES = (
    {"type": "match", "name": "title_match", "field": "title"},
    {"type": "phrase", "name": "body_phrase", "field": "body"},
    {"type": "field_value", "name": "popularity", "field": "popularity", "modifier": "log1p"},
    {"type": "query_length", "name": "n_terms"},
    {"type": "expression", "name": "mixed", "expression": "title_match + 2 * ln(1 + body_phrase)"},
)


@dataclass(frozen=True)
class Trained:
    """A ranker, the vectors it was trained on, and what it scores them."""

    ranker: TrainedRanker
    features: NDArray[np.float32]
    margins: NDArray[np.float32]

    def folder(self) -> dict[str, bytes]:
        """Return the files that the training stage publishes."""
        names = list(self.ranker.feature_set.names)
        rows = np.where(np.isnan(self.features), None, self.features.astype(object)).tolist()
        scores = self.ranker.booster.predict(xgb.DMatrix(self.features), validate_features=False)
        sample = {"feature_names": names, "features": rows, "scores": scores.tolist()}
        return {
            "model.ubj": self.ranker.model,
            "manifest.json": json.dumps(dict(self.ranker.manifest)).encode(),
            "feature_set.json": self.ranker.feature_set.model_dump_json().encode(),
            "sample_vectors.json": json.dumps(sample).encode(),
        }


def train(
    objective: str = "rank:ndcg",
    *,
    features: tuple[dict[str, Any], ...] = FEATURES,
    keep: tuple[str, ...] = (),
    n_trees: int = 8,
    n_rows: int = 400,
    **params: Any,
) -> Trained:
    """Train on noise around a known function; features in `keep` are absent (NaN) in a third of the rows."""
    rng = np.random.default_rng(7)
    declared = [dict(feature) | ({"absent": "keep"} if feature["name"] in keep else {}) for feature in features]
    feature_set = FeatureSet.model_validate({"name": "tested", "features": declared})
    rows = rng.lognormal(size=(n_rows, len(declared))).round(2).astype(np.float32)
    rows[rng.random(rows.shape) < 0.2] = 0
    truth = rows[:, 0] + np.nan_to_num(rows[:, -1]) + rng.normal(size=n_rows)
    for place, name in enumerate(feature_set.names):
        rows[rng.random(n_rows) < (0.33 if name in keep else 0), place] = np.nan
    label = (truth > 2).astype(float) if objective.startswith("binary") else truth.clip(0, 4).round()
    names = list(feature_set.names)
    data = xgb.DMatrix(rows, label, feature_names=names, feature_types=["float"] * len(names))
    if objective.startswith("rank"):
        data.set_group([20] * (n_rows // 20))
    settings = {"objective": objective, "max_depth": 4, "nthread": 1, "seed": 7, **params}
    booster = xgb.train(settings, data, n_trees)
    ranker = TrainedRanker("main", bytes(booster.save_raw("ubj")), feature_set, {"seed": 7})
    return Trained(ranker, rows, booster.predict(data, output_margin=True))


def train_linear(
    *,
    features: tuple[dict[str, Any], ...] = FEATURES,
    keep: tuple[str, ...] = (),
    truth: tuple[float, ...] = (1, 0, -2, 0, 0.5),
    lowest: float = 0.0,
    non_negative: bool = False,
) -> Trained:
    """Train a linear ranker on features whose part in the grades `truth` says; 0 is a value that queries share."""
    rng = np.random.default_rng(7)
    declared = [dict(feature) | ({"absent": "keep"} if feature["name"] in keep else {}) for feature in features]
    feature_set = FeatureSet.model_validate({"name": "tested", "features": declared})
    n_rows, n_features = 400, len(declared)
    rows = (lowest + rng.random((n_rows, n_features)) * np.logspace(-1, 3, n_features)).astype(np.float32)
    for place, name in enumerate(feature_set.names):
        rows[rng.random(n_rows) < 0.2, place] = np.nan if name in keep else 0
    utility = (np.nan_to_num(rows) / rows.std(axis=0, where=~np.isnan(rows))) @ np.array(truth)
    rows[:, np.array(truth) == 0] = 1
    label = np.digitize(utility, np.quantile(utility, [0.5, 0.8])).astype(np.float32)
    qid = np.repeat(np.arange(n_rows // 20, dtype=np.int32), 20)
    data = RankingData(rows, label, qid, np.ones(n_rows), feature_set.names)
    learner = LinearRanker(LinearOptions(non_negative=non_negative))
    settings = FitSettings(50, None, 10, 1, 7)
    model = learner.fit(learner.prepare(data), None, params={}, settings=settings).model
    manifest = {"objective": learner.objective}
    made = Trained(TrainedRanker("main", model, feature_set, manifest), rows, learner.score(model, rows))
    return replace(made, ranker=replace(made.ranker, sample=made.folder()["sample_vectors.json"]))


@pytest.fixture(scope="session")
def make_linear() -> Callable[..., Trained]:
    """Return the function that trains a small linear ranker."""
    return train_linear


@pytest.fixture(scope="session")
def linear() -> Trained:
    """A linear ranker that needs `title_match`, `popularity` and `mixed`, the second with a negative weight."""
    return train_linear()


@pytest.fixture(scope="session")
def make_ranker() -> Callable[..., Trained]:
    """Return the function that trains a small ranker."""
    return train


@pytest.fixture(scope="session")
def trained() -> Trained:
    """A rank:ndcg ranker on features that are never absent."""
    return train()


HOSTILE = (
    {"type": "match", "name": "grid", "field": "title"},
    {"type": "match", "name": "neighbours", "field": "body"},
    {"type": "field_value", "name": "skewed", "field": "popularity", "modifier": "log1p"},
    {"type": "query_length", "name": "n_terms"},
    {"type": "field_value", "name": "is_new", "field": "is_new"},
    {"type": "field_value", "name": "below_zero", "field": "balance"},
    {"type": "field_value", "name": "large", "field": "size"},
)


def hostile_rows(n_rows: int = 600) -> NDArray[np.float32]:
    """Return values that trees cut exactly at: a grid, 32-bit neighbours, 0 and 1, negative and large numbers."""
    rng = np.random.default_rng(11)
    rows = np.empty((n_rows, len(HOSTILE)), np.float32)
    rows[:, 0] = rng.integers(0, 8, n_rows) / 4
    rows[:, 1] = np.float32(0.7) + rng.integers(0, 8, n_rows) * np.spacing(np.float32(0.7))
    rows[:, 2] = rng.lognormal(0, 3, n_rows)
    rows[:, 3] = rng.integers(1, 9, n_rows)
    rows[:, 4] = rng.integers(0, 2, n_rows)
    rows[:, 5] = -rng.lognormal(0, 1, n_rows) - 0.01
    rows[:, 6] = rng.integers(2**23, 2**24, n_rows)
    return rows


@pytest.fixture(scope="session")
def hostile() -> Trained:
    """A rank:ndcg ranker with a base score on hostile values, and vectors on, just below and just above its splits."""
    rows = hostile_rows()
    scaled = (rows - rows.mean(0)) / (rows.std(0) + 1e-12)
    noise = np.random.default_rng(5).normal(size=len(rows)) / 4
    label = np.digitize(scaled.sum(1) + noise, [-2, 0, 1, 3])
    feature_set = FeatureSet.model_validate({"name": "hostile", "features": HOSTILE})
    data = xgb.DMatrix(rows, label, feature_names=list(feature_set.names), feature_types=["float"] * len(HOSTILE))
    data.set_group([20] * (len(rows) // 20))
    settings = {"objective": "rank:ndcg", "base_score": 0.3, "max_depth": 6, "nthread": 1, "seed": 3}
    booster = xgb.train(settings, data, 40)
    ranker = TrainedRanker("main", bytes(booster.save_raw("ubj")), feature_set, {"seed": 3})
    vectors = np.concatenate([rows, split_neighbours(booster, rows)])
    margins = booster.inplace_predict(vectors, predict_type="margin", validate_features=False)
    return Trained(ranker, vectors, margins)


def split_neighbours(booster: xgb.Booster, rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Put each split's threshold, and the 32-bit floats beside it, into rows of the training data, in turn."""
    names, found = booster.feature_names or [], []
    for tree in booster.get_dump(dump_format="json"):
        waiting = [json.loads(tree)]
        while waiting:
            node = waiting.pop()
            waiting += node.get("children", [])
            if "split" in node:
                found.append((names.index(node["split"]), np.float32(node["split_condition"])))
    vectors = np.repeat(rows[np.arange(len(found)) % len(rows)], 3, axis=0)
    for place, (feature, threshold) in enumerate(found):
        beside = [np.nextafter(threshold, np.float32(side)) for side in (-np.inf, np.inf)]
        vectors[3 * place : 3 * place + 3, feature] = [threshold, *beside]
    return vectors


@pytest.fixture(scope="session")
def absent_left() -> Trained:
    """A ranker that sends absent values of its one feature left everywhere, as it sends 0."""
    rows = np.tile(np.array([[np.nan], [0], [2], [3], [4]], np.float32), (40, 1))
    data = xgb.DMatrix(rows, np.nan_to_num(rows[:, 0]), feature_names=["title_match"], feature_types=["float"])
    booster = xgb.train({"max_depth": 3, "nthread": 1}, data, 6)
    declared = [{"type": "match", "name": "title_match", "field": "title", "absent": "keep"}]
    feature_set = FeatureSet.model_validate({"name": "kept", "features": declared})
    ranker = TrainedRanker("main", bytes(booster.save_raw("ubj")), feature_set, {})
    return Trained(ranker, rows, booster.predict(data, output_margin=True))
