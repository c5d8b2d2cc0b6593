"""A small neural ranker as canonical JSON: what it does to a vector, without the library that trained it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from rankhammer.canonical_json import to_json
from rankhammer.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

FORMAT = "rankhammer-neural"
FORMAT_VERSION = 1
BOOSTER_FILE, NETWORK_FILE = "model.ubj", "model.json"
"""Name of a model's file in a ranker's folder: XGBoost's binary JSON, or this form."""
_BLOCK = 1 << 13
"""Rows that are scored at once."""


@dataclass(frozen=True, eq=False)
class Input:
    """One feature on its way into the network: (value - mean) / spread, of its logarithm where that is taken.

    Args:
        feature: Its name.
        log: Whether the value v becomes sign(v) x ln(1 + |v|) first.
        mean: What is taken away, a 32-bit float.
        spread: What it is divided by, a 32-bit float above 0.
    """

    feature: str
    log: bool
    mean: float
    spread: float


@dataclass(frozen=True, eq=False)
class Layer:
    """weights x inputs + bias; all but the last layer of a network are cut off at 0.

    Args:
        weights: float32, shape (n_outputs, n_inputs).
        bias: float32, shape (n_outputs,).
    """

    weights: NDArray[np.float32]
    bias: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class NeuralModel:
    """A multilayer perceptron with rectified hidden layers and one output.

    An absent value (NaN) counts as 0.0. Inputs are 32-bit floats; sums are added up in 64 bits and rounded once.

    Args:
        feature_names: Of the vectors that it scores, in column order.
        inputs: The features that it looks at.
        layers: From the inputs to the score, at least one.
    """

    feature_names: tuple[str, ...]
    inputs: tuple[Input, ...]
    layers: tuple[Layer, ...]

    @property
    def columns(self) -> NDArray[np.intp]:
        """Place of each input among the features, shape (n_inputs,)."""
        return np.array([self.feature_names.index(one.feature) for one in self.inputs], np.intp)

    def to_bytes(self) -> bytes:
        """Write it; the same model gives the same bytes, and each number reads back as the same 32-bit float."""
        content = {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "feature_names": list(self.feature_names),
            "inputs": [
                {"feature": one.feature, "log": one.log, "mean": shortest(one.mean), "spread": shortest(one.spread)}
                for one in self.inputs
            ],
            "layers": [
                {
                    "weights": [[shortest(weight) for weight in row] for row in layer.weights],
                    "bias": [shortest(number) for number in layer.bias],
                }
                for layer in self.layers
            ],
        }
        return to_json(content, indent=None)

    def standardise(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Turn vectors into what the first layer takes, shape (n_rows, n_features) to (n_rows, n_inputs)."""
        means, spreads = (
            np.array([getattr(one, key) for one in self.inputs], np.float32) for key in ("mean", "spread")
        )
        values = transform(features[:, self.columns], np.array([one.log for one in self.inputs], np.bool_))
        standardised: NDArray[np.float32] = (values - means) / spreads
        return standardised

    def hidden(self, standardised: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return what the last layer takes, shape (n_rows, n_inputs) to (n_rows, n_hidden)."""
        values = standardised.astype(np.float64)
        for layer in self.layers[:-1]:
            values = np.maximum(_affine(layer, values), 0.0)
        return values

    def score_standardised(self, standardised: NDArray[np.float32]) -> NDArray[np.float64]:
        """Score what `standardise` returned, shape (n_rows, n_inputs) to (n_rows,)."""
        found = [np.empty(0)]
        for rows in _blocks(standardised):
            found.append(_affine(self.layers[-1], self.hidden(rows))[:, 0])
        return np.concatenate(found)

    def score(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Score vectors, shape (n_rows, n_features) to (n_rows,); higher ranks first."""
        found = [np.empty(0, np.float32)]
        for rows in _blocks(features):
            found.append(self.score_standardised(self.standardise(rows)).astype(np.float32))
        return np.concatenate(found)


def transform(values: NDArray[np.float32], log: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Make absent values 0, and take sign(v) x ln(1 + |v|) of the marked columns.

    Args:
        values: Shape (n_rows, n_columns).
        log: Shape (n_columns,).
    """
    known = np.where(np.isnan(values), np.float32(0), values)
    if log.any():
        marked = known[:, log].astype(np.float64)
        known[:, log] = (np.sign(marked) * np.log1p(np.abs(marked))).astype(np.float32)
    return known


def is_neural(model: bytes) -> bool:
    """Say whether the bytes of a model are a network of this form; a booster's begin otherwise."""
    return model.startswith(b'{"feature_names":')


def file_of(model: bytes) -> str:
    """Return the name of the file that a model is kept in."""
    return NETWORK_FILE if is_neural(model) else BOOSTER_FILE


def read_model(model: bytes) -> NeuralModel:
    """Read what `NeuralModel.to_bytes` wrote.

    Raises:
        DataError: It is something else.
    """
    try:
        content: dict[str, Any] = json.loads(model)
        if (content["format"], content["format_version"]) != (FORMAT, FORMAT_VERSION):
            raise ValueError(f"it is {content['format']!r} version {content['format_version']!r}")
        read = _read(content)
        _require_shapes(read)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as exc:
        raise DataError(f"The neural ranker cannot be read: {exc}.", hint="Run the training stage again.") from exc
    return read


def shortest(number: Any) -> float:
    """Return the float with the fewest digits that reads back as the same 32-bit float."""
    return float(str(np.float32(number)))


def beside(blocks: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Return a matrix with the blocks on its diagonal, and 0 elsewhere."""
    whole = np.zeros((sum(len(one) for one in blocks), sum(one.shape[1] for one in blocks)), np.float32)
    row = column = 0
    for one in blocks:
        whole[row : row + one.shape[0], column : column + one.shape[1]] = one
        row, column = row + one.shape[0], column + one.shape[1]
    return whole


def _read(content: Mapping[str, Any]) -> NeuralModel:
    inputs = tuple(
        Input(str(one["feature"]), bool(one["log"]), float(np.float32(one["mean"])), float(np.float32(one["spread"])))
        for one in content["inputs"]
    )
    layers = tuple(
        Layer(np.array(one["weights"], np.float32), np.array(one["bias"], np.float32)) for one in content["layers"]
    )
    return NeuralModel(tuple(map(str, content["feature_names"])), inputs, layers)


def _require_shapes(model: NeuralModel) -> None:
    n_inputs = len(model.inputs)
    for layer in model.layers:
        if layer.weights.ndim != 2 or layer.weights.shape != (len(layer.bias), n_inputs):
            raise ValueError(f"a layer of shape {layer.weights.shape} takes {n_inputs} inputs")
        n_inputs = len(layer.bias)
    if n_inputs != 1 or not model.layers:
        raise ValueError(f"it has {n_inputs} outputs")
    unknown = [one.feature for one in model.inputs if one.feature not in model.feature_names]
    numbers = [*(layer.weights for layer in model.layers), *(layer.bias for layer in model.layers)]
    if unknown or not all(np.isfinite(one).all() for one in numbers) or not all(one.spread > 0 for one in model.inputs):
        raise ValueError(f"a number is not finite, or an input is unknown: {unknown}")


def _affine(layer: Layer, values: NDArray[np.float64]) -> NDArray[np.float64]:
    # einsum without its optimiser: BLAS may round otherwise with another number of threads or rows.
    summed: NDArray[np.float64] = np.einsum("ri,oi->ro", values, layer.weights.astype(np.float64))
    return summed + layer.bias


def _blocks(rows: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
    return (rows[start : start + _BLOCK] for start in range(0, len(rows), _BLOCK))
