"""What every group of options is made of: an unknown name is refused, and a value of another kind as well."""

from __future__ import annotations

from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

_NUMBERS = {int, float}


class StrictModel(BaseModel):
    """Frozen options; `true` and `false` are no numbers, and numbers are finite.

    Examples:
        >>> class Options(StrictModel):
        ...     n_trials: int = 10
        >>> Options(n_trials=20).n_trials
        20
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _without_flags_for_numbers(cls, values: object) -> object:
        """Refuse a flag for a number: Python takes true for 1."""
        given = values if isinstance(values, dict) else {}
        flags = [
            name
            for name, field in cls.model_fields.items()
            if isinstance(given.get(name), bool) and _is_a_number(field.annotation)
        ]
        if flags:
            raise ValidationError.from_exception_data(
                cls.__name__, [{"type": "float_type", "loc": (name,), "input": given[name]} for name in flags]
            )
        return values


def _is_a_number(annotation: Any) -> bool:
    """Say whether a field holds a number or nothing."""
    kinds = {*get_args(annotation)} - {NoneType} if get_origin(annotation) in (Union, UnionType) else {annotation}
    return bool(kinds) and kinds <= _NUMBERS
