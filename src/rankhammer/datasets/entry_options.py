"""What an entry of the catalog may say: a value of another kind is refused by the option's name, before it is used."""

from __future__ import annotations

import inspect
import math
from functools import wraps
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

_SHOWN = 40
"""Characters of a refused value that are shown."""


def _is_number(value: Any) -> bool:
    """Say whether it is a number that a float can hold."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


_KINDS: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "str": ("text", lambda value: isinstance(value, str)),
    "bool": ("true or false", lambda value: isinstance(value, bool)),
    "int": ("a whole number", lambda value: isinstance(value, int) and not isinstance(value, bool)),
    "float": ("a number", _is_number),
    "dict": ("names with values", lambda value: isinstance(value, dict)),
    "None": ("null", lambda value: value is None),
}


def checks_options(init: Callable[..., None]) -> Callable[..., None]:
    """Make the constructor of a dataset refuse options whose value is not of the kind that it is annotated with.

    Args:
        init: A constructor, with annotations such as `int`, `bool | None` or `dict[str, Any] | None`; an argument of
            any other type is not looked at.

    Returns:
        The constructor; it raises a TypeError that names the option, the value and what is wanted, which Kedro tells
        with the entry's name.

    Examples:
        >>> class Dataset:
        ...     @checks_options
        ...     def __init__(self, *, keep: int = 3) -> None: ...
    """
    annotations = {name: str(one.annotation) for name, one in inspect.signature(init).parameters.items()}

    @wraps(init)
    def checked(self: Any, *args: Any, **options: Any) -> None:
        for name, value in options.items():
            _require(name, value, annotations.get(name, ""))
        init(self, *args, **options)

    return checked


def _require(name: str, value: Any, annotation: str) -> None:
    kinds = [_KINDS.get(one.strip().partition("[")[0]) for one in annotation.split("|")]
    known = [kind for kind in kinds if kind]
    if len(known) < len(kinds) or any(fits(value) for _, fits in known):
        return
    shown = repr(value)
    shown = shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}…"
    message = f"{name} is {shown}; it has to be {' or '.join(words for words, _ in known)}"
    raise TypeError(message)
