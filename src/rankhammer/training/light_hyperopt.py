"""hyperopt without scipy.stats: most of its import, and nothing of hyperopt that is used here needs it.

Whoever needs it later imports it, and has it whole.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["hyperopt"]


@contextmanager
def _not_yet(name: str) -> Iterator[None]:
    """Let imports of a module find an empty one, unless it was imported before."""
    if name in sys.modules:
        yield
        return
    sys.modules[name] = ModuleType(name)
    try:
        yield
    finally:
        del sys.modules[name]


with _not_yet("scipy.stats"):
    import hyperopt
