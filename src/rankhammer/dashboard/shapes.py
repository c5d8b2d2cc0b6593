"""Values of files that somebody may have changed: each reader says which form it needs, and gets that or nothing."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def mapping(value: object) -> Mapping[str, Any]:
    """Return a JSON object; an empty one where it is something else."""
    return value if isinstance(value, dict) else {}


def sequence(value: object) -> Sequence[Any]:
    """Return a JSON list; an empty one where it is something else."""
    return value if isinstance(value, list) else []


def number(value: object) -> float | None:
    """Return a finite number; None where it is something else."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if is_number and math.isfinite(value) else None  # type: ignore[return-value, arg-type]


def text(value: object) -> str:
    """Return a text; an empty one where it is something else."""
    return value if isinstance(value, str) else ""


def dig(value: object, *names: str) -> Any:
    """Return what stands below some names, one within the other; None where there is nothing."""
    for name in names:
        value = mapping(value).get(name)
    return value
