"""A neural network in a rank profile of Vespa: constants, and functions that compute one layer each."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import numpy as np

from rankhammer.errors import ExportError
from rankhammer.exporters.ir.network_format import spoken
from rankhammer.neural_model import Input, Layer, NeuralModel, shortest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

SCORE = "network_score"
"""Name of the function that gives the score."""
_INPUT = re.compile(r"^\s*\(\((?P<term>.+)\) - \(?(?P<mean>[-+.\de]+)\)?\) / (?P<spread>[-+.\de]+),?$")
_LOG = re.compile(r"^log\(1 \+ max\((?P<name>.+), 0\)\) - log\(1 \+ max\(0 - (?P=name), 0\)\)$")
_CONSTANT = re.compile(r"^\s*network_(weights|bias)_(\d+) tensor<float>\([^)]*\): (.+)$")


def network_constants(network: NeuralModel) -> list[str]:
    """Write the weights, one line each, for the block `constants` of a rank profile.

    Args:
        network: The ranker.
    """
    lines = []
    for number, layer in enumerate(network.layers):
        n_outputs, n_inputs = layer.weights.shape
        place = f"d{number + 1}[{n_outputs}]"
        lines += [
            f"network_weights_{number} tensor<float>({place},d{number}[{n_inputs}]): {_numbers(layer.weights)}",
            f"network_bias_{number} tensor<float>({place}): {_numbers(layer.bias)}",
        ]
    return lines


def network_functions(network: NeuralModel, names: Mapping[str, str]) -> dict[str, list[str]]:
    """Write the functions of a rank profile: name to the lines of its expression.

    Args:
        network: The ranker.
        names: Feature to the name that it has in Vespa.
    """
    inputs = [f"    {_standardised(one, names[one.feature])}," for one in network.inputs]
    inputs[-1] = inputs[-1].removesuffix(",")
    functions = {"network_0": [f"tensor(d0[{len(inputs)}]):[", *inputs, "]"]}
    last = len(network.layers) - 1
    for number in range(last):
        functions[f"network_{number + 1}"] = [f"relu({_affine(number)})"]
    # The last layer has one unit; its sum over both dimensions is the score itself.
    functions[SCORE] = [f"sum({_affine(last)})"]
    return functions


def read_network(profile: str) -> NeuralModel:
    """Read what `network_constants` and `network_functions` wrote, with Vespa's names of the features.

    Args:
        profile: The rank profile.

    Raises:
        ExportError: It holds no such network.
    """
    inputs = tuple(_inputs(profile))
    constants = {
        (kind, int(number)): np.array(json.loads(values), np.float32) for kind, number, values in _constants(profile)
    }
    n_layers = len(constants) // 2
    if not inputs or not n_layers:
        raise ExportError("rank_profile.sd holds no network.", hint="Export the ranker again.")
    layers = (Layer(constants["weights", number], constants["bias", number]) for number in range(n_layers))
    return NeuralModel(tuple(dict.fromkeys(one.feature for one in inputs)), inputs, tuple(layers))


def _constants(profile: str) -> Iterator[tuple[Any, ...]]:
    return (found.groups() for line in profile.splitlines() if (found := _CONSTANT.match(line)))


def _inputs(profile: str) -> Iterator[Input]:
    for found in (found for line in profile.splitlines() if (found := _INPUT.match(line))):
        log = _LOG.match(found["term"])
        mean, spread = (float(np.float32(found[key])) for key in ("mean", "spread"))
        yield Input(log["name"] if log else found["term"], bool(log), mean, spread)


def _standardised(one: Input, name: str) -> str:
    term = f"log(1 + max({name}, 0)) - log(1 + max(0 - {name}, 0))" if one.log else name
    return f"(({term}) - {spoken(shortest(one.mean))}) / {shortest(one.spread)!r}"


def _affine(number: int) -> str:
    layer = f"sum(constant(network_weights_{number}) * network_{number}, d{number})"
    return f"{layer} + constant(network_bias_{number})"


def _numbers(values: NDArray[np.float32]) -> str:
    numbers = [[shortest(one) for one in row] for row in values] if values.ndim == 2 else [*map(shortest, values)]
    return json.dumps(numbers, separators=(",", ":"))
