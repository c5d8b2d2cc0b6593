"""Thresholds of the rules: those of the package, and over them those of a file."""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from rankhammer_doctor.errors import DoctorError

if TYPE_CHECKING:
    from collections.abc import Mapping

    Thresholds = Mapping[str, Mapping[str, float]]

_OWN = Path(__file__).with_name("thresholds.yml")


@cache
def defaults() -> Thresholds:
    """Return the package's own."""
    return yaml.safe_load(_OWN.read_text())  # type: ignore[no-any-return]


def read_thresholds(file: Path | None) -> Thresholds:
    """Return the package's own, and over them those of a file.

    Args:
        file: YAML: rule to names to numbers; None for none.

    Raises:
        DoctorError: It cannot be read, names what is not there, or a value is no number.
    """
    own = defaults()
    if file is None:
        return own
    try:
        given = yaml.safe_load(file.read_text()) or {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as exc:
        raise DoctorError(
            f"{file} cannot be read: {str(exc).splitlines()[0]}", hint="Write D5: {time_ratio: 6}."
        ) from exc
    if not isinstance(given, dict) or not all(isinstance(values, dict) for values in given.values()):
        raise DoctorError(f"{file} holds no thresholds.", hint="Write D5: {time_ratio: 6}.")
    for rule, values in given.items():
        for name, value in values.items():
            _require_known(own, str(rule), str(name), value)
    return {rule: {**values, **given.get(rule, {})} for rule, values in own.items()}


def _require_known(own: Thresholds, rule: str, name: str, value: object) -> None:
    if name not in own.get(rule, {}):
        known = ", ".join(own.get(rule, own))
        raise DoctorError(f"There is no threshold {rule}.{name}.", hint=f"There are: {known}.")
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < math.inf:
        raise DoctorError(
            f"The threshold {rule}.{name} is {value!r}, and no number of at least 0.", hint="Write a number."
        )
