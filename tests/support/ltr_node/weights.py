"""Models of type `model/linear`: what the plugin accepts, and how it scores."""

from __future__ import annotations

import json

import numpy as np

from ltr_node.refusals import Refusal, bad

_TOKENS = {str: "VALUE_STRING", bool: "VALUE_BOOLEAN", type(None): "VALUE_NULL", list: "START_ARRAY"}


def parse(definition: str, names: list[str]) -> list[float]:
    """Return one weight a stored feature, 0 where the definition names none, or refuse it."""
    try:
        found = json.loads(definition)
    except ValueError as exc:
        raise Refusal(400, ("json_parse_exception", str(exc))) from exc
    if not isinstance(found, dict):
        raise bad("parsing_exception", f"Expected start object but found [{_token(found)}]")
    for name, weight in found.items():
        if name not in names:
            raise bad("parsing_exception", f"Feature [{name}] is unknown.")
        if isinstance(weight, bool) or not isinstance(weight, int | float):
            raise bad("parsing_exception", f"Expected a float but found [{_token(weight)}]")
    return [found.get(name, 0.0) for name in names]


def score(weights: list[float], logged: dict[str, float | None]) -> float:
    """Add up weight x value in 32 bits, in the order of the set; a feature without a value is 0."""
    total = np.float32(0)
    for weight, value in zip(weights, logged.values(), strict=True):
        total = np.float32(total + np.float32(weight) * np.float32(value or 0.0))
    return float(total)


def _token(value: object) -> str:
    return _TOKENS.get(type(value), "START_OBJECT" if isinstance(value, dict) else "VALUE_NUMBER")
