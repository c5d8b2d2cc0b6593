"""What is being done just now: told by whoever does it, shown by whoever has a screen."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_listener: Callable[[str], None] | None = None


def listen(listener: Callable[[str], None] | None) -> None:
    """Hand every step to a screen.

    Args:
        listener: Called with what is being done; None: nobody listens any more.
    """
    global _listener  # noqa: PLW0603 - one screen a process
    _listener = listener


def tell(text: str) -> None:
    """Say what is being done now, in a few words; nothing where nobody listens.

    Args:
        text: Such as "fitting dbn to a sample".
    """
    if _listener is not None:
        _listener(text)
