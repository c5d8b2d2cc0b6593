"""Trees and a network whose scores are added up: one model as canonical JSON."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from rankhammer.canonical_json import to_json
from rankhammer.errors import DataError
from rankhammer.neural_model import NETWORK_FILE, Layer, NeuralModel, beside, is_neural, read_model
from rankhammer.neural_model import file_of as file_of_one

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_BEGINNING = b'{"mixed":'


@dataclass(frozen=True, eq=False)
class MixedModel:
    """The sum of an ensemble of trees and a network; weights are in both.

    Args:
        trees: UBJSON of a booster.
        network: Of the same features.
    """

    trees: bytes
    network: NeuralModel

    @cached_property
    def booster(self) -> Any:
        """The opened trees."""
        from rankhammer.light_xgboost import xgb

        booster = xgb.Booster(model_file=bytearray(self.trees))
        booster.set_param({"nthread": 1})
        return booster

    def to_bytes(self) -> bytes:
        """Write it; the same model gives the same bytes."""
        parts = {"network": json.loads(self.network.to_bytes()), "trees": base64.b64encode(self.trees).decode()}
        return to_json({"mixed": parts}, indent=None)

    def score(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Score vectors, shape (n_rows, n_features) to (n_rows,)."""
        of_trees: NDArray[np.float32] = self.booster.inplace_predict(features, missing=np.nan, validate_features=False)
        return of_trees + self.network.score(features)


def is_mixed(model: bytes) -> bool:
    """Say whether the bytes of a model are of this form."""
    return model.startswith(_BEGINNING)


def read_mixed(model: bytes) -> MixedModel:
    """Read what `MixedModel.to_bytes` wrote.

    Raises:
        DataError: It is something else.
    """
    try:
        parts = json.loads(model)["mixed"]
        return MixedModel(base64.b64decode(parts["trees"]), read_model(to_json(parts["network"], indent=None)))
    except (ValueError, KeyError, TypeError) as exc:
        raise DataError(f"The blend cannot be read: {exc}.", hint="Run the training stage again.") from exc


def file_of(model: bytes) -> str:
    """Return the name of the file that a model of any kind is kept in."""
    return NETWORK_FILE if is_mixed(model) else file_of_one(model)


def opened(model: bytes) -> NeuralModel | MixedModel | None:
    """Read a model that is more than a booster; None for one that is a booster.

    Raises:
        DataError: It is damaged.
    """
    if is_mixed(model):
        return read_mixed(model)
    return read_model(model) if is_neural(model) else None


def sum_networks(networks: Sequence[NeuralModel], weights: Sequence[float]) -> NeuralModel:
    """Put networks of the same inputs and depth side by side, so that the score is the weighted sum of theirs.

    Args:
        networks: At least one.
        weights: One each.
    """
    first = networks[0]
    layers = []
    for place, parts in enumerate(zip(*(one.layers for one in networks), strict=True)):
        bias = np.concatenate([part.bias for part in parts])
        kernels = [part.weights for part in parts]
        if place == len(first.layers) - 1:
            scaled = [np.float32(weight) * kernel for weight, kernel in zip(weights, kernels, strict=True)]
            total = sum(weight * float(part.bias[0]) for weight, part in zip(weights, parts, strict=True))
            layers.append(Layer(np.concatenate(scaled, axis=1), np.array([total], np.float32)))
        else:
            layers.append(Layer(beside(kernels) if place else np.concatenate(kernels), bias))
    return NeuralModel(first.feature_names, first.inputs, tuple(layers))
