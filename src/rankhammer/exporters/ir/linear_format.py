"""A weighted sum as engines write and compute it."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from rankhammer.exporters.parts import Term
from rankhammer.exporters.targets.scorer import float32

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from rankhammer.exporters.ir.linear import LinearIR
    from rankhammer.exporters.ir.tree_scoring import Absent
    from rankhammer.exporters.targets.model_files import ParsedModel


class LinearFormat:
    """Weight x value, added up in 32-bit floats in the order of the terms; an absent feature adds nothing.

    Terms are pairs of a feature's name and its weight.
    """

    def sums(
        self, parsed: ParsedModel, features: NDArray[np.float32], feature_names: tuple[str, ...]
    ) -> NDArray[np.float64]:
        """See `PartFormat`."""
        places = {name: place for place, name in enumerate(feature_names)}
        total = np.full(len(features), parsed.base, np.float32)
        for name, weight in parsed.parts:
            values = features[:, places[name]]
            total += np.float32(weight) * np.where(np.isnan(values), np.float32(0), values)
        return total.astype(np.float64)

    def trace(self, part: tuple[str, float], values: Mapping[str, float], absent: Absent) -> Term:  # noqa: ARG002
        """See `PartFormat`; every rule for absent features is the same here."""
        name, weight = part[0], float32(part[1])
        value = 0.0 if math.isnan(values[name]) else values[name]
        return Term(name, value, weight, float32(weight * value))


LINEAR = LinearFormat()


def weights_of(form: LinearIR, names: tuple[str, ...]) -> dict[str, float]:
    """Return the weight of each feature as a 64-bit float that is the 32-bit one: JSON writes all of its digits.

    Args:
        form: The ranker's weights.
        names: Features that the engine has, in order.
    """
    weights = dict(zip(form.feature_names, form.weights.tolist(), strict=True))
    return {name: float(weights[name]) for name in names}


def read_weights(text: str | bytes) -> list[tuple[str, Any]]:
    """Read a JSON object of weights as terms, in the file's order."""
    return list(json.loads(text).items())
