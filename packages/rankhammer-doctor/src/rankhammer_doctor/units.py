"""Sizes and times as Spark writes and reads them."""

from __future__ import annotations

import re

KIB, MIB, GIB = 2**10, 2**20, 2**30
_SIZES = {"": 1, "b": 1, "k": KIB, "m": MIB, "g": GIB, "t": 2**40, "p": 2**50}
_TIMES = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0, "min": 60_000.0, "h": 3_600_000.0, "d": 86_400_000.0}
_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([kmgtp]?)i?b?\s*", re.IGNORECASE)
_TIME = re.compile(r"\s*(\d+)\s*([a-z]*)\s*", re.IGNORECASE)


def parse_bytes(text: object, *, unit: str = "b") -> int | None:
    """Read a size, such as 4g, 512m or 1.5GiB.

    Args:
        text: A value of a configuration.
        unit: Unit of a bare number: b, k, m or g.

    Returns:
        Bytes, or None where it is no size.
    """
    found = _SIZE.fullmatch(str(text))
    if not found:
        return None
    suffix = found[2].lower() or ("b" if str(text).strip().lower().endswith("b") else unit)
    return int(float(found[1]) * _SIZES[suffix])


def parse_ms(text: object, *, unit: str = "s") -> float | None:
    """Read a time, such as 300s, 10min or 250ms.

    Args:
        text: A value of a configuration.
        unit: Unit of a bare number.

    Returns:
        Milliseconds, or None where it is no time.
    """
    found = _TIME.fullmatch(str(text))
    if not found:
        return None
    factor = _TIMES.get(found[2].lower() or unit)
    return None if factor is None else int(found[1]) * factor


def format_bytes(n: float) -> str:
    """Write a size for people: 1.5 GiB."""
    for suffix, size in (("TiB", 2**40), ("GiB", GIB), ("MiB", MIB), ("KiB", KIB)):
        if abs(n) >= size:
            return f"{n / size:.1f} {suffix}"
    return f"{n:.0f} B"


def format_ms(ms: float) -> str:
    """Write a time for people: 850 ms, 12.3 s, 4 min 10 s, 2 h 5 min."""
    if ms < 1000:
        return f"{ms:.0f} ms"
    seconds = ms / 1000
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min"


def to_mib(n: float) -> int:
    """Round bytes up to whole MiB, as `spark.*.memory` keys take them."""
    return -int(-n // MIB)
