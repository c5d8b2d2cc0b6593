"""What each feature adds to a score: exact Shapley values of trees, or weight x value of a linear ranker."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


def contributions(booster: Any, features: NDArray[np.float32], names: Sequence[str]) -> list[dict[str, float]]:
    """Explain scores.

    Args:
        booster: An opened `xgboost.Booster`, of trees or `gblinear`.
        features: One vector a document. Shape (n_rows, n_features).
        names: Of the features, in column order.

    Returns:
        For each row each feature's part of the score, the largest first; with the constant that all documents share
        they sum up to it.

    References:
        Lundberg et al., From local explanations to global understanding with explainable AI for trees, 2020.
    """
    import xgboost as xgb

    matrix = xgb.DMatrix(features, feature_names=list(names))
    # The last column is the constant: it is the same for every document and explains no order.
    added = booster.predict(matrix, pred_contribs=True)[:, :-1]
    orders = np.argsort(-np.abs(added), axis=1, kind="stable")
    return [{names[n]: float(row[n]) for n in order} for row, order in zip(added, orders, strict=True)]
