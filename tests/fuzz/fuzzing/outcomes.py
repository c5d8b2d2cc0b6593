"""What may become of a case: a result, or an error with a hint; in time, and nothing is written elsewhere."""

from __future__ import annotations

import time
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, TypeVar

import machine_speed

from rankhammer.runs.user_errors import user_error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from rankhammer.errors import RankhammerError

T = TypeVar("T")
OF_A_TRACE = ("Traceback", "py4j", "pydantic", "org.apache.", "java.lang", "input_value", "errors.pydantic.dev")
MAX_CHARS = 4_000


def outcome(act: Callable[[], T]) -> tuple[T | None, RankhammerError | None]:
    """Do something; every error that the command line would end with a traceback is raised."""
    try:
        return act(), None
    except Exception as exc:
        error = user_error(exc)
        if error is None:
            raise
        require_plain(error)
        return None, error


def require_plain(error: RankhammerError) -> None:
    """An error is for a user: a hint, no trace, no library's words, no page of text."""
    text = str(error)
    assert error.hint, f"no hint: {text}"
    assert not [word for word in OF_A_TRACE if word in text], text
    assert len(text) <= MAX_CHARS, text


@cache
def slowdown() -> float:
    """Measure the machine once."""
    return machine_speed.slowdown()


@contextmanager
def in_time(seconds: float) -> Iterator[None]:
    """A case ends within so many seconds on a machine of reference."""
    allowed, began = seconds * slowdown(), time.monotonic()
    yield
    took = time.monotonic() - began
    assert took <= allowed, f"took {took:.1f} s"


@contextmanager
def writes_only(below: Path, *allowed: Path) -> Iterator[None]:
    """Nothing is made or changed below a folder, but in some folders of it."""
    before = _found(below, allowed)
    yield
    after = _found(below, allowed)
    assert after == before, f"written outside: {sorted(after.items() ^ before.items())}"


def _found(below: Path, allowed: tuple[Path, ...]) -> dict[str, int]:
    inside = [path for path in below.rglob("*") if not any(path.is_relative_to(root) for root in allowed)]
    return {str(path): path.stat(follow_symlinks=False).st_mtime_ns for path in inside if not path.is_dir()}
