"""What exporters share: files that are a sum of parts, what writes which ranker, and how its scores were verified."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, Protocol, TypeVar

from rankhammer.errors import ExportError
from rankhammer.exporters.ir.trees import NOT_TREES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray
    from pydantic import BaseModel

    from rankhammer.exporters.base import TrainedRanker
    from rankhammer.exporters.ir.tree_scoring import Absent
    from rankhammer.exporters.parts import Part

Options = TypeVar("Options", bound="BaseModel")


class PartFormat(Protocol):
    """How an engine adds up the parts of a model: the trees of a forest, or the terms of a weighted sum."""

    def sums(
        self, parsed: ParsedModel, features: NDArray[np.float32], feature_names: tuple[str, ...]
    ) -> NDArray[np.float64]:
        """Add up base and parts for many vectors at once.

        Args:
            parsed: What stands in a file.
            features: float32, shape (n_rows, n_features); NaN is an absent feature.
            feature_names: Names of the columns.

        Returns:
            One score per row, shape (n_rows,).
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
class ParsedModel:
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

    def under(self, rule: Absent) -> ParsedModel:
        """Return the same model in an engine with another rule for absent features."""
        return replace(self, rule=rule)


class ModelFiles(ABC, Generic[Options]):
    """An exporter whose file is a base score and a sum of parts.

    Args:
        options: The checked options of the target.
    """

    name: ClassVar[str]
    """The target's, where it has one for all versions of the engine."""
    kinds: ClassVar[tuple[str, ...]] = ("trees",)
    """Kinds of rankers that it writes, as `ModelIR.kind` has them; others are refused before a run."""

    def __init__(self, options: Options) -> None:
        self._options = options

    @property
    def target(self) -> str:
        """See `Exporter`."""
        return self.name

    @abstractmethod
    def parse(self, files: Mapping[str, bytes]) -> ParsedModel:
        """Read the model from the written files.

        Raises:
            ExportError: They are not as the engine takes them.
        """

    def score(
        self, files: Mapping[str, bytes], features: NDArray[np.float32], feature_names: tuple[str, ...]
    ) -> NDArray[np.float64]:
        """See `Exporter`: by the engine's comparison and its missing rule."""
        return self.parse(files).score(features, feature_names)

    def trace(
        self, files: Mapping[str, bytes], features: NDArray[np.float32], feature_names: tuple[str, ...]
    ) -> list[list[Part]]:
        """Say in plain Python what each of the booster's parts adds for a few vectors."""
        parsed = self.parse(files)
        return [parsed.trace(dict(zip(feature_names, row, strict=True))) for row in features.tolist()]


T = TypeVar("T")


def writer_for(ranker: TrainedRanker, target: str, writers: Mapping[str, T]) -> T:
    """Choose what writes a ranker.

    Args:
        ranker: The trained ranker.
        target: Name of the target, for the message.
        writers: Kind of model to what writes it.

    Raises:
        ExportError: The target cannot express this kind.
    """
    kind = ranker.form.kind
    if kind not in writers:
        raise ExportError(
            f"{target} takes {', '.join(writers)} alone, and the ranker of corpus {ranker.corpus!r} is {kind}.",
            hint=NOT_TREES,
            target=target,
        )
    return writers[kind]


ProvedBy = Literal["real engine", "contract", "file only"]
"""A running engine loaded such files; a stand-in did, written from what real nodes answered; no engine did."""


def verification(by: ProvedBy, how: str) -> dict[str, str]:
    """Return the manifest's keys.

    Args:
        by: The word.
        how: What was run.
    """
    return {"proved_by": by, "proof": how}
