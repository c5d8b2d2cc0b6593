"""Why a ranker orders documents as it does: Shapley values, what a feature moves, and how a score follows it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from rankhammer.evaluation.bootstrap import Bootstrap, resampled_means
from rankhammer.evaluation.contributions import margins
from rankhammer.evaluation.network_explanations import share_out
from rankhammer.mixed_model import MixedModel
from rankhammer.neural_model import NeuralModel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]

N_STEPS = 20
"""Values of a feature at which its partial dependence is computed."""


class ShapValues(NamedTuple):
    """Contributions: `added`, shape (n_rows, n_features); `constant`, the same for all; `scores`, (n_rows,)."""

    added: FloatArray
    constant: float
    scores: FloatArray

    @property
    def largest_gap(self) -> float:
        """Largest distance of a score from the sum of its contributions: only rounding to 32 bits is between them."""
        gaps = np.abs(self.added.sum(axis=1) + self.constant - self.scores)
        return float(gaps.max(initial=0.0))


def shap_values(model: Any, features: NDArray[np.float32], names: Sequence[str]) -> ShapValues:
    """Divide scores among the features: TreeSHAP of trees, weight x value of a linear ranker, or drawn orders.

    Trees and linear weights of every library are kept as a booster of XGBoost, so one computation explains all of
    them; `network_explanations` does networks.

    Args:
        model: `TrainedRanker.opened`: a booster of trees or `gblinear`, or a network.
        features: One vector per document, NaN where absent. Shape (n_rows, n_features).
        names: Of the features, in column order.

    References:
        Lundberg et al., From local explanations to global understanding with explainable AI for trees, 2020.
    """
    if isinstance(model, NeuralModel):
        shares = share_out(model, features)
        return ShapValues(shares.added, shares.constant, margins(model, features, names))
    if isinstance(model, MixedModel):
        one, other = (shap_values(part, features, names) for part in (model.booster, model.network))
        return ShapValues(one.added + other.added, one.constant + other.constant, margins(model, features, names))
    from rankhammer.light_xgboost import xgb

    matrix = xgb.DMatrix(features, feature_names=list(names), missing=np.nan)
    found = model.predict(matrix, pred_contribs=True).astype(np.float64)
    scores = margins(model, features, names)
    return ShapValues(found[:, :-1], float(found[0, -1]) if len(found) else 0.0, scores)


def pairwise_difference(above: dict[str, float], below: dict[str, float]) -> dict[str, float]:
    """Say why one document stands above another: what each feature adds to the difference of their scores.

    Args:
        above: Feature to its contribution to the upper document's score.
        below: The same of the lower one.

    Returns:
        Feature to difference, the largest first; they sum up to the difference of the scores.
    """
    differences = {name: above[name] - below[name] for name in above}
    return dict(sorted(differences.items(), key=lambda item: -abs(item[1])))


def importance(
    shap: ShapValues, names: Sequence[str], qid: NDArray[Any], clusters: NDArray[Any], bootstrap: Bootstrap
) -> list[dict[str, Any]]:
    """Measure how much each feature moves documents within a query.

    What a feature adds to all documents of a query alike orders nothing, so its mean over the query is taken away:
    mean over queries of the mean |contribution - its mean in the query|.

    Args:
        shap: Contributions.
        names: Of the features.
        qid: Ascending query of each row. Shape (n_rows,).
        clusters: Cluster of each row's query, resampled together. Shape (n_rows,).
        bootstrap: How intervals are made.

    Returns:
        A row per feature, the most important first: feature, mean, lower, upper (of the score; None below two
        clusters), share (of the sum over features, 0 to 1).
    """
    _, first, query = np.unique(qid, return_index=True, return_inverse=True)
    within = np.abs(shap.added - _query_means(shap.added, query)[query])
    by_query = _query_means(within, query)
    means = by_query.mean(axis=0)
    ends = _ends(by_query, clusters[first], bootstrap)
    total = float(means.sum()) or 1.0
    rows = [
        {"feature": name, "mean": float(means[at]), **ends[at], "share": float(means[at]) / total}
        for at, name in enumerate(names)
    ]
    return sorted(rows, key=lambda row: (-row["mean"], row["feature"]))


def partial_dependence(
    model: Any,
    features: NDArray[np.float32],
    names: Sequence[str],
    feature: str,
    *,
    clusters: NDArray[Any],
    bootstrap: Bootstrap,
) -> list[dict[str, Any]]:
    """Follow the mean score while one feature takes each of its usual values and all others stay as they are.

    Args:
        model: See `shap_values`.
        features: Vectors to average over. Shape (n_rows, n_features).
        names: Of the features.
        feature: Which one.
        clusters: Cluster of each row, resampled together. Shape (n_rows,).
        bootstrap: How intervals are made.

    Returns:
        A row per value, ascending: value, mean, lower, upper: the mean score less that at the first value; None for
        the ends below two clusters. Empty where the feature is always absent.

    References:
        Friedman, Greedy function approximation: a gradient boosting machine, Annals of Statistics 2001.
    """
    at = list(names).index(feature)
    known = features[:, at][np.isfinite(features[:, at])]
    if not known.size:
        return []
    values = np.unique(np.quantile(known, np.linspace(0.0, 1.0, N_STEPS), method="nearest"))
    scores = np.empty((len(features), len(values)))
    changed = features.copy()
    for place, value in enumerate(values):
        changed[:, at] = value
        scores[:, place] = margins(model, changed, names)
    moved = scores - scores[:, :1]
    ends = _ends(moved, clusters, bootstrap)
    return [
        {"value": float(value), "mean": float(moved[:, place].mean()), **ends[place]}
        for place, value in enumerate(values)
    ]


def _query_means(values: FloatArray, query: NDArray[np.intp]) -> FloatArray:
    counts = np.bincount(query)
    return np.column_stack([np.bincount(query, weights=column) for column in values.T]) / counts[:, None]


def _ends(values: FloatArray, clusters: NDArray[Any], bootstrap: Bootstrap) -> list[dict[str, float | None]]:
    """Ends of each column's interval."""
    if len(np.unique(clusters)) < 2:
        return [{"lower": None, "upper": None} for _ in range(values.shape[1])]
    tail = (1.0 - bootstrap.confidence) / 2.0
    drawn = resampled_means(values, clusters, bootstrap)
    lower, upper = np.quantile(drawn, [tail, 1.0 - tail], axis=0)
    return [{"lower": float(low), "upper": float(high)} for low, high in zip(lower, upper, strict=True)]
