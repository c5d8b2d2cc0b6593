"""Lines of an event log, one after the other, in flat memory."""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pyarrow as pa

from rankhammer_doctor.event_log.compression import decompress

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rankhammer_doctor.event_log.location import LogFiles, LogPart

MAX_LINE = 64 << 20
"""Bytes of a line at most: a plan of SQL can have some; what is longer is passed over and counted."""


@dataclass
class ReadReport:
    """What was read of a log, and what could not be.

    Args:
        n_bytes: Decompressed.
        n_lines: All that are not empty.
        n_unreadable: Lines that are no event: torn, damaged, or too long.
        missing: What is known to be missing, a sentence each.
    """

    n_bytes: int = 0
    n_lines: int = 0
    n_unreadable: int = 0
    missing: list[str] = field(default_factory=list)


def read_lines(log: LogFiles, report: ReadReport) -> Iterator[bytes]:
    """Yield the lines of all files, without the empty ones.

    Args:
        log: Where to read.
        report: Is added to while reading.
    """
    report.missing += log.missing
    for part in log.parts:
        yield from _lines_of(part, report)


def _lines_of(part: LogPart, report: ReadReport) -> Iterator[bytes]:
    def damaged(what: str) -> None:
        report.missing.append(f"{part.name}: {what}")

    pending: list[bytes] = []
    n_pending = 0
    for chunk in _chunks(part, report, damaged):
        first, *rest = chunk.split(b"\n")
        if n_pending <= MAX_LINE:
            pending.append(first)
        n_pending += len(first)
        if not rest:
            continue
        yield from _whole(pending, n_pending, report)
        yield from _counted(rest[:-1], report)
        pending, n_pending = [rest[-1]], len(rest[-1])
    yield from _whole(pending, n_pending, report)


def _chunks(part: LogPart, report: ReadReport, damaged: _OnDamage) -> Iterator[bytes]:
    try:
        with part.open() as raw:
            for chunk in decompress(raw, damaged):
                report.n_bytes += len(chunk)
                yield chunk
    except (OSError, EOFError, zipfile.BadZipFile, zlib.error, pa.ArrowException) as exc:
        damaged(f"reading stopped ({str(exc).splitlines()[0][:120] if str(exc) else type(exc).__name__})")


def _whole(pending: list[bytes], n_pending: int, report: ReadReport) -> Iterator[bytes]:
    """Put a line together that came in several chunks."""
    if n_pending > MAX_LINE:
        report.n_lines += 1
        report.n_unreadable += 1
        report.missing.append(f"a line of {n_pending >> 20} MiB is longer than {MAX_LINE >> 20} MiB and is passed over")
        return
    yield from _counted([b"".join(pending)], report)


def _counted(lines: list[bytes], report: ReadReport) -> Iterator[bytes]:
    for line in lines:
        if line and not line.isspace():
            report.n_lines += 1
            yield line


if TYPE_CHECKING:
    from collections.abc import Callable

    _OnDamage = Callable[[str], None]
