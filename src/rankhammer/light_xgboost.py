"""XGBoost without scikit-learn, which it imports where it finds it: most of its import, and nothing here uses it.

A process pays for it once, so every Python worker of a run does. Whoever needs XGBoost's classes for scikit-learn
imports `xgboost` first, and has it whole.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["xgb"]


@contextmanager
def _not_found(name: str) -> Iterator[None]:
    """Let imports of a package fail as where it is not installed, unless it was imported before."""
    if name in sys.modules:
        yield
        return
    sys.modules[name] = None  # type: ignore[assignment]  # Python's own way to say so
    try:
        yield
    finally:
        del sys.modules[name]


with _not_found("sklearn"):
    import xgboost as xgb
