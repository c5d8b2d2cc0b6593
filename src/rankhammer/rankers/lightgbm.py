"""LambdaMART by LightGBM, kept as a booster of XGBoost."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from pydantic import BaseModel, Field

from rankhammer.errors import ConfigError
from rankhammer.rankers.base import FitSettings, FittedRanker, RankingData
from rankhammer.rankers.booster_trees import Node, write_booster
from rankhammer.rankers.xgboost import (
    MAX_LABEL,
    check_labels,
    monotone_directions,
    query_weights,
    score_trees,
    shares_of_gain,
)
from rankhammer.strict_model import StrictModel

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lightgbm import Dataset
    from numpy.typing import NDArray

_ZERO = float(np.float32(1e-35))
"""LightGBM takes values for 0 that are so far from it or less."""
_GAINS = [2**grade - 1 for grade in range(MAX_LABEL + 1)]


class LightGBMOptions(StrictModel):
    """What the trees are grown with where the search space does not say otherwise: the first trial runs with these."""

    monotone: tuple[str, ...] = Field(
        (),
        max_length=1000,
        description="features, or patterns of names like *bm25*, whose higher values never lower a score; not searched",
    )
    max_bin: int = Field(255, ge=2, le=65_535, description="histogram bins a feature; not searched, as they are cached")
    learning_rate: float = Field(0.1, gt=0, le=1, description="shrinkage of each tree")
    num_leaves: int = Field(31, ge=2, le=131_072, description="leaves a tree may have")
    max_depth: int = Field(-1, ge=-1, le=100, description="levels a tree may have; -1 is no limit")
    min_data_in_leaf: int = Field(20, ge=0, le=1_000_000, description="least rows in a leaf")
    min_sum_hessian_in_leaf: float = Field(1e-3, ge=0, le=1e6, description="least sum of second derivatives in a leaf")
    min_gain_to_split: float = Field(0.0, ge=0, le=1e6, description="least gain of a split")
    bagging_fraction: float = Field(1.0, gt=0, le=1, description="share of rows that each tree sees")
    feature_fraction: float = Field(1.0, gt=0, le=1, description="share of features that each tree sees")
    lambda_l1: float = Field(0.0, ge=0, le=1e6, description="L1 penalty on leaf values")
    lambda_l2: float = Field(0.0, ge=0, le=1e6, description="L2 penalty on leaf values")
    lambdarank_truncation_level: int = Field(30, ge=1, le=1000, description="pairs are built from the top so many")


@dataclass(frozen=True, eq=False)
class Binned:
    """Rows of whole queries in histogram bins.

    Args:
        rows: LightGBM's own.
        feature_names: In column order.
    """

    rows: Dataset
    feature_names: tuple[str, ...]


class LightGBMRanker:
    """LambdaMART: gradient-boosted trees grown leaf by leaf that maximise NDCG, by LightGBM.

    The gain of a grade is 2^grade - 1; each row has its query's mean weight. Trees are turned into a booster of
    XGBoost: features are 32-bit numbers, for which each split has an equal one there, so a document goes the same way;
    scores differ by the rounding of leaves to 32 bits alone. Every target that takes trees takes them.

    Args:
        options: Checked `LightGBMOptions`.

    Raises:
        ConfigError: LightGBM is not installed.

    References:
        G. Ke et al., "LightGBM: A Highly Efficient Gradient Boosting Decision Tree", NIPS, 2017.
    """

    Options: ClassVar[type[BaseModel]] = LightGBMOptions
    objective: ClassVar[str] = "lambdarank"
    kind: ClassVar[str] = "trees"
    extras: ClassVar[tuple[str, ...]] = ("lightgbm",)
    ndcg_of_empty: ClassVar[float] = 1.0
    """What a query without a relevant document counts in the metric that early stopping looks at."""
    without_chance: ClassVar[dict[str, float]] = {"bagging_fraction": 1.0, "feature_fraction": 1.0}
    """Values of the parameters with which nothing is drawn, so that every seed gives the same trees."""

    def __init__(self, options: LightGBMOptions) -> None:
        if find_spec("lightgbm") is None:
            raise ConfigError(
                "The ranker lightgbm needs the package lightgbm, which is not installed.",
                hint="pip install 'rankhammer[lightgbm]', in the environment that travels to a cluster, too.",
            )
        self._options = options

    def default_params(self) -> dict[str, Any]:
        """Return every parameter that a search space may name, with its value in the options."""
        return self._options.model_dump(exclude={"max_bin", "monotone"})

    def prepare(self, data: RankingData, *, reference: Binned | None = None, n_threads: int = 1) -> Binned:
        """Put the rows into histogram bins.

        Args:
            data: Rows of whole queries, at least one.
            reference: The training rows whose bins these validation rows use.
            n_threads: Threads to use.

        Raises:
            DataError: A label is not a whole number from 0 to 31, or the option `monotone` names no feature.
        """
        import lightgbm

        check_labels(data.label)
        monotone_directions(self._options.monotone, data.feature_names, ranker="lightgbm")
        starts = np.flatnonzero(np.diff(data.qid, prepend=data.qid[:1] - 1))
        sizes = np.diff(starts, append=len(data.qid))
        rows = lightgbm.Dataset(
            data.features,
            data.label,
            group=sizes,
            weight=np.repeat(query_weights(data), sizes),
            reference=reference.rows if reference else None,
            # Names of features may hold signs that LightGBM refuses.
            feature_name=[f"f{place}" for place in range(len(data.feature_names))],
            params=self._of_bins(n_threads),
        )
        return Binned(rows.construct(), data.feature_names)

    def fit(
        self, train: Binned, valid: Binned | None, *, params: Mapping[str, Any], settings: FitSettings
    ) -> FittedRanker:
        """Grow trees until the validation NDCG stops rising, or for all rounds where there is no validation.

        Args:
            train: Prepared training rows.
            valid: Prepared validation rows, or None.
            params: Point of the search space.
            settings: Rounds, threads and seed.

        Returns:
            The trees up to the best round, as a booster of XGBoost (UBJSON).
        """
        import lightgbm

        patience = settings.early_stopping_rounds
        watched = valid if patience else None
        seen: dict[str, dict[str, list[float]]] = {}
        watching: list[Any] = []
        if watched and patience:
            watching = [lightgbm.early_stopping(patience, verbose=False), lightgbm.record_evaluation(seen)]
        booster = lightgbm.train(
            self._params(params, settings, train.feature_names),
            train.rows,
            settings.n_rounds,
            valid_sets=[watched.rows] if watched else None,
            callbacks=watching or None,
        )
        n_rounds = booster.best_iteration if watched else booster.current_iteration()
        dumped = booster.dump_model(num_iteration=max(1, n_rounds))["tree_info"]
        trees = [_node(tree["tree_structure"]) for tree in dumped]
        by_round = tuple(next(iter(seen["valid_0"].values()))) if watched else ()
        return FittedRanker(write_booster(trees, train.feature_names), max(1, len(trees)), by_round)

    def score(self, model: bytes, features: NDArray[np.float32], *, n_threads: int = 1) -> NDArray[np.float32]:
        """Score feature vectors, shape (n_rows, n_features) to (n_rows,); NaN counts as missing."""
        return score_trees(model, features, n_threads=n_threads)

    def importance(self, model: bytes, feature_names: tuple[str, ...]) -> dict[str, float]:
        """Return each feature's share of the total gain, 0 to 1; features never used are 0."""
        return shares_of_gain(model, feature_names)

    def _of_bins(self, n_threads: int) -> dict[str, Any]:
        # Kept for all fits on these rows, so no parameter of a search may decide what is left out of them.
        return {
            "max_bin": self._options.max_bin,
            "feature_pre_filter": False,
            "num_threads": n_threads,
            "verbose": -1,
            "deterministic": True,
            "force_row_wise": True,
        }

    def _params(self, params: Mapping[str, Any], settings: FitSettings, names: tuple[str, ...]) -> dict[str, Any]:
        directions = monotone_directions(self._options.monotone, names, ranker="lightgbm")
        return {
            **({"monotone_constraints": directions} if any(directions) else {}),
            **self.default_params(),
            **params,
            **self._of_bins(settings.n_threads),
            "objective": self.objective,
            "label_gain": _GAINS,
            "metric": "ndcg",
            "eval_at": [settings.metric_k],
            "bagging_freq": 1,
            "seed": settings.random_state % 2**31,
        }


def _node(found: Mapping[str, Any]) -> Node:
    """Turn a node of LightGBM's JSON, with all below it, into ours."""
    if "split_feature" not in found:
        return Node(cover=found.get("leaf_weight", 0.0), value=found["leaf_value"])
    at_most = _without_zeros(float(found["threshold"]))
    # Where training saw no absent value of a feature, LightGBM takes one for 0.
    is_zero = found["missing_type"] == "None"
    return Node(
        cover=found["internal_weight"],
        feature=found["split_feature"],
        at_most=at_most,
        is_absent_left=at_most >= 0.0 if is_zero else bool(found["default_left"]),
        gain=found["split_gain"],
        children=(_node(found["left_child"]), _node(found["right_child"])),
    )


def _without_zeros(threshold: float) -> float:
    """Move a threshold out of the values that LightGBM takes for 0."""
    if not -_ZERO <= threshold <= _ZERO:
        return threshold
    return _ZERO if threshold >= 0 else float(np.nextafter(np.float32(-_ZERO), np.float32(-np.inf)))
