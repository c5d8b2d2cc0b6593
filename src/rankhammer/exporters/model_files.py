"""What exporters share whose file is a sum of parts: scoring and tracing vectors on the written file alone."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from rankhammer.exporters.base import Part
    from rankhammer.exporters.walk import Absent


class PartFormat(Protocol):
    """How an engine adds up the parts of a model: the trees of a forest, or the terms of a weighted sum."""

    def sums(
        self, written: Written, features: NDArray[np.float32], feature_names: tuple[str, ...]
    ) -> NDArray[np.float64]:
        """Add up base and parts for many vectors at once.

        Args:
            written: What stands in a file.
            features: float32, shape (n_rows, n_features); NaN is an absent feature.
            feature_names: Names of the columns.

        Returns:
            One score a row, shape (n_rows,).
        """
        ...

    def trace(self, part: Any, values: Mapping[str, float], absent: Absent) -> Part:
        """Say what one part adds for one document, in plain Python, by code that `sums` does not use.

        Args:
            part: In the file's own form.
            values: Feature name to value; NaN where the feature is absent.
            absent: What an absent feature means.
        """
        ...


@dataclass(frozen=True, eq=False)
class Written:
    """A model as it stands in an engine's file.

    Args:
        format: How the engine adds up its parts.
        rule: What an absent feature means to the engine.
        base: Score before the first part.
        parts: In the file's own form, in the booster's order, without what the writer added.
        constant: What the writer added so that no score is negative.
    """

    format: PartFormat
    rule: Absent
    base: float
    parts: Sequence[Any]
    constant: float = 0.0

    def score(self, features: NDArray[np.float32], feature_names: tuple[str, ...]) -> NDArray[np.float64]:
        """Score vectors as the engine does, without the constant; arguments as in `PartFormat.sums`."""
        return self.format.sums(self, features, feature_names)

    def trace(self, values: Mapping[str, float]) -> list[Part]:
        """Say what each part adds for one document."""
        return [self.format.trace(part, values, self.rule) for part in self.parts]

    def under(self, rule: Absent) -> Written:
        """Return the same model in an engine with another rule for absent features."""
        return replace(self, rule=rule)


class ModelFiles(ABC):
    """An exporter whose file is a base score and a sum of parts."""

    @property
    @abstractmethod
    def target(self) -> str:
        """Name of engine and format, used as folder name."""

    @abstractmethod
    def written(self, files: Mapping[str, bytes]) -> Written:
        """Read the model from the written files.

        Raises:
            ExportError: They are not as the engine takes them.
        """

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
        return self.written(files).score(features, feature_names)

    def trace(
        self, files: Mapping[str, bytes], features: NDArray[np.float32], feature_names: tuple[str, ...]
    ) -> list[list[Part]]:
        """Say in plain Python what each of the booster's parts adds for a few vectors."""
        written = self.written(files)
        return [written.trace(dict(zip(feature_names, row, strict=True))) for row in features.tolist()]
