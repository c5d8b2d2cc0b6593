"""What all writers of tree files share: scoring and tracing vectors on the written file alone."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from rankhammer.exporters.walk import leaf_places, sum_leaves

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from rankhammer.exporters.base import TreePath
    from rankhammer.exporters.nested_trees import TreeFormat
    from rankhammer.exporters.walk import Absent


class TreeFiles(ABC):
    """An exporter whose file is a list of trees, the first of them one leaf with the base score."""

    format: ClassVar[TreeFormat]

    @property
    @abstractmethod
    def target(self) -> str:
        """Name of engine and format, used as folder name."""

    @property
    def rule(self) -> Absent:
        """What an absent feature means to the engine: 0.0, unless the exporter says otherwise."""
        return "zero"

    @abstractmethod
    def trees(self, files: Mapping[str, bytes]) -> list[Any]:
        """Read the roots of the trees from the written files: the base score's, then the booster's."""

    def score(
        self, files: Mapping[str, bytes], features: NDArray[np.float32], feature_names: tuple[str, ...]
    ) -> NDArray[np.float64]:
        """Score vectors from the written file as the engine does, by its comparison and its missing rule.

        Args:
            files: What `write` returned.
            features: float32, shape (n_rows, n_features); NaN is an absent feature.
            feature_names: Names of the columns.

        Returns:
            One score a row, shape (n_rows,).
        """
        return self.sums(self.trees(files), features, feature_names)

    def sums(
        self, trees: Sequence[Any], features: NDArray[np.float32], feature_names: tuple[str, ...]
    ) -> NDArray[np.float64]:
        """Score vectors on trees that were read already; arguments as in `score`."""
        forest = self.format.forest(trees, feature_names)
        leaves = leaf_places(forest, features, self.rule)
        return sum_leaves(forest, leaves, kind=self.format.kind).astype(np.float64)

    def trace(
        self, files: Mapping[str, bytes], features: NDArray[np.float32], feature_names: tuple[str, ...]
    ) -> list[list[TreePath]]:
        """Walk a few vectors through the booster's trees in plain Python; the base score's tree is left out."""
        trees = self.trees(files)[1:]
        rows = [dict(zip(feature_names, row, strict=True)) for row in features.tolist()]
        return [[self.format.trace(tree, values, self.rule) for tree in trees] for values in rows]
