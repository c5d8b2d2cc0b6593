"""How many questions one worker asks at once: more while the engine keeps up, fewer as soon as it does not."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import TracebackType

SLOWER = 2.0
"""An answer that takes this many times the usual, for each document asked for, says that the engine is loaded."""

STEADY = 8
"""Answers in good time before one more question at once is tried."""

RESTS = 4.0
"""So many times an answer's own time passes before a polite place asks again."""

_FORGET = 0.05


class Pace:
    """Additive increase, multiplicative decrease over the answers' time per document and the engine's own 429.

    Use as a context manager around each question. A polite place rests after each answer, so that the engine is free
    for others most of the time.

    Args:
        most: Questions at once that are never exceeded, at least 1.
        greedy: Begin with all of them and slow down on 429 alone.

    References:
        D.-M. Chiu, R. Jain: Analysis of the increase and decrease algorithms for congestion avoidance in computer
        networks, Computer Networks and ISDN Systems 1989.
    """

    def __init__(self, most: int, *, greedy: bool) -> None:
        self._most = most
        self._greedy = greedy
        self.limit = most if greedy else 1
        self._asking = 0
        self._in_time = 0
        self._usual_s = 0.0
        self._free = threading.Condition()

    def __enter__(self) -> Self:
        """Wait for a place."""
        with self._free:
            self._free.wait_for(lambda: self._asking < self.limit)
            self._asking += 1
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give the place back."""
        with self._free:
            self._asking -= 1
            self._free.notify_all()

    def answered(self, duration_s: float, n_docs: int) -> None:
        """Learn from an answer and, when polite, rest for `RESTS` times as long as it took.

        Args:
            duration_s: How long it took.
            n_docs: Documents that it was asked for.
        """
        each_s = duration_s / max(n_docs, 1)
        with self._free:
            usual = self._usual_s or each_s
            self._usual_s = usual + _FORGET * (min(each_s, SLOWER * usual) - usual)
            if each_s > SLOWER * usual and not self._greedy:
                self._slow_down()
            else:
                self._speed_up()
        if not self._greedy:
            time.sleep(RESTS * duration_s)

    def refused(self) -> None:
        """Learn that the engine is busy (429)."""
        with self._free:
            self._slow_down()

    def _slow_down(self) -> None:
        self.limit, self._in_time = max(1, self.limit // 2), 0

    def _speed_up(self) -> None:
        self._in_time += 1
        if self._in_time >= STEADY and self.limit < self._most:
            self.limit, self._in_time = self.limit + 1, 0
            self._free.notify_all()
