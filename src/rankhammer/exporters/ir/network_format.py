"""A neural network as engines write and compute it: many vectors at once, and one step by step in plain Python."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from rankhammer.errors import ExportError
from rankhammer.exporters.parts import Term
from rankhammer.exporters.targets.model_files import ParsedModel
from rankhammer.exporters.targets.scorer import float32, layer_outputs, standardised

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from rankhammer.exporters.parts import Part
    from rankhammer.neural_model import NeuralModel


class NetworkFormat:
    """What an engine does with a network.

    Args:
        in_32_bits: Whether it adds up in 32-bit floats, one input after the other from the bias on; else in 64 bits.
    """

    def __init__(self, *, in_32_bits: bool) -> None:
        self._in_32_bits = in_32_bits

    def sums(
        self, parsed: ParsedModel, features: NDArray[np.float32], feature_names: tuple[str, ...]
    ) -> NDArray[np.float64]:
        """See `PartFormat`."""
        network: NeuralModel = parsed.network  # type: ignore[attr-defined]  # see ParsedNetwork
        places = {name: place for place, name in enumerate(feature_names)}
        missing = [one.feature for one in network.inputs if one.feature not in places]
        if missing:
            raise ExportError(
                f"The file has input {missing[0]!r}, for which there is no feature.", hint="Export the ranker again."
            )
        mine = replace(network, feature_names=feature_names)
        standard = mine.standardise(features)
        if not self._in_32_bits:
            return mine.score_standardised(standard).astype(np.float32).astype(np.float64)
        values = standard
        for number, layer in enumerate(network.layers, 1):
            total = np.repeat(layer.bias[None, :], len(values), axis=0)
            for place in range(values.shape[1]):
                total += values[:, place : place + 1] * layer.weights[:, place]
            values = np.maximum(total, np.float32(0)) if number < len(network.layers) else total
        return values[:, 0].astype(np.float64)

    def trace(self, part: Any, values: Mapping[str, float], absent: Any) -> Part:
        """See `PartFormat`; `ParsedNetwork` computes all units of a document at once."""
        raise NotImplementedError


@dataclass(frozen=True, eq=False)
class ParsedNetwork(ParsedModel):
    """A network as it stands in an engine's file; its parts are the units before the last layer.

    Args:
        network: What stands there; the names of its inputs are those of the features.
    """

    network: NeuralModel | None = None

    def trace(self, values: Mapping[str, float]) -> list[Part]:
        """Say what each unit adds for one document, by the functions of scorer.py."""
        network = self.network
        if network is None:
            return []
        facts = [{"log": one.log, "mean": one.mean, "spread": one.spread} for one in network.inputs]
        known = [values[one.feature] for one in network.inputs]
        numbers = [standardised(one, float32(value)) for one, value in zip(facts, known, strict=True)]
        layers = [{"weights": layer.weights.tolist(), "bias": layer.bias.tolist()} for layer in network.layers]
        for layer in layers[:-1]:
            numbers = layer_outputs(layer, numbers, rectify=True)
        weights: Sequence[float] = layers[-1]["weights"][0]
        return [
            Term(f"hidden unit {place}", number, weight, weight * number)
            for place, (number, weight) in enumerate(zip(numbers, weights, strict=True))
        ]


def parsed_network(network: NeuralModel, *, in_32_bits: bool) -> ParsedNetwork:
    """Return a network as it stands in a file.

    Args:
        network: With the features' names.
        in_32_bits: See `NetworkFormat`.
    """
    base = float(network.layers[-1].bias[0])
    units = range(network.layers[-1].weights.shape[1])
    return ParsedNetwork(NetworkFormat(in_32_bits=in_32_bits), "zero", base, list(units), network=network)


def spoken(number: float, text: Callable[[float], str] = repr) -> str:
    """Return a number for an expression; one below zero stands in brackets."""
    return f"({text(number)})" if number < 0 or math.copysign(1.0, number) < 0 else text(number)
