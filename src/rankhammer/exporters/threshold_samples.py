"""The feature vectors that training logged beside a ranker."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from rankhammer.errors import ExportError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rankhammer.feature_sets import FeatureSet


@dataclass(frozen=True, eq=False)
class Vectors:
    """Feature vectors with where they come from.

    Args:
        features: float32, shape (n_rows, n_features), columns in the feature set's order.
        group: Query of each row, int64, shape (n_rows,): orders are compared within a query.
        counts: Kind ("logged", "absent", "tie") to number of rows.
    """

    features: NDArray[np.float32]
    group: NDArray[np.int64]
    counts: dict[str, int]


def read_sample(content: bytes, feature_set: FeatureSet) -> tuple[Vectors, NDArray[np.float32] | None]:
    """Read sample_vectors.json, which training logs beside a ranker.

    Args:
        content: JSON object: feature_names, features (one list per row; null is an absent feature), and optionally
            scores (what the trained ranker gave each row) and qid (query of each row).
        feature_set: What they are vectors of.

    Returns:
        The vectors, and the logged scores where there are any.

    Raises:
        ExportError: The names are not the feature set's, there are no rows, or a feature is absent that must not be.
    """
    sample: dict[str, Any] = json.loads(content)
    names = feature_set.names
    if not sample.get("features") or "feature_names" not in sample:
        raise ExportError("There are no sample vectors to compare scores on.", hint="Run the training stage again.")
    features = np.array(sample["features"], dtype=np.float32)
    if tuple(sample["feature_names"]) != names or features.shape[1:] != (len(names),):
        raise ExportError(
            f"The sample vectors have features {sample['feature_names']} and shape {features.shape}, expected"
            f" {list(names)} and at least one row.",
            hint="Run the training stage again.",
        )
    _refuse_absent(features, feature_set)
    scores = np.array(sample["scores"], np.float32) if sample.get("scores") is not None else None
    group = np.array(sample.get("qid") or [0] * len(features), np.int64)
    return Vectors(features, group, {"logged": len(features)}), scores


def spread(n_items: int, n_wanted: int) -> NDArray[np.int64]:
    """Choose evenly spread places out of `n_items`, at most `n_wanted` of them."""
    n_chosen = min(n_items, n_wanted)
    return np.arange(n_chosen, dtype=np.int64) * n_items // max(n_chosen, 1)


def _refuse_absent(features: NDArray[np.float32], feature_set: FeatureSet) -> None:
    for place, name in enumerate(feature_set.names):
        if name not in feature_set.keep_absent and np.isnan(features[:, place]).any():
            raise ExportError(
                f"Feature {name!r} is absent in sample vectors, but the feature set says absent: zero.",
                hint="Run the features stage and the training stage again.",
                feature=name,
            )
