"""A linear ranker: one weight per feature, learned list by list, and kept as XGBoost keeps one (`gblinear`)."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from pydantic import BaseModel, Field

from rankhammer.errors import DataError
from rankhammer.evaluation.metrics import mean_ndcg
from rankhammer.rankers.base import FitSettings, FittedRanker, RankingData
from rankhammer.rankers.xgboost import check_labels, query_weights
from rankhammer.strict_model import StrictModel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

_SCHEMA = [3, 2, 0]
"""Version of XGBoost whose JSON this is; the booster that reads it writes its own."""
SPREAD = "spread"
"""Attribute of the booster: how far each feature's values lay apart within queries."""


def write_booster(weights: NDArray[np.float32], feature_names: Sequence[str], spread: NDArray[np.float64]) -> bytes:
    """Write weights as UBJSON.

    Args:
        weights: One a feature, of raw values.
        feature_names: In the weights' order.
        spread: How far each feature's values lie apart within queries; 0 where they do not.

    Returns:
        The same bytes for the same arguments.
    """
    from rankhammer.light_xgboost import xgb

    n_features = len(weights)
    # The last weight is the intercept.
    model = {"weights": [*weights.astype(np.float64).tolist(), 0.0], "boosted_rounds": 1}
    learner = {
        "attributes": {SPREAD: json.dumps(spread.tolist())},
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


def score_booster(model: bytes, features: NDArray[np.float32], *, n_threads: int) -> NDArray[np.float32]:
    """Score feature vectors, shape (n_rows, n_features) to (n_rows,); NaN adds nothing."""
    from rankhammer.light_xgboost import xgb

    if not len(features):
        return np.zeros(0, np.float32)
    booster = xgb.Booster({"nthread": n_threads}, model_file=bytearray(model))
    rows = xgb.DMatrix(features, missing=np.nan, nthread=n_threads)
    scores: NDArray[np.float32] = booster.predict(rows, output_margin=True, validate_features=False)
    return scores


def score_shares(model: bytes) -> NDArray[np.float64]:
    """Return how far each feature moves the scores of a query's documents apart: |weight| x spread."""
    from rankhammer.light_xgboost import xgb

    booster = xgb.Booster(model_file=bytearray(model))
    weights = json.loads(bytes(booster.save_raw("json")))["learner"]["gradient_booster"]["model"]["weights"]
    spread = np.array(json.loads(booster.attr(SPREAD) or "[]"), np.float64)
    sizes: NDArray[np.float64] = np.abs(np.array(weights[:-1], np.float64)) * spread
    return sizes


_BLOCK = 1 << 22
"""Values that are turned into 64-bit floats at once: 32 MB."""
_FLAT = 1e-7
"""A slope so small, or a gain so small a share of the loss, is the bottom."""


class LinearOptions(StrictModel):
    """How weights are held back where the search space does not say otherwise: the first trial runs with these."""

    reg_lambda: float = Field(0.01, ge=0, le=1e6, description="L2 penalty on the weights of features of equal spread")
    non_negative: bool = Field(False, description="no weight below 0, so that no score is; not searched")


@dataclass(frozen=True, eq=False)
class Lists:
    """Rows of whole queries, each feature divided by its spread; absent values are 0.

    Args:
        features: float32, shape (n_rows, n_features).
        label: Grades, shape (n_rows,).
        qid: Query of each row, shape (n_rows,).
        weight: One weight per query, float64, shape (n_queries,).
        feature_names: In column order.
        spread: How far a feature's values lie apart within a query, float64, shape (n_features,); 0 where they do not.
    """

    features: NDArray[np.float32]
    label: NDArray[np.float32]
    qid: NDArray[np.int32]
    weight: NDArray[np.float64]
    feature_names: tuple[str, ...]
    spread: NDArray[np.float64]

    @cached_property
    def starts(self) -> NDArray[np.int64]:
        """First row of each query."""
        return _starts(self.qid)

    @cached_property
    def query(self) -> NDArray[np.int64]:
        """Place of each row's query among `starts`."""
        return np.repeat(np.arange(len(self.starts)), np.diff(self.starts, append=len(self.qid)))

    def scores(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Add up weight x value, shape (n_rows,)."""
        # einsum without its optimiser: BLAS may round otherwise with another number of threads.
        return np.concatenate([np.einsum("ij,j->i", rows, weights) for _, rows in self._blocks()])

    def slopes(self, by_row: NDArray[np.float64]) -> NDArray[np.float64]:
        """Add up value x a number per row, shape (n_features,)."""
        total = np.zeros(self.features.shape[1])
        for place, rows in self._blocks():
            total += np.einsum("ij,i->j", rows, by_row[place])
        return total

    def _blocks(self) -> Iterator[tuple[slice, NDArray[np.float64]]]:
        n_rows = max(1, _BLOCK // max(1, self.features.shape[1]))
        for start in range(0, max(1, len(self.features)), n_rows):
            place = slice(start, start + n_rows)
            yield place, self.features[place].astype(np.float64)


class LinearRanker:
    """One weight per feature, by a listwise softmax loss: small, fast in any engine, and easy to read.

    The loss of a query is the cross entropy between the softmax of its scores and its gains 2^grade - 1, shared out so
    that they sum up to 1; queries without a relevant document say nothing. It is convex and bounds NDCG from below.
    Features are divided by their spread within queries for the fit, and the weights by it afterwards, so that the
    ranker takes raw values. An absent value adds nothing, as 0 does. There is no intercept: it changes no order.

    Args:
        options: Checked `LinearOptions`.

    References:
        Z. Cao, T. Qin, T. Liu, M. Tsai and H. Li, "Learning to Rank: From Pairwise Approach to Listwise Approach",
        ICML, 2007.
        S. Bruch, "An Alternative Cross Entropy Loss for Learning-to-Rank", WWW, 2021.
    """

    Options: ClassVar[type[BaseModel]] = LinearOptions
    objective: ClassVar[str] = "listwise_softmax"
    kind: ClassVar[str] = "linear"

    def __init__(self, options: LinearOptions) -> None:
        self._options = options

    def default_params(self) -> dict[str, Any]:
        """Return every parameter that a search space may name, with its value in the options."""
        return self._options.model_dump(exclude={"non_negative"})

    def prepare(self, data: RankingData, *, reference: Lists | None = None, n_threads: int = 1) -> Lists:  # noqa: ARG002
        """Divide each feature by its spread within queries.

        Args:
            data: Rows of whole queries, at least one.
            reference: The training rows whose spreads these validation rows go with.
            n_threads: Not used: a fit takes one thread.

        Raises:
            DataError: A label is not a whole number from 0 to 31, or a value is infinite.
        """
        check_labels(data.label)
        _refuse_infinite(data)
        features = np.nan_to_num(data.features, nan=0.0)
        spread = _spread(features, data.qid) if reference is None else reference.spread
        features *= _inverse(spread).astype(np.float32)
        return Lists(features, data.label, data.qid, query_weights(data), data.feature_names, spread)

    def fit(
        self, train: Lists, valid: Lists | None, *, params: Mapping[str, Any], settings: FitSettings
    ) -> FittedRanker:
        """Go downhill until the bottom, until the validation NDCG stops rising, or for all rounds.

        Args:
            train: Prepared training rows.
            valid: Prepared validation rows, or None.
            params: Point of the search space.
            settings: Rounds, which are steps of L-BFGS; threads and seed change nothing.

        Returns:
            The weights after the best step, as a linear booster of XGBoost (UBJSON).
        """
        from scipy.optimize import minimize

        reg_lambda = float({**self.default_params(), **params}["reg_lambda"])
        steps = _Steps(valid, settings)
        n_features = train.features.shape[1]
        minimize(
            _loss(train, reg_lambda),
            np.zeros(n_features),
            jac=True,
            method="L-BFGS-B",
            bounds=[(0, None)] * n_features if self._options.non_negative else None,
            callback=steps,
            options={"maxiter": settings.n_rounds, "ftol": _FLAT**2, "gtol": _FLAT, "maxcor": 20},
        )
        weights = steps.best if steps.best is not None else np.zeros(n_features)
        raw = (weights * _inverse(train.spread)).astype(np.float32)
        model = write_booster(raw, train.feature_names, train.spread)
        return FittedRanker(model, max(1, steps.best_round), tuple(steps.by_round))

    def score(self, model: bytes, features: NDArray[np.float32], *, n_threads: int = 1) -> NDArray[np.float32]:
        """Score feature vectors, shape (n_rows, n_features) to (n_rows,); NaN adds nothing."""
        return score_booster(model, features, n_threads=n_threads)

    def importance(self, model: bytes, feature_names: tuple[str, ...]) -> dict[str, float]:
        """Return each feature's share of what moves scores, 0 to 1: the size of its weight times its spread."""
        moved = score_shares(model)
        total = float(moved.sum()) or 1.0
        return {name: float(size) / total for name, size in zip(feature_names, moved, strict=True)}


@dataclass
class _Steps:
    """What the descent has come to: weights after the best step.

    Args:
        valid: Rows that say which step is the best; None: the last one.
        settings: How long no better step is waited for.
    """

    valid: Lists | None
    settings: FitSettings
    best: NDArray[np.float64] | None = None
    best_round: int = 0
    by_round: list[float] = field(default_factory=list)
    _n_rounds: int = 0
    _best_ndcg: float = field(default=-1.0)

    def __call__(self, intermediate_result: Any) -> None:
        """Look at a step's weights; scipy wants this very name.

        Raises:
            StopIteration: There was no better step for too long.
        """
        self._n_rounds += 1
        patience = self.settings.early_stopping_rounds
        if self.valid is None or patience is None:
            self._keep(intermediate_result.x, 0.0)
            return
        scores = self.valid.scores(intermediate_result.x)
        ndcg = mean_ndcg(scores, self.valid.label, self.valid.qid, self.settings.metric_k)
        self.by_round.append(ndcg)
        if ndcg > self._best_ndcg or self.best is None:
            self._keep(intermediate_result.x, ndcg)
        if self._n_rounds - self.best_round >= patience:
            raise StopIteration

    def _keep(self, weights: NDArray[np.float64], ndcg: float) -> None:
        self.best, self.best_round, self._best_ndcg = weights.copy(), self._n_rounds, ndcg


def _refuse_infinite(data: RankingData) -> None:
    infinite = np.isinf(data.features).sum(axis=0)
    if infinite.any():
        place = int(np.argmax(infinite))
        name = data.feature_names[place]
        raise DataError(
            f"Feature {name!r} is infinite in {infinite[place]} rows; a weighted sum needs numbers.",
            hint="Bound the feature, for example by min(..., 1000) in an expression.",
            feature=name,
        )


def _loss(lists: Lists, reg_lambda: float) -> Callable[[NDArray[np.float64]], tuple[float, NDArray[np.float64]]]:
    """Return what gives the loss, a mean over queries by weight, and its slopes."""
    gains = np.exp2(lists.label.astype(np.float64)) - 1.0
    sums = np.add.reduceat(gains, lists.starts)
    weight = np.where(sums > 0, lists.weight, 0.0)
    weight = weight / (weight.sum() or 1.0)
    wanted = gains / np.where(sums > 0, sums, 1.0)[lists.query]

    def loss(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        scores = lists.scores(weights)
        scores -= np.maximum.reduceat(scores, lists.starts)[lists.query]
        powers = np.exp(scores)
        norms = np.add.reduceat(powers, lists.starts)
        # Sum of -wanted x log(power / norm); a query's `wanted` sum up to 1.
        losses = np.log(norms) - np.add.reduceat(wanted * scores, lists.starts)
        by_row = weight[lists.query] * (powers / norms[lists.query] - wanted)
        penalty = 0.5 * reg_lambda * float(np.square(weights).sum())
        return float((weight * losses).sum()) + penalty, lists.slopes(by_row) + reg_lambda * weights

    return loss


def _spread(features: NDArray[np.float32], qid: NDArray[np.int32]) -> NDArray[np.float64]:
    """Return the standard deviation of each feature around its query's mean, shape (n_features,)."""
    starts = _starts(qid)
    sizes = np.diff(starts, append=len(qid))
    spread = np.zeros(features.shape[1])
    for place in range(features.shape[1]):
        values = features[:, place].astype(np.float64)
        # From the first value on: what is the same all over a query gives 0, not a rounding error.
        values -= np.repeat(values[starts], sizes)
        means = np.add.reduceat(values, starts) / sizes
        spread[place] = np.sqrt(np.square(values - np.repeat(means, sizes)).mean())
    return spread


def _inverse(spread: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.divide(1.0, spread, out=np.zeros_like(spread), where=spread > 0)


def _starts(qid: NDArray[np.int32]) -> NDArray[np.int64]:
    return np.flatnonzero(np.diff(qid, prepend=qid[:1] - 1))
