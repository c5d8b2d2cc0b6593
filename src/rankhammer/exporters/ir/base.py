"""What a trained ranker is made of: trees, or weights. All that writers and the parity gate ask either of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from rankhammer.exporters.ir.tree_scoring import Absent
    from rankhammer.exporters.parts import Part

    Rows = tuple[NDArray[np.float32], NDArray[np.int64]]


class ModelIR(Protocol):
    """One kind of model, a sum of parts: a base score, and what each part adds."""

    kind: ClassVar[str]

    @property
    def base(self) -> float:
        """Score before the first part."""
        ...

    def used_features(self) -> set[str]:
        """Return the names of the features that change a score."""
        ...

    def bounds(self) -> tuple[float, float]:
        """Return numbers that no score is below or above, as far as `unproved` does not say otherwise."""
        ...

    def unproved(self) -> list[str]:
        """Say for which documents the lower bound does not hold; nothing where it always does."""
        ...

    def refuse_absent(self, keep: set[str], rule: Absent, target: str) -> None:
        """Check that an absent feature means the same to an engine as to the booster.

        Args:
            keep: Names of the features declared `absent: keep`.
            rule: What an absent value means to the engine.
            target: Name of the target, for the message.

        Raises:
            ExportError: It does not.
        """
        ...

    def below_zero(self) -> dict[str, str]:
        """Return the features whose values below zero count, each with words that say where."""
        ...

    def ties(self, rows: NDArray[np.float32], group: NDArray[np.int64], n_wanted: int) -> Rows:
        """Change vectors so that they try what is easily written wrong: thresholds, where there are some."""
        ...

    def first_difference(self, row: NDArray[np.float32], parts: Sequence[Part]) -> str:
        """Say in words where an export leaves the booster's way; nothing where it does not.

        Args:
            row: A vector, shape (n_features,).
            parts: What each part of the export adds.
        """
        ...

    def facts(self) -> dict[str, Any]:
        """Return JSON-able facts for the manifest: kind, size, objective and base score."""
        ...
