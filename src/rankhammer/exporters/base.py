"""What every exporter offers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray
    from pydantic import BaseModel

    from rankhammer.feature_sets import FeatureSet


@dataclass(frozen=True)
class RankerFiles:
    """A trained ranker as the training stage published it.

    Args:
        corpus: Whose ranker it is.
        model: Content of model.ubj (XGBoost's binary JSON).
        feature_set: The features it was trained on, in order.
        manifest: Content of manifest.json: parameters, metrics, missing-value policy, lineage.
    """

    corpus: str
    model: bytes
    feature_set: FeatureSet
    manifest: Mapping[str, Any]


class Exporter(Protocol):
    """A writer of one engine's ranker format, with that engine's scoring rules."""

    Options: ClassVar[type[BaseModel]]

    def __init__(self, options: BaseModel) -> None: ...

    @property
    def target(self) -> str:
        """Name of engine and format, used as folder name: letters, digits, `_`, `-` and `.`."""
        ...

    def write(self, ranker: RankerFiles) -> dict[str, bytes]:
        """Write the model, its feature set and whatever else the engine needs.

        Returns:
            File name to content; the same input gives the same bytes.

        Raises:
            ExportError: The target cannot express this ranker; the message says why.
        """
        ...

    def score(
        self, files: Mapping[str, bytes], features: NDArray[np.float32], feature_names: tuple[str, ...]
    ) -> NDArray[np.float64]:
        """Score vectors from the written files alone, by the engine's documented rules.

        Args:
            files: What `write` returned.
            features: float32, shape (n_rows, n_features).
            feature_names: Names of the columns of `features`.

        Returns:
            One score a row, shape (n_rows,), without any constant the writer added to keep scores positive.
        """
        ...
