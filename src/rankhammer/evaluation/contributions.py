"""What each feature adds to a score: Shapley values of trees and networks, or weight x value of a linear ranker."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from rankhammer.evaluation.network_explanations import share_out
from rankhammer.mixed_model import MixedModel
from rankhammer.neural_model import NeuralModel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


def contributions(model: Any, features: NDArray[np.float32], names: Sequence[str]) -> list[dict[str, float]]:
    """Explain scores.

    Args:
        model: `TrainedRanker.opened`: a booster of trees or `gblinear`, or a network.
        features: One vector a document. Shape (n_rows, n_features).
        names: Of the features, in column order.

    Returns:
        For each row each feature's part of the score, the largest first; with the constant that all documents share
        they sum up to it.

    References:
        Lundberg et al., From local explanations to global understanding with explainable AI for trees, 2020.
    """
    added = _added(model, features, names)
    orders = np.argsort(-np.abs(added), axis=1, kind="stable")
    return [{names[n]: float(row[n]) for n in order} for row, order in zip(added, orders, strict=True)]


def _added(model: Any, features: NDArray[np.float32], names: Sequence[str]) -> NDArray[Any]:
    if isinstance(model, NeuralModel):
        return share_out(model, features).added
    if isinstance(model, MixedModel):
        summed: NDArray[Any] = _added(model.booster, features, names) + _added(model.network, features, names)
        return summed
    from rankhammer.light_xgboost import xgb

    # The last column is the constant: it is the same for every document and explains no order.
    found: NDArray[Any] = model.predict(xgb.DMatrix(features, feature_names=list(names)), pred_contribs=True)
    return found[:, :-1]


def margins(model: Any, features: NDArray[np.float32], names: Sequence[str]) -> NDArray[np.float64]:
    """Score vectors with an opened ranker of any kind.

    Args:
        model: See `contributions`.
        features: NaN where absent, shape (n_rows, n_features).
        names: Of the features.

    Returns:
        Shape (n_rows,).
    """
    if isinstance(model, NeuralModel | MixedModel):
        return model.score(features).astype(np.float64)
    from rankhammer.light_xgboost import xgb

    matrix = xgb.DMatrix(features, feature_names=list(names), missing=np.nan)
    scores: NDArray[np.float64] = model.predict(matrix, output_margin=True).astype(np.float64)
    return scores
