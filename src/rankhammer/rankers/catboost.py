"""YetiRank by CatBoost, kept as a booster of XGBoost."""

from __future__ import annotations

import json
import math
import tempfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from pydantic import BaseModel, Field

from rankhammer.errors import ConfigError
from rankhammer.rankers.base import FitSettings, FittedRanker, RankingData
from rankhammer.rankers.booster_trees import Node, write_booster
from rankhammer.rankers.xgboost import check_labels, query_weights, score_trees, shares_of_gain
from rankhammer.strict_model import StrictModel

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from catboost import Pool
    from numpy.typing import NDArray


class CatBoostOptions(StrictModel):
    """What the trees are grown with where the search space does not say otherwise: the first trial runs with these."""

    mode: Literal["Classic", "NDCG"] = Field(
        "Classic", description="what pairs of documents are weighted by, in CatBoost's words; not searched"
    )
    border_count: int = Field(254, ge=1, le=65_535, description="thresholds a feature; not searched")
    learning_rate: float = Field(0.1, gt=0, le=1, description="shrinkage of each tree")
    depth: int = Field(6, ge=1, le=12, description="levels of each tree, which asks one question a level")
    l2_leaf_reg: float = Field(3.0, ge=0, le=1e6, description="L2 penalty on leaf values")
    random_strength: float = Field(1.0, ge=0, le=1e3, description="noise on the score of a split")
    bagging_temperature: float = Field(1.0, ge=0, le=100, description="how much rows' weights vary; 0: not at all")
    rsm: float = Field(1.0, gt=0, le=1, description="share of features that each split sees")


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows of whole queries as CatBoost has them.

    Args:
        pool: CatBoost's own.
        feature_names: In column order.
    """

    pool: Pool
    feature_names: tuple[str, ...]


class CatBoostRanker:
    """YetiRank: gradient-boosted oblivious trees, which ask the same question in all nodes of a level, by CatBoost.

    Each row has its query's mean weight. Trees are turned into a booster of XGBoost: features and thresholds are 32-bit
    numbers in both, so a document goes the same way; scores differ by the rounding of leaves to 32 bits alone.

    Args:
        options: Checked `CatBoostOptions`.

    Raises:
        ConfigError: CatBoost is not installed.

    References:
        A. Gulin, I. Kuralenok, D. Pavlov, "Winning the Transfer Learning Track of Yahoo!'s Learning To Rank Challenge
        with YetiRank", JMLR Workshop and Conference Proceedings 14, 2011.
        L. Prokhorenkova et al., "CatBoost: unbiased boosting with categorical features", NeurIPS, 2018.
    """

    Options: ClassVar[type[BaseModel]] = CatBoostOptions
    objective: ClassVar[str] = "YetiRank"
    kind: ClassVar[str] = "trees"
    extras: ClassVar[tuple[str, ...]] = ("catboost",)

    def __init__(self, options: CatBoostOptions) -> None:
        if find_spec("catboost") is None:
            raise ConfigError(
                "The ranker catboost needs the package catboost, which is not installed.",
                hint="pip install 'rankhammer[catboost]', in the environment that travels to a cluster, too.",
            )
        self._options = options

    def default_params(self) -> dict[str, Any]:
        """Return every parameter that a search space may name, with its value in the options."""
        return self._options.model_dump(exclude={"mode", "border_count"})

    def prepare(
        self,
        data: RankingData,
        *,
        reference: Rows | None = None,  # noqa: ARG002
        n_threads: int = 1,
    ) -> Rows:
        """Hand the rows to CatBoost.

        Args:
            data: Rows of whole queries, at least one.
            reference: Not used: validation rows are compared with the trees' own thresholds.
            n_threads: Threads to use.

        Raises:
            DataError: A label is not a whole number from 0 to 31.
        """
        from catboost import Pool

        check_labels(data.label)
        starts = np.flatnonzero(np.diff(data.qid, prepend=data.qid[:1] - 1))
        sizes = np.diff(starts, append=len(data.qid))
        pool = Pool(
            data.features,
            data.label,
            group_id=data.qid,
            group_weight=np.repeat(query_weights(data), sizes),
            # Names of features may be the same to CatBoost that are not to us.
            feature_names=[f"f{place}" for place in range(len(data.feature_names))],
            thread_count=n_threads,
        )
        return Rows(pool, data.feature_names)

    def fit(self, train: Rows, valid: Rows | None, *, params: Mapping[str, Any], settings: FitSettings) -> FittedRanker:
        """Grow trees until the validation NDCG stops rising, or for all rounds where there is no validation.

        Args:
            train: Prepared training rows.
            valid: Prepared validation rows, or None.
            params: Point of the search space.
            settings: Rounds, threads and seed.

        Returns:
            The trees up to the best round, as a booster of XGBoost (UBJSON).
        """
        from catboost import CatBoost

        patience = settings.early_stopping_rounds
        watched = valid if patience else None
        stops = {"od_type": "Iter", "od_wait": patience, "use_best_model": True} if watched else {}
        model = CatBoost(
            {
                **self.default_params(),
                **params,
                **stops,
                "loss_function": f"YetiRank:mode={self._options.mode}",
                "eval_metric": f"NDCG:top={settings.metric_k};type=Exp",
                "border_count": self._options.border_count,
                "bootstrap_type": "Bayesian",
                "iterations": settings.n_rounds,
                "random_seed": settings.random_state % 2**31,
                "thread_count": settings.n_threads,
                "allow_writing_files": False,
                "logging_level": "Silent",
            }
        )
        model.fit(train.pool, eval_set=watched.pool if watched else None)
        found = _as_json(model)
        by_round = tuple(next(iter(model.get_evals_result()["validation"].values()))) if watched else ()
        return FittedRanker(write_trees(found, train.feature_names), len(found["oblivious_trees"]), by_round)

    def score(self, model: bytes, features: NDArray[np.float32], *, n_threads: int = 1) -> NDArray[np.float32]:
        """Score feature vectors, shape (n_rows, n_features) to (n_rows,); NaN counts as missing."""
        return score_trees(model, features, n_threads=n_threads)

    def importance(self, model: bytes, feature_names: tuple[str, ...]) -> dict[str, float]:
        """Return how much of the change of scores is each feature's, 0 to 1; features never used are 0."""
        return shares_of_gain(model, feature_names)


def write_trees(found: Mapping[str, Any], feature_names: Sequence[str]) -> bytes:
    """Write CatBoost's trees as a booster of XGBoost.

    Args:
        found: A model as CatBoost writes it as JSON, of numeric features alone.
        feature_names: In column order.
    """
    scale, (bias,) = found["scale_and_bias"]
    features = {one["feature_index"]: one for one in found["features_info"]["float_features"]}
    trees = [_Oblivious(tree, features, scale).node(0, 0, {}) for tree in found["oblivious_trees"]]
    return write_booster(trees, feature_names, base=bias)


@dataclass(frozen=True)
class _Oblivious:
    """A tree whose leaf is a number with one bit a level: bit k is whether the value is above the border of split k."""

    tree: Mapping[str, Any]
    features: Mapping[int, Mapping[str, Any]]
    scale: float

    def node(self, level: int, leaf: int, known: Mapping[int, tuple[float, float]]) -> Node:
        """Return the tree below a node.

        Args:
            level: Questions that were answered.
            leaf: Their answers, a bit each.
            known: Feature to the bounds that the answers give: above the first, up to the second.
        """
        if level == len(self.tree["splits"]):
            return Node(cover=self.tree["leaf_weights"][leaf], value=self.scale * self.tree["leaf_values"][leaf])
        split = self.tree["splits"][level]
        feature, border = self.features[split["float_feature_index"]], float(split["border"])
        place = feature["flat_feature_index"]
        above, up_to = known.get(place, (-math.inf, math.inf))
        bit = 1 << level
        # The level may ask what other levels have answered.
        if up_to <= border:
            return self.node(level + 1, leaf, known)
        if above >= border:
            return self.node(level + 1, leaf | bit, known)
        left = self.node(level + 1, leaf, {**known, place: (above, border)})
        right = self.node(level + 1, leaf | bit, {**known, place: (border, up_to)})
        cover = left.cover + right.cover
        change = left.cover * right.cover / cover * (_mean(left) - _mean(right)) ** 2 if cover else 0.0
        return Node(
            cover=cover,
            feature=place,
            at_most=border,
            # An absent value is below, or above, all others; where training saw none, no comparison holds.
            is_absent_left=feature["nan_value_treatment"] != "AsTrue",
            gain=change,
            children=(left, right),
        )


def _mean(node: Node) -> float:
    """Return the mean value of the leaves below a node, by the rows that came there."""
    if not node.children:
        return node.value
    left, right = node.children
    return (left.cover * _mean(left) + right.cover * _mean(right)) / node.cover if node.cover else 0.0


def _as_json(model: Any) -> dict[str, Any]:
    """Return a model as CatBoost writes it, which it does into files alone."""
    with tempfile.TemporaryDirectory(prefix="rankhammer-model-") as folder:
        path = Path(folder, "model.json")
        model.save_model(str(path), format="json")
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return found
