"""The baseline as a ranker: the order that one feature alone gives, which nothing has to be learned for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from pydantic import BaseModel, Field

from rankhammer.errors import DataError, did_you_mean
from rankhammer.rankers.base import FitSettings, FittedRanker, RankingData
from rankhammer.rankers.linear import score_booster, score_shares, write_booster
from rankhammer.strict_model import StrictModel

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray


class OneFeatureOptions(StrictModel):
    """Whose order it is."""

    feature: str = Field("", description="the feature that is the score; empty: training.baseline_feature")


class BaselineRanker:
    """One feature's value as the score, kept as a linear ranker whose other weights are 0.

    Every target that takes a linear ranker takes it. An absent value counts as 0.

    Args:
        options: Checked `OneFeatureOptions`.
    """

    Options: ClassVar[type[BaseModel]] = OneFeatureOptions
    objective: ClassVar[str] = "one_feature"
    kind: ClassVar[str] = "linear"

    def __init__(self, options: OneFeatureOptions) -> None:
        self._feature = options.feature

    def default_params(self) -> dict[str, Any]:
        """Return nothing: there is nothing to search."""
        return {}

    def prepare(
        self,
        data: RankingData,
        *,
        reference: RankingData | None = None,  # noqa: ARG002
        n_threads: int = 1,  # noqa: ARG002
    ) -> RankingData:
        """Return the rows as they are.

        Raises:
            DataError: The feature is not among them.
        """
        if self._feature and self._feature not in data.feature_names:
            raise DataError(
                f"The baseline is feature {self._feature!r}, which is not in the feature set.",
                hint=did_you_mean(self._feature, data.feature_names),
                feature=self._feature,
            )
        return data

    def fit(
        self,
        train: RankingData,
        valid: RankingData | None,  # noqa: ARG002
        *,
        params: Mapping[str, Any],  # noqa: ARG002
        settings: FitSettings,  # noqa: ARG002
    ) -> FittedRanker:
        """Give the feature the weight 1.

        Args:
            train: Rows of whole queries.
            valid: Not used.
            params: None are known.
            settings: Not used.

        Returns:
            A linear booster of XGBoost (UBJSON) whose score is the feature's value.
        """
        # Without the option, the first feature of the set.
        mine = np.array([name == (self._feature or train.feature_names[0]) for name in train.feature_names])
        return FittedRanker(write_booster(mine.astype(np.float32), train.feature_names, mine.astype(np.float64)), 1)

    def score(self, model: bytes, features: NDArray[np.float32], *, n_threads: int = 1) -> NDArray[np.float32]:
        """Score feature vectors, shape (n_rows, n_features) to (n_rows,); NaN counts as 0."""
        return score_booster(model, features, n_threads=n_threads)

    def importance(self, model: bytes, feature_names: tuple[str, ...]) -> dict[str, float]:
        """Return 1 for the feature, 0 for all others."""
        return dict(zip(feature_names, score_shares(model).tolist(), strict=True))
