"""A small neural network, as writers and the parity gate ask of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from rankhammer.errors import ExportError
from rankhammer.exporters.parts import Term
from rankhammer.exporters.threshold_samples import read_sample
from rankhammer.neural_model import read_model

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from rankhammer.exporters.ir.base import Rows
    from rankhammer.exporters.ir.tree_scoring import Absent
    from rankhammer.exporters.parts import Part
    from rankhammer.feature_sets import FeatureSet
    from rankhammer.neural_model import Layer, NeuralModel

_CLOSE = 1e-4
"""Difference of what one hidden unit adds that is the rounding of 32-bit engines."""


@dataclass(frozen=True, eq=False)
class NeuralIR:
    """A score that is the bias of the last layer and what each unit of the layer before it adds.

    Args:
        network: The ranker.
        feature_set: The features it was trained on, in order.
        objective: What it was trained for.
        sample: Content of sample_vectors.json; scores are bounded by the values in there.
    """

    network: NeuralModel
    feature_set: FeatureSet
    objective: str
    sample: bytes
    kind: ClassVar[str] = "neural"

    @property
    def base(self) -> float:
        """See `ModelIR`."""
        return float(self.network.layers[-1].bias[0])

    @cached_property
    def _logged(self) -> NDArray[np.float32]:
        return read_sample(self.sample, self.feature_set)[0].features

    def used_features(self) -> set[str]:
        """See `ModelIR`: the inputs."""
        return {one.feature for one in self.network.inputs}

    def bounds(self) -> tuple[float, float]:
        """See `ModelIR`: for documents each of whose values lies where one was logged, or is 0."""
        logged = np.concatenate([self._logged, np.zeros_like(self._logged[:1])])
        inputs = self.network.standardise(logged).astype(np.float64)
        ends = np.stack([inputs.min(axis=0), inputs.max(axis=0)])
        for layer in self.network.layers[:-1]:
            ends = np.maximum(_ends(layer, ends), 0.0)
        low, high = _ends(self.network.layers[-1], ends)[:, 0].tolist()
        return float(low), float(high)

    def unproved(self) -> list[str]:
        """See `ModelIR`: a value may lie further out than any that was logged."""
        difference = (
            "Scores are bounded for documents whose values lie within those that training logged; far beyond them a "
            "neural ranker can score anything."
        )
        return [difference]

    def refuse_absent(self, keep: set[str], rule: Absent, target: str) -> None:
        """See `ModelIR`: it counts as 0, everywhere."""

    def below_zero(self) -> dict[str, str]:
        """See `ModelIR`: inputs that were logged below zero."""
        lowest = dict(zip(self.feature_set.names, np.nan_to_num(self._logged).min(axis=0).tolist(), strict=True))
        return {
            name: f"{name!r} is an input of the network and was logged as low as {lowest[name]:g}"
            for name in self.feature_set.names
            if name in self.used_features() and lowest[name] < 0
        }

    def ties(self, rows: NDArray[np.float32], group: NDArray[np.int64], n_wanted: int) -> Rows:  # noqa: ARG002
        """See `ModelIR`: there is no threshold; a unit at 0 adds 0 on either side."""
        return rows[:0], group[:0]

    def first_difference(self, row: NDArray[np.float32], parts: Sequence[Part]) -> str:
        """See `ModelIR`: names the hidden unit with the largest difference, beyond what 32-bit engines round."""
        last = self.network.layers[-1]
        wanted = self.network.hidden(self.network.standardise(row[None, :]))[0] * last.weights[0]
        if len(wanted) != len(parts):
            return f"The network has {len(wanted)} units before its last layer, the export {len(parts)}."
        found = np.array([part.value for part in parts])
        apart = np.abs(found - wanted)
        place = int(np.argmax(np.where(np.isnan(apart), np.inf, apart)))
        if apart[place] <= _CLOSE * max(1.0, abs(wanted[place])):
            return ""
        part = parts[place]
        name = part.feature if isinstance(part, Term) else f"unit {place}"
        return f"{name}: the export adds {found[place]!r}, the network {float(wanted[place])!r}."

    def facts(self) -> dict[str, Any]:
        """See `ModelIR`."""
        layers = self.network.layers
        return {
            "model": self.kind,
            "n_weights": int(sum(np.count_nonzero(layer.weights) + len(layer.bias) for layer in layers)),
            "hidden_units": [len(layer.bias) for layer in layers[:-1]],
            "objective": self.objective,
            "base_score": self.base,
        }


def read_neural(model: bytes, feature_set: FeatureSet, *, objective: str, sample: bytes) -> NeuralIR:
    """Read a neural ranker.

    Args:
        model: Content of model.json.
        feature_set: The features it was trained on, in order.
        objective: What it was trained for.
        sample: Content of sample_vectors.json.

    Raises:
        DataError: The bytes are no network.
        ExportError: It has other features.
    """
    network = read_model(model)
    if network.feature_names != feature_set.names:
        raise ExportError(
            f"The network was trained on features {list(network.feature_names)}, the feature set says "
            f"{list(feature_set.names)}.",
            hint="Run the training stage again with this feature set.",
        )
    return NeuralIR(network, feature_set, objective, sample)


def _ends(layer: Layer, ends: NDArray[np.float64]) -> NDArray[np.float64]:
    """Bound what a layer gives for inputs between `ends`, shape (2, n)."""
    up, down = np.maximum(layer.weights, 0).astype(np.float64), np.minimum(layer.weights, 0).astype(np.float64)
    low = up @ ends[0] + down @ ends[1] + layer.bias
    high = up @ ends[1] + down @ ends[0] + layer.bias
    # Rounding of 32-bit engines: half a unit in the last place for every product and addition.
    lost = (layer.weights.shape[1] + 1) * 2.0**-23 * (np.abs(layer.weights) @ np.abs(ends).max(axis=0))
    return np.stack([low - lost, high + lost])
