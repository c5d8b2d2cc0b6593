"""Says what is wrong with conf/logging.yml, which Kedro reads when it is imported, before any other file of conf."""

from __future__ import annotations

import os
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from rankhammer.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

VARIABLE = "KEDRO_LOGGING_CONFIG"
_READER = ("kedro/framework/project/__init__.py", "__init__")
"""File and function of Kedro that read it."""
_HINT = (
    "conf/logging.yml of a fresh `rankhammer new DIR` shows how it looks; without the file Kedro's own settings "
    f"count. {VARIABLE} names another one."
)


def refused_logging(chain: Sequence[BaseException]) -> ConfigError | None:
    """Say what Kedro could not use.

    Args:
        chain: An error, and what it was raised from.

    Returns:
        The error to show; None where the logging configuration is not what failed.
    """
    for error in chain:
        frames = traceback.extract_tb(error.__traceback__)
        if any(Path(frame.filename).as_posix().endswith(_READER[0]) and frame.name == _READER[1] for frame in frames):
            place = os.environ.get(VARIABLE) or "conf/logging.yml"
            return ConfigError(f"{place} cannot be used: {_reason(error)}.", hint=_HINT, path=place)
    return None


def _reason(error: BaseException) -> str:
    mark = getattr(error, "problem_mark", None)
    if mark is not None:
        problem = getattr(error, "problem", None) or "it is no YAML"
        return f"line {mark.line + 1}, column {mark.column + 1}: {problem}"
    if isinstance(error, UnicodeDecodeError):
        return "it is no UTF-8"
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    if isinstance(error, AttributeError | TypeError) or "dictionary update" in str(error):
        return "it does not hold keys with values as Python's logging.config.dictConfig takes them"
    # What configures logging tells the reason in a cause.
    text = f"{error}: {error.__cause__}" if error.__cause__ is not None else str(error)
    return " ".join(text.split()).rstrip(".") or type(error).__name__
