"""Trees and a network that are added up, as writers and the parity gate ask of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from rankhammer.exporters.parts import TreePath

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from rankhammer.exporters.ir.base import Rows
    from rankhammer.exporters.ir.neural import NeuralIR
    from rankhammer.exporters.ir.tree_ensemble import TreeEnsembleIR
    from rankhammer.exporters.ir.tree_scoring import Absent
    from rankhammer.exporters.parts import Part


@dataclass(frozen=True, eq=False)
class MixedIR:
    """The sum of both.

    Args:
        trees: The ensemble.
        network: Of the same features.
    """

    trees: TreeEnsembleIR
    network: NeuralIR
    kind: ClassVar[str] = "mixed"

    @property
    def base(self) -> float:
        """See `ModelIR`."""
        return self.trees.base + self.network.base

    def used_features(self) -> set[str]:
        """See `ModelIR`."""
        return self.trees.used_features() | self.network.used_features()

    def bounds(self) -> tuple[float, float]:
        """See `ModelIR`."""
        (low, high), (lower, higher) = self.trees.bounds(), self.network.bounds()
        return low + lower, high + higher

    def unproved(self) -> list[str]:
        """See `ModelIR`."""
        return self.network.unproved()

    def refuse_absent(self, keep: set[str], rule: Absent, target: str) -> None:
        """See `ModelIR`: what the trees say."""
        self.trees.refuse_absent(keep, rule, target)

    def below_zero(self) -> dict[str, str]:
        """See `ModelIR`."""
        return {**self.network.below_zero(), **self.trees.below_zero()}

    def ties(self, rows: NDArray[np.float32], group: NDArray[np.int64], n_wanted: int) -> Rows:
        """See `ModelIR`: those of the trees."""
        return self.trees.ties(rows, group, n_wanted)

    def first_difference(self, row: NDArray[np.float32], parts: Sequence[Part]) -> str:
        """See `ModelIR`: in the trees, or else in the network."""
        paths = [part for part in parts if isinstance(part, TreePath)]
        others = [part for part in parts if not isinstance(part, TreePath)]
        return self.trees.first_difference(row, paths) or self.network.first_difference(row, others)

    def facts(self) -> dict[str, Any]:
        """See `ModelIR`."""
        return {**self.network.facts(), **self.trees.facts(), "model": self.kind, "base_score": self.base}
