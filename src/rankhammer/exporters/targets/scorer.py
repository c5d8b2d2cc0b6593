"""Scores documents with an exported model.json, on a bare Python: no package is needed.

    import json, scorer
    model = json.load(open("model.json"))
    scorer.score(model, {"title_match": 3.2, "popularity": 1.0})

The rules: a node goes left when value < threshold (ties go right), both as 32-bit floats; a feature that is not
there (no key, None or NaN) goes where the node's default_left says; a document's score is base_score plus one leaf
value of each tree, added up in 32-bit floats in the order of the trees. A linear model has weights in place of trees:
each adds weight x value, in the order of the features, and a feature that is not there adds nothing. A neural model
has inputs and layers: an input is (value - mean) / spread in 32-bit floats, where `log` is true of sign(value) x
ln(1 + |value|), and a feature that is not there has the value 0; a layer is weights x inputs + bias, added up in 64-bit
floats, and all but the last are cut off at 0. A mixed model has two parts, trees and a network, which are added up.
"""

from __future__ import annotations

import math
import struct
from typing import Any

TREES = "rankhammer-trees"
LINEAR = "rankhammer-linear"
NEURAL = "rankhammer-neural"
MIXED = "rankhammer-mixed"
FORMAT_VERSION = 1


def score(model: dict[str, Any], features: dict[str, float | None]) -> float:
    """Score one document.

    Args:
        model: Content of model.json.
        features: Feature name to value; names that the model does not use are ignored.

    Returns:
        The score; higher ranks first.
    """
    if model["format"] == MIXED:
        trees, network_part = (score(part, features) for part in model["parts"])
        return float32(trees + network_part)
    values = vector(model, features)
    if model["format"] == NEURAL:
        return network(model, values)
    total = float32(model["base_score"])
    for added in products(model, values) if model["format"] == LINEAR else leaves(model, values):
        total = float32(total + added)
    return total


def leaves(model: dict[str, Any], values: list[float]) -> list[float]:
    """Return what each tree adds."""
    return [float32(tree["value"][path(tree, values)[-1]]) for tree in model["trees"]]


def products(model: dict[str, Any], values: list[float]) -> list[float]:
    """Return what each weight adds."""
    return [product(weight, values[place]) for place, weight in enumerate(model["weights"])]


def product(weight: float, value: float) -> float:
    """Return weight x value as a 32-bit float; 0 for a feature that is not there."""
    return 0.0 if value != value else float32(float32(weight) * value)


def network(model: dict[str, Any], values: list[float]) -> float:
    """Return what a neural model gives."""
    numbers = [standardised(one, value) for one, value in zip(model["inputs"], values, strict=True)]
    for layer in model["layers"][:-1]:
        numbers = layer_outputs(layer, numbers, rectify=True)
    return float32(layer_outputs(model["layers"][-1], numbers, rectify=False)[0])


def standardised(one: dict[str, Any], value: float) -> float:
    """Return what the first layer takes of a feature's value; NaN counts as 0."""
    known = 0.0 if value != value else value
    if one["log"]:
        known = float32(math.copysign(math.log1p(abs(known)), known))
    return float32(float32(known - float32(one["mean"])) / float32(one["spread"]))


def layer_outputs(layer: dict[str, Any], numbers: list[float], *, rectify: bool) -> list[float]:
    """Return what one layer makes of its inputs."""
    found = []
    for weights, bias in zip(layer["weights"], layer["bias"], strict=True):
        total = sum(float32(weight) * number for weight, number in zip(weights, numbers, strict=True)) + float32(bias)
        found.append(max(total, 0.0) if rectify else total)
    return found


def vector(model: dict[str, Any], features: dict[str, float | None]) -> list[float]:
    """Return the document's values in the model's order, rounded to 32 bits; NaN where there is none."""
    found = (features.get(name) for name in model["features"])
    return [float("nan") if value is None else float32(value) for value in found]


def path(tree: dict[str, Any], values: list[float]) -> list[int]:
    """Return the nodes from the root to the leaf that a vector reaches in one tree."""
    nodes = [0]
    while tree["feature"][nodes[-1]] >= 0:
        node = nodes[-1]
        nodes.append(tree["left"][node] if goes_left(tree, node, values) else tree["right"][node])
    return nodes


def goes_left(tree: dict[str, Any], node: int, values: list[float]) -> bool:
    """Say whether a vector goes left at one node."""
    value = values[tree["feature"][node]]
    if value != value:
        return bool(tree["default_left"][node])
    return bool(value < float32(tree["threshold"][node]))


def float32(number: float) -> float:
    """Round to the nearest 32-bit float; beyond its range, to infinity."""
    try:
        return float(struct.unpack("<f", struct.pack("<f", number))[0])
    except OverflowError:
        return float("inf") if number > 0 else float("-inf")
