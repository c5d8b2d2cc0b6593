"""LambdaMART by XGBoost."""

from __future__ import annotations

import fnmatch
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Literal, cast

import numpy as np
from pydantic import BaseModel, Field

from rankhammer.errors import DataError, did_you_mean
from rankhammer.rankers.base import FitSettings, FittedRanker, RankingData
from rankhammer.rankers.query_batches import Slices, bin_batches
from rankhammer.strict_model import StrictModel

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from xgboost import Booster, QuantileDMatrix

    from rankhammer.rankers.base import Batches

MAX_LABEL = 31
"""XGBoost computes the gain 2^label - 1 in 32 bits."""


class XGBoostOptions(StrictModel):
    """What the trees are grown with where the search space does not say otherwise: the first trial runs with these."""

    monotone: tuple[str, ...] = Field(
        (),
        max_length=1000,
        description="features, or patterns of names like *bm25*, whose higher values never lower a score; not searched",
    )
    max_bin: int = Field(256, ge=2, le=65_536, description="histogram bins a feature; not searched, as they are cached")
    learning_rate: float = Field(0.1, gt=0, le=1, description="shrinkage of each tree")
    max_depth: int = Field(6, ge=1, le=30, description="levels a tree may have")
    min_child_weight: float = Field(1.0, ge=0, le=1e6, description="least sum of second derivatives in a leaf")
    gamma: float = Field(0.0, ge=0, le=1e6, description="least gain of a split")
    subsample: float = Field(1.0, gt=0, le=1, description="share of rows that each tree sees")
    colsample_bytree: float = Field(1.0, gt=0, le=1, description="share of features that each tree sees")
    colsample_bynode: float = Field(1.0, gt=0, le=1, description="share of features that each split sees")
    reg_lambda: float = Field(1.0, ge=0, le=1e6, description="L2 penalty on leaf values")
    reg_alpha: float = Field(0.0, ge=0, le=1e6, description="L1 penalty on leaf values")
    max_delta_step: float = Field(0.0, ge=0, le=100, description="largest leaf value; 0 is no limit")
    lambdarank_num_pair_per_sample: int = Field(32, ge=1, le=1000, description="pairs are built from the top so many")
    objective: Literal["rank:ndcg", "rank:pairwise", "rank:map"] = Field(
        "rank:ndcg",
        description="what pairs are weighted by: the change in NDCG, nothing, or the change in mean average precision "
        "(of grades above 0); not searched",
    )
    unbiased: bool = Field(
        False,
        description="estimate how much higher positions of the log are clicked, and weight pairs by it; for grades "
        "that are not corrected for that already; trained in one task alone; not searched",
    )
    device: Literal["cpu", "cuda"] = Field(
        "cpu", description="cuda trains on a GPU; needs the package xgboost in place of xgboost-cpu; not searched"
    )


class XGBoostRanker:
    """LambdaMART: gradient-boosted trees that maximise NDCG, by XGBoost.

    The gain of a grade is 2^grade - 1. XGBoost takes one weight per query: the mean of its rows' weights.
    The same data, parameters and seed give the same bytes, whatever the number of threads.

    Args:
        options: Checked `XGBoostOptions`.

    References:
        C. Burges, "From RankNet to LambdaRank to LambdaMART: An Overview", Microsoft Research, 2010.
        T. Chen and C. Guestrin, "XGBoost: A Scalable Tree Boosting System", KDD, 2016.
    """

    Options: ClassVar[type[BaseModel]] = XGBoostOptions
    kind: ClassVar[str] = "trees"
    ndcg_of_empty: ClassVar[float] = 0.0
    """What a query without a relevant document counts in the metric that early stopping looks at."""
    without_chance: ClassVar[dict[str, float]] = {"subsample": 1.0, "colsample_bytree": 1.0, "colsample_bynode": 1.0}
    """Values of the parameters with which nothing is drawn, so that every seed gives the same trees."""

    def __init__(self, options: XGBoostOptions) -> None:
        self._options = options

    @property
    def objective(self) -> str:
        """XGBoost's name of it."""
        return self._options.objective

    def default_params(self) -> dict[str, Any]:
        """Return every parameter that a search space may name, with its value in the options."""
        return self._options.model_dump(exclude={"max_bin", "monotone", "objective", "unbiased", "device"})

    def prepare(
        self, data: RankingData, *, reference: QuantileDMatrix | None = None, n_threads: int = 1
    ) -> QuantileDMatrix:
        """Put the rows into histogram bins, one byte a value with up to 256 bins.

        Args:
            data: Rows of whole queries, at least one.
            reference: The training rows whose bins these validation rows use.
            n_threads: Threads to use.

        Raises:
            DataError: A label is not a whole number from 0 to 31, or the option `monotone` names no feature.
        """
        return self.prepare_batches(Slices(data), reference=reference, n_threads=n_threads)

    def why_not_distributed(self) -> str:
        """Return why one model of it cannot be trained by several tasks together; empty where it can."""
        if self._options.unbiased:
            return "unbiased estimates the bias of positions from the queries of one task alone"
        return ""

    def prepare_batches(
        self,
        batches: Batches,
        *,
        reference: QuantileDMatrix | None = None,
        n_threads: int = 1,
        cache: Path | None = None,
    ) -> QuantileDMatrix:
        """Do as `prepare` with rows that come in batches; bytes of a booster do not depend on where bins are kept.

        Args:
            batches: Whole queries each, at least one batch.
            reference: The training rows whose bins these validation rows use.
            n_threads: Threads to use.
            cache: Folder that the bins are kept in while they are used; None: memory.

        Raises:
            DataError: See `prepare`; or a query is not in one batch.
        """
        fields_of = partial(self._fields, is_training=reference is None)
        bins: dict[str, Any] = {"max_bin": self._options.max_bin, "reference": reference, "n_threads": n_threads}
        binned: QuantileDMatrix = bin_batches(batches, fields_of, cache=cache, **bins)
        return binned

    def _fields(self, batch: RankingData, *, is_training: bool) -> dict[str, Any]:
        """Return what XGBoost's DataIter takes of a batch."""
        check_labels(batch.label)
        monotone_directions(self._options.monotone, batch.feature_names)
        rows = batch
        if self._options.unbiased and is_training and (batch.position is None or np.isnan(batch.position).all()):
            raise DataError(
                "`unbiased` learns from positions of the log, and no row has one.",
                hint="Take `unbiased` out of training.ranker.options, or keep positions in the log.",
            )
        if self._options.unbiased and batch.position is not None:
            # The bias is that of a row's place in its group.
            rows = _in_order(batch, np.lexsort((batch.position, batch.qid)))
        # Average precision knows relevant documents and others; what is measured are grades.
        is_binary = is_training and self._options.objective == "rank:map"
        return {
            "data": rows.features,
            "label": (rows.label > 0).astype(np.float32) if is_binary else rows.label,
            "qid": rows.qid,
            "weight": query_weights(rows),
            "feature_names": list(rows.feature_names),
            "feature_types": ["float"] * len(rows.feature_names),
        }

    def fit(
        self,
        train: QuantileDMatrix,
        valid: QuantileDMatrix | None,
        *,
        params: Mapping[str, Any],
        settings: FitSettings,
    ) -> FittedRanker:
        """Grow trees until the validation NDCG stops rising, or for all rounds where there is no validation.

        Args:
            train: Prepared training rows.
            valid: Prepared validation rows, or None.
            params: Point of the search space.
            settings: Rounds, threads and seed.

        Returns:
            The booster up to its best round, as UBJSON.
        """
        from rankhammer.light_xgboost import xgb

        stops = valid is not None and settings.early_stopping_rounds is not None
        seen: dict[str, dict[str, list[float]]] = {}
        booster = xgb.train(
            self._booster_params(params, settings, tuple(train.feature_names or ())),
            train,
            settings.n_rounds,
            evals=[(valid, "valid")] if stops else None,
            early_stopping_rounds=settings.early_stopping_rounds if stops else None,
            evals_result=seen,
            verbose_eval=False,
        )
        n_rounds = booster.best_iteration + 1 if stops else booster.num_boosted_rounds()
        (by_round,) = seen["valid"].values() if stops else ((),)
        return FittedRanker(_to_bytes(booster[:n_rounds]), n_rounds, tuple(by_round))

    def score(self, model: bytes, features: NDArray[np.float32], *, n_threads: int = 1) -> NDArray[np.float32]:
        """Score feature vectors, shape (n_rows, n_features) to (n_rows,); NaN counts as missing."""
        return score_trees(model, features, n_threads=n_threads)

    def importance(self, model: bytes, feature_names: tuple[str, ...]) -> dict[str, float]:
        """Return each feature's share of the total gain, 0 to 1; features never used are 0."""
        return shares_of_gain(model, feature_names)

    def _booster_params(
        self, params: Mapping[str, Any], settings: FitSettings, names: tuple[str, ...]
    ) -> dict[str, Any]:
        directions = monotone_directions(self._options.monotone, names)
        # Without an option its parameter stays away: a booster's bytes are those of before there was one.
        held: dict[str, Any] = {}
        if any(directions):
            held["monotone_constraints"] = f"({','.join(map(str, directions))})"
        if self._options.unbiased:
            held["lambdarank_unbiased"] = True
        if self._options.device != "cpu":
            held["device"] = self._options.device
        return {
            **held,
            **self.default_params(),
            **params,
            "objective": self.objective,
            "tree_method": "hist",
            "max_bin": self._options.max_bin,
            "lambdarank_pair_method": "topk",
            "ndcg_exp_gain": True,
            # The minus sign: a query without a relevant document adds nothing, as in our own metric.
            "eval_metric": f"ndcg@{settings.metric_k}-",
            "nthread": settings.n_threads,
            "seed": settings.random_state,
        }


def score_trees(model: bytes, features: NDArray[np.float32], *, n_threads: int) -> NDArray[np.float32]:
    """Score feature vectors by a booster of trees, shape (n_rows, n_features) to (n_rows,); NaN counts as missing."""
    booster = _from_bytes(model)
    booster.set_param({"nthread": n_threads})
    scores: NDArray[np.float32] = booster.inplace_predict(features, missing=np.nan, validate_features=False)
    return scores


def shares_of_gain(model: bytes, feature_names: tuple[str, ...]) -> dict[str, float]:
    """Return each feature's share of the total gain of a booster's splits, 0 to 1; features never used are 0."""
    gains = cast("dict[str, float]", _from_bytes(model).get_score(importance_type="total_gain"))
    total = sum(gains.values()) or 1.0
    return {name: gains.get(name, 0.0) / total for name in feature_names}


def monotone_directions(patterns: Sequence[str], names: Sequence[str], *, ranker: str = "xgboost") -> list[int]:
    """Return 1 for each feature that may only raise a score, 0 for the others.

    Args:
        patterns: Names of features, or patterns of them with *, ? and [].
        names: All features, in column order.
        ranker: Whose option it is.

    Raises:
        DataError: A pattern fits no feature.
    """
    unused = [pattern for pattern in patterns if not any(fnmatch.fnmatchcase(name, pattern) for name in names)]
    if unused:
        raise DataError(
            f"Option monotone of {ranker} names {unused[0]!r}, which no feature of the set fits.",
            hint=did_you_mean(unused[0], names),
            pattern=unused[0],
        )
    return [int(any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)) for name in names]


def query_weights(data: RankingData) -> NDArray[np.float64]:
    """Average the row weights of each query, shape (n_queries,): XGBoost's ranking takes one weight per query."""
    starts = np.flatnonzero(np.diff(data.qid, prepend=data.qid[:1] - 1))
    sizes = np.diff(starts, append=len(data.qid))
    means: NDArray[np.float64] = np.add.reduceat(data.weight, starts) / sizes
    return means


def check_labels(label: NDArray[np.float32]) -> None:
    """Check that gains 2^label - 1 can be computed.

    Raises:
        DataError: A label is not a whole number from 0 to 31.
    """
    faulty = label[~((label >= 0) & (label <= MAX_LABEL) & (label == np.floor(label)))]
    if len(faulty):
        raise DataError(
            f"Grade {faulty[0]:g} cannot be trained on; expected whole numbers from 0 to {MAX_LABEL}.",
            hint=f"Use at most {MAX_LABEL + 1} grades.",
            grade=float(faulty[0]),
        )


def _in_order(data: RankingData, order: NDArray[np.intp]) -> RankingData:
    return replace(
        data, features=data.features[order], label=data.label[order], qid=data.qid[order], weight=data.weight[order]
    )


def _to_bytes(booster: Booster) -> bytes:
    booster.set_attr(best_iteration=None, best_score=None)
    return bytes(booster.save_raw("ubj"))


def _from_bytes(model: bytes) -> Booster:
    from rankhammer.light_xgboost import xgb

    return xgb.Booster(model_file=bytearray(model))
