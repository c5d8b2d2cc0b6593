"""A linear ranker as XGBoost keeps one (`gblinear`), so that whatever reads model.ubj reads it, too."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_SCHEMA = [3, 2, 0]
"""Version of XGBoost whose JSON this is; the booster that reads it writes its own."""
_SPREAD = "spread"
"""Attribute of the booster: how far each feature's values lay apart within queries."""


def write(weights: NDArray[np.float32], feature_names: Sequence[str], spread: NDArray[np.float64]) -> bytes:
    """Write weights as UBJSON.

    Args:
        weights: One a feature, of raw values.
        feature_names: In the weights' order.
        spread: How far each feature's values lie apart within queries; 0 where they do not.

    Returns:
        The same bytes for the same arguments.
    """
    import xgboost as xgb

    n_features = len(weights)
    # The last weight is the intercept.
    model = {"weights": [*weights.astype(np.float64).tolist(), 0.0], "boosted_rounds": 1}
    learner = {
        "attributes": {_SPREAD: json.dumps(spread.tolist())},
        "feature_names": list(feature_names),
        "feature_types": ["float"] * n_features,
        "gradient_booster": {"name": "gblinear", "model": model},
        "learner_model_param": {
            "base_score": "[0E0]",
            "boost_from_average": "0",
            "num_class": "0",
            "num_feature": str(n_features),
            "num_target": "1",
        },
        # It is trained elsewhere; here an objective only says that a score is the sum itself.
        "objective": {"name": "reg:squarederror", "reg_loss_param": {"scale_pos_weight": "1"}},
    }
    content = json.dumps({"learner": learner, "version": _SCHEMA})
    return bytes(xgb.Booster(model_file=bytearray(content.encode())).save_raw("ubj"))


def score(model: bytes, features: NDArray[np.float32], *, n_threads: int) -> NDArray[np.float32]:
    """Score feature vectors, shape (n_rows, n_features) to (n_rows,); NaN adds nothing."""
    import xgboost as xgb

    if not len(features):
        return np.zeros(0, np.float32)
    booster = xgb.Booster({"nthread": n_threads}, model_file=bytearray(model))
    rows = xgb.DMatrix(features, missing=np.nan, nthread=n_threads)
    scores: NDArray[np.float32] = booster.predict(rows, output_margin=True, validate_features=False)
    return scores


def moved(model: bytes) -> NDArray[np.float64]:
    """Return how far each feature moves the scores of a query's documents apart: |weight| x spread."""
    import xgboost as xgb

    booster = xgb.Booster(model_file=bytearray(model))
    weights = json.loads(bytes(booster.save_raw("json")))["learner"]["gradient_booster"]["model"]["weights"]
    spread = np.array(json.loads(booster.attr(_SPREAD) or "[]"), np.float64)
    sizes: NDArray[np.float64] = np.abs(np.array(weights[:-1], np.float64)) * spread
    return sizes
