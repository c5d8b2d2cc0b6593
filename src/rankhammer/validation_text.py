"""Says in plain words what pydantic refuses: no class names, no web address, and the closest name for a typo."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, get_args

from pydantic import BaseModel

from rankhammer.errors import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydantic import ValidationError

EXTRA, MISSING = "extra_forbidden", "missing"
_PREFIXES = ("Value error, ", "Assertion failed, ")
_ADVICE = re.compile(r"\.? ((?:Did you mean|Known names:) .*)$", re.DOTALL)
"""What `did_you_mean` said within a validator: it belongs into the hint, behind the message's full stop."""


def describe_fault(error: ValidationError) -> str:
    """Return the first fault: where it is, and what is wrong; no value is quoted.

    Args:
        error: What pydantic raised.
    """
    fault = error.errors(include_input=False, include_url=False)[0]
    return plain(".".join(map(str, fault["loc"])), fault["type"], fault["msg"])


def hint_for(error: ValidationError, model: type[BaseModel]) -> str:
    """Return what was meant: the closest key where there is no such key, else what its validator says; may be empty.

    Args:
        error: What pydantic raised.
        model: The class that was to be made.
    """
    fault = error.errors(include_input=False, include_url=False)[0]
    if fault["type"] == EXTRA:
        return closest(model, [str(part) for part in fault["loc"]])
    return advice(fault["msg"])


def advice(message: str) -> str:
    """Return what a validator's sentence says of the name that was meant; an empty text where it says nothing.

    Args:
        message: Pydantic's sentence.
    """
    found = _ADVICE.search(message)
    return found[1] if found else ""


def plain(place: str, kind: str, message: str) -> str:
    """Say one fault in plain words.

    Args:
        place: Keys with dots between them; empty for the whole.
        kind: Pydantic's name of the fault.
        message: Pydantic's sentence.
    """
    if kind == EXTRA:
        return f"there is no key {place!r}"
    if kind == MISSING:
        return f"the key {place!r} is missing"
    for prefix in _PREFIXES:
        message = message.removeprefix(prefix)
    message = re.sub(r"^Input should be", "it should be", _ADVICE.sub("", message))
    return f"{place}: {message}" if place else message


def closest(model: Any, place: Sequence[str]) -> str:
    """Say which key was meant.

    Args:
        model: Pydantic class that the place begins in.
        place: Keys that lead to the mistyped one, itself included.
    """
    for key in place[:-1]:
        fields = getattr(model, "model_fields", {})
        if key in fields:
            model = _inner_model(fields[key].annotation)
    fields = getattr(model, "model_fields", {})
    return did_you_mean(place[-1], fields) if fields else ""


def _inner_model(annotation: Any) -> Any:
    """Return the pydantic class within an annotation such as `X | None` or `list[X]`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _inner_model(part))), None)
