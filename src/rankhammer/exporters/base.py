"""What every exporter offers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, cast, runtime_checkable

from rankhammer.errors import ExportError
from rankhammer.mixed_model import is_mixed, opened, read_mixed
from rankhammer.neural_model import is_neural

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray
    from pydantic import BaseModel
    from xgboost import Booster

    from rankhammer.exporters.ir.base import ModelIR
    from rankhammer.exporters.ir.neural import NeuralIR
    from rankhammer.exporters.ir.trees import Forest
    from rankhammer.exporters.parts import Part
    from rankhammer.exporters.threshold_samples import Vectors
    from rankhammer.feature_sets import FeatureSet
    from rankhammer.mixed_model import MixedModel
    from rankhammer.neural_model import NeuralModel


@dataclass(frozen=True)
class TrainedRanker:
    """A trained ranker as the training stage published it.

    Args:
        corpus: Whose ranker it is.
        model: Content of model.ubj (XGBoost's binary JSON), or of model.json (a neural network).
        feature_set: The features it was trained on, in order.
        manifest: Content of manifest.json: parameters, metrics, missing-value policy, lineage.
        sample: Content of sample_vectors.json; a linear ranker's scores are bounded by the values in there.
    """

    corpus: str
    model: bytes
    feature_set: FeatureSet
    manifest: Mapping[str, Any]
    sample: bytes = b"{}"

    @cached_property
    def booster(self) -> Booster:
        """The opened booster.

        Raises:
            ExportError: The bytes are no XGBoost model, but a network, or nothing at all.
        """
        from rankhammer.exporters.ir.trees import NOT_TREES, load_booster

        if is_neural(self.model) or is_mixed(self.model):
            kind = "mixed" if is_mixed(self.model) else "neural"
            raise ExportError(
                f"The ranker of corpus {self.corpus!r} is {kind}, and this target takes boosters alone.", hint=NOT_TREES
            )
        return load_booster(self.model)

    @cached_property
    def opened(self) -> Booster | NeuralModel | MixedModel:
        """The opened model, whatever it is.

        Raises:
            DataError: The bytes are no network.
            ExportError: The bytes are no XGBoost model.
        """
        return opened(self.model) or self.booster

    @cached_property
    def form(self) -> ModelIR:
        """What the model is made of, which every writer starts from.

        Raises:
            ExportError: The model is of a kind that no engine can load.
        """
        from rankhammer.exporters.ir.boosters import booster_kind
        from rankhammer.exporters.ir.linear import read_linear
        from rankhammer.exporters.ir.mixed import MixedIR
        from rankhammer.exporters.ir.neural import read_neural
        from rankhammer.exporters.ir.tree_ensemble import TreeEnsembleIR

        objective = self.manifest.get("objective", "")
        if is_mixed(self.model):
            mixed = read_mixed(self.model)
            trees, network = replace(self, model=mixed.trees), replace(self, model=mixed.network.to_bytes())
            return MixedIR(TreeEnsembleIR(trees.forest, trees.booster), cast("NeuralIR", network.form))
        if is_neural(self.model):
            return read_neural(self.model, self.feature_set, objective=objective, sample=self.sample)
        if booster_kind(self.booster) == "gblinear":
            return read_linear(self.booster, self.feature_set, objective=objective, sample=self.sample)
        return TreeEnsembleIR(self.forest, self.booster)

    @cached_property
    def logged(self) -> tuple[Vectors, NDArray[np.float32] | None]:
        """The feature vectors that training logged, and the scores that the ranker gave them then.

        Raises:
            ExportError: There are none, or they are of other features.
        """
        from rankhammer.exporters.threshold_samples import read_sample

        return read_sample(self.sample, self.feature_set)

    @cached_property
    def forest(self) -> Forest:
        """The model's trees as flat arrays, for a ranker that has some.

        Raises:
            ExportError: The model is no ensemble of trees, or of a kind that no engine can load.
        """
        from rankhammer.exporters.ir.trees import read_forest

        return read_forest(self.booster, self.feature_set.names)

    @property
    def keep_absent(self) -> set[str]:
        """Names of the features that may be absent (`absent: keep`)."""
        return self.feature_set.keep_absent


class Exporter(Protocol):
    """A writer of one engine's ranker format, with that engine's scoring rules."""

    Options: ClassVar[type[BaseModel]]

    def __init__(self, options: BaseModel) -> None: ...

    @property
    def target(self) -> str:
        """Name of engine and format, used as folder name: letters, digits, `_`, `-` and `.`."""
        ...

    def write(self, ranker: TrainedRanker) -> dict[str, bytes]:
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
            One score per row, shape (n_rows,), without any constant the writer added to keep scores positive.
        """
        ...


@runtime_checkable
class Traceable(Protocol):
    """What an exporter may offer beside `Exporter`: facts for the manifest, and a way to find a wrong node."""

    def facts(self, ranker: TrainedRanker, files: Mapping[str, bytes]) -> dict[str, Any]:
        """Return JSON-able facts for the manifest: names in the engine, constants, `warnings` (a list of sentences)."""
        ...

    def trace(
        self, files: Mapping[str, bytes], features: NDArray[np.float32], feature_names: tuple[str, ...]
    ) -> list[list[Part]]:
        """Add vectors up from the written files part by part, in plain Python, by code that `score` does not use.

        Args:
            files: What `write` returned.
            features: float32, shape (n_rows, n_features); a few rows.
            feature_names: Names of the columns of `features`.

        Returns:
            For each row one path a tree, or one term a weight, in the booster's order, without what the writer added.
        """
        ...


@runtime_checkable
class HasRoundingLimits(Protocol):
    """What an exporter may offer whose engine cannot compare with every 32-bit float."""

    def undecided(self, ranker: TrainedRanker, features: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Find vectors with a value so close to a threshold that the engine takes it for the threshold itself.

        The parity gate leaves such vectors out where it made them up, and compares them where they were logged.

        Args:
            ranker: The trained ranker.
            features: float32, shape (n_rows, n_features).

        Returns:
            Shape (n_rows,).
        """
        ...
