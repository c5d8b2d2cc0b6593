"""Small trained rankers for the exporters' tests."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import xgboost as xgb

from rankhammer.exporters import RankerFiles
from rankhammer.feature_sets import FeatureSet

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

    ranker: RankerFiles
    features: NDArray[np.float32]
    margins: NDArray[np.float32]

    def folder(self) -> dict[str, bytes]:
        """Return the files that the training stage publishes."""
        names = list(self.ranker.feature_set.names)
        rows = np.where(np.isnan(self.features), None, self.features.astype(object)).tolist()
        scores = self.ranker.booster.inplace_predict(self.features, validate_features=False)
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
    ranker = RankerFiles("main", bytes(booster.save_raw("ubj")), feature_set, {"seed": 7})
    return Trained(ranker, rows, booster.predict(data, output_margin=True))


@pytest.fixture(scope="session")
def make_ranker() -> Callable[..., Trained]:
    """Return the function that trains a small ranker."""
    return train


@pytest.fixture(scope="session")
def trained() -> Trained:
    """A rank:ndcg ranker on features that are never absent."""
    return train()
