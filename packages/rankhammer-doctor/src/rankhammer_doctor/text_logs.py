"""Logs of drivers and executors: text files of a folder, aggregated ones of YARN among them."""

from __future__ import annotations

import gzip
import io
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO, cast

import pyarrow as pa

from rankhammer_doctor.errors import DoctorError
from rankhammer_doctor.symptoms import Symptoms, ends_a_process, is_telling

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_CONTAINER = re.compile(rb"^Container: (container_\S+)|^(?:\S+ )?(container_[\de_]+_\d{6,}) on ")
_IN_PATH = re.compile(r"container_[\de_]+_\d{6,}")
_NEXT_LOG = (b"Container: ", b"LogType:", b"End of LogType")
_SHUTDOWN = (b"shutdown", b"stopping", b"stopped", b"shut down", b"sigterm", b"signal term", b"final app status")
_MAX_LINE = 1 << 20
_LARGEST = 1 << 34
_BINARY_HEAD = 4096
_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_COMPRESSED = (_GZIP, _ZSTD)


@dataclass
class TextLogs:
    """What the logs say.

    Args:
        symptoms: Sentences that the rules know.
        n_files: Files that were read.
        n_lines: Their lines.
        skipped: Files that were not, and why.
    """

    symptoms: Symptoms = field(default_factory=Symptoms)
    n_files: int = 0
    n_lines: int = 0
    skipped: list[str] = field(default_factory=list)


def read_text_logs(folder: Path, containers: dict[str, str] | None = None) -> TextLogs:
    """Read every log of a folder, line by line.

    Args:
        folder: Folder, or one file.
        containers: YARN's container ids to ids of executors.

    Raises:
        DoctorError: There is no such folder, or nothing in it.
    """
    files = [folder] if folder.is_file() else sorted(path for path in folder.rglob("*") if path.is_file())
    if not files:
        raise DoctorError(f"{folder} holds no logs.", hint="Name the folder into which `yarn logs` wrote.")
    logs = TextLogs()
    for file in files:
        try:
            _read_file(file, file.name if file == folder else str(file.relative_to(folder)), logs, containers or {})
        except (OSError, EOFError, ValueError) as exc:
            logs.skipped.append(f"{file.name}: {str(exc).splitlines()[0][:120] if str(exc) else type(exc).__name__}")
    return logs


def _read_file(file: Path, name: str, logs: TextLogs, containers: dict[str, str]) -> None:
    found = _IN_PATH.search(name)
    container = found[0] if found else ""
    is_closing = False
    logs.n_files += 1
    for line in _lines(file, name, logs):
        logs.n_lines += 1
        if line.startswith(_NEXT_LOG):
            is_closing = False
            header = _CONTAINER.match(line)
            container = (header[1] or header[2]).decode() if header else container
        if not is_closing and is_telling(line):
            text = line.decode(errors="replace").strip()
            place = f"{name} ({container})" if container and container not in name else name
            logs.symptoms.take(text, place, executor=containers.get(container, ""))
        elif not is_closing and _says(line.lower(), _SHUTDOWN):
            # What a process says while it ends is noise: connections break, executors go.
            is_closing = ends_a_process(line.decode(errors="replace"))


def _says(line: bytes, words: tuple[bytes, ...]) -> bool:
    return any(word in line for word in words)


def _lines(file: Path, name: str, logs: TextLogs) -> Iterator[bytes]:
    if file.stat().st_size > _LARGEST:
        logs.skipped.append(f"{name}: larger than {_LARGEST >> 30} GiB")
        return
    with file.open("rb") as raw:
        head = raw.read(_BINARY_HEAD)
        raw.seek(0)
        if b"\0" in head and not head.startswith(_COMPRESSED):
            hint = "; `yarn logs -applicationId ...` writes YARN's aggregated logs as text" if b"TFile" in head else ""
            logs.skipped.append(f"{name}: binary{hint}")
            return
        text = _decompressed(raw, head)
        yield from iter(lambda: text.readline(_MAX_LINE), b"")


def _decompressed(raw: BinaryIO, head: bytes) -> BinaryIO:
    if head.startswith(_GZIP):
        return cast("BinaryIO", gzip.GzipFile(fileobj=raw))
    if head.startswith(_ZSTD):
        return cast("BinaryIO", io.BufferedReader(pa.CompressedInputStream(pa.PythonFile(raw, mode="r"), "zstd")))
    return raw
