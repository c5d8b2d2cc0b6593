"""How much went on at each time, in a bounded number of bins."""

from __future__ import annotations

_BINS = 1024


class Timeline:
    """Adds up intervals per bin; bins grow to twice their width when there are too many.

    Milliseconds of work per bin, divided by the bin's width, are the average number at once.
    """

    def __init__(self) -> None:
        self.start_ms: int | None = None
        self.width_ms = 100
        self._inner = [0.0] * _BINS
        self._deltas = [0] * (_BINS + 1)

    def add(self, begin_ms: int, end_ms: int) -> None:
        """Count an interval; what began before the first one is cut off there."""
        if self.start_ms is None:
            self.start_ms = begin_ms
        begin, end = max(0, begin_ms - self.start_ms), end_ms - self.start_ms
        if end <= begin:
            return
        while end >= self.width_ms * _BINS:
            self._widen()
        width = self.width_ms
        first, last = begin // width, end // width
        if first == last:
            self._inner[first] += end - begin
            return
        self._inner[first] += (first + 1) * width - begin
        self._inner[last] += end - last * width
        self._deltas[first + 1] += 1
        self._deltas[last] -= 1

    def averages(self) -> list[float]:
        """Return the average number of intervals at once, per bin, without the empty ones at the end."""
        values = [work / self.width_ms for work in self._work()]
        while values and not values[-1]:
            values.pop()
        return values

    def _work(self) -> list[float]:
        running, found = 0, []
        for inner, delta in zip(self._inner, self._deltas, strict=False):
            running += delta
            found.append(inner + running * self.width_ms)
        return found

    def _widen(self) -> None:
        work = self._work()
        pairs = [work[place] + work[place + 1] for place in range(0, _BINS, 2)]
        self._inner = pairs + [0.0] * (_BINS - len(pairs))
        self._deltas = [0] * (_BINS + 1)
        self.width_ms *= 2
