"""Quantiles in flat memory.

References:
    C. Masson, J. Rim, H. Lee, "DDSketch: A Fast and Fully-Mergeable Quantile Sketch with Relative-Error Guarantees",
    PVLDB 2019: buckets whose borders grow by a constant factor.
"""

from __future__ import annotations

import math

RELATIVE_ERROR = 0.01
_GAMMA = (1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR)
_LOG_GAMMA = math.log(_GAMMA)
_KEPT = 64
"""Values that are kept as they are before buckets take their place: small stages have exact quantiles."""


class QuantileSketch:
    """Counts non-negative numbers in buckets of 1 % relative error; exact up to 64 values."""

    __slots__ = ("_buckets", "_exact", "count", "maximum", "minimum", "total", "zeros")

    def __init__(self) -> None:
        self._exact: list[float] | None = []
        self._buckets: dict[int, int] = {}
        self.count = 0
        self.zeros = 0
        self.total = 0.0
        self.minimum = math.inf
        self.maximum = 0.0

    def add(self, value: float) -> None:
        """Count one value; a negative one counts as 0."""
        value = max(value, 0)
        self.count += 1
        self.total += value
        self.minimum = min(self.minimum, value)
        self.maximum = max(self.maximum, value)
        exact = self._exact
        if exact is None:
            self._put(value)
            return
        exact.append(value)
        if len(exact) > _KEPT:
            self._exact = None
            for kept in exact:
                self._put(kept)

    def quantile(self, share: float) -> float:
        """Return the value below which a share (0..1) of all lies; 0 for an empty sketch."""
        if not self.count:
            return 0.0
        rank = min(self.count - 1, int(share * self.count))
        if self._exact is not None:
            return sorted(self._exact)[rank]
        if rank < self.zeros:
            return 0.0
        passed = self.zeros
        for bucket in sorted(self._buckets):
            passed += self._buckets[bucket]
            if rank < passed:
                middle = 2 * _GAMMA**bucket / (_GAMMA + 1)
                return min(max(middle, self.minimum), self.maximum)
        return self.maximum

    def quantiles(self, shares: tuple[float, ...]) -> tuple[float, ...]:
        """Return several quantiles."""
        return tuple(self.quantile(share) for share in shares)

    def _put(self, value: float) -> None:
        if value <= 0:
            self.zeros += 1
            return
        bucket = math.ceil(math.log(value) / _LOG_GAMMA)
        self._buckets[bucket] = self._buckets.get(bucket, 0) + 1
