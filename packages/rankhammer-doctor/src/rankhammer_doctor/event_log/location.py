"""Finds the files of an event log: one file, a rolling folder, or an archive of the History Server; here or remote."""

from __future__ import annotations

import re
import zipfile
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, BinaryIO, cast

import pyarrow as pa
from pyarrow import fs

from rankhammer_doctor.errors import DoctorError
from rankhammer_doctor.redaction import redact_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from contextlib import AbstractContextManager

ROLLING = "eventlog_v2_"
_PART = re.compile(r"events_(\d+)_(.+)")
_OLD_PART = re.compile(r"EVENT_LOG_(\d+)")
_DATED_PART = re.compile(r"eventlog(?:-(\d{4}-\d\d-\d\d--\d\d-\d\d))?(?:\.gz)?")
"""As Databricks names them: one for each hour, and the last one without a date."""
_STATUS = "appstatus_"
_COMPACT = ".compact"
_IN_PROGRESS = ".inprogress"
_ENDINGS = re.compile(r"(?:\.(?:compact|inprogress|zstd|zst|lz4|snappy|lzf|gz))+$")
_LISTED = 10
_GOOGLE, _PATIENCE_S = ("gs://", "gcs://"), 20
_COPY = "Copy the log to this machine, and name it there."
_REMOTE = {
    "hdfs": "Copy it with `hdfs dfs -get` and name the copy; in a project `rankhammer doctor log` reads HDFS itself.",
}
_HINT = "Name a file, a folder eventlog_v2_*, or a zip of the History Server; spark.eventLog.dir is where logs are."


@dataclass(frozen=True)
class LogPart:
    """One file of an event log.

    Args:
        name: Its name, without its folder.
        open: Opens it to be read.
    """

    name: str
    open: Callable[[], AbstractContextManager[BinaryIO]]


@dataclass
class LogFiles:
    """An event log's files in their order.

    Args:
        name: Of the log.
        parts: The files.
        in_progress: Whether its name says that the application has not ended it.
        missing: What is known to be missing, a sentence each.
    """

    name: str
    parts: list[LogPart]
    in_progress: bool = False
    missing: list[str] = field(default_factory=list)


def locate(place: str) -> LogFiles:
    """Find the files of one event log.

    Args:
        place: Path, or URI of a filesystem that pyarrow opens (s3://, s3a://, hdfs://, file://).

    Raises:
        DoctorError: Nothing is there, it cannot be read, or it holds several logs.
    """
    filesystem, path = _filesystem(place)
    with readable(place):
        return _locate(filesystem, path, place)


def logs_in(place: str) -> list[str]:
    """List the event logs of a folder, oldest first; the place itself where it is one log.

    Raises:
        DoctorError: Nothing is there, or it cannot be read.
    """
    filesystem, path = _filesystem(place)
    with readable(place):
        return _logs_in(filesystem, path, place)


@contextmanager
def readable(place: str) -> Iterator[None]:
    """Let whatever a filesystem refuses end in an error with a hint.

    Args:
        place: That is read.

    Raises:
        DoctorError: It cannot be.
    """
    try:
        yield
    except (OSError, pa.ArrowException) as exc:
        raise DoctorError(f"{redact_text(place)} cannot be read: {_first_line(exc)}", hint=_HINT) from exc


def _first_line(exc: Exception) -> str:
    return (str(exc).splitlines() or [type(exc).__name__])[0][:200]


def _logs_in(filesystem: fs.FileSystem, path: str, place: str) -> list[str]:
    if _info(filesystem, path, place).type != fs.FileType.Directory or _is_rolling(path):
        return [place]
    found = filesystem.get_file_info(fs.FileSelector(path))
    logs = [info for info in found if _may_be_log(info)]
    parts = (_PART.match, _OLD_PART.match, _DATED_PART.fullmatch)
    if any(is_part(info.base_name) for info in found for is_part in parts):
        return [place]
    prefix = place.rstrip("/")
    logs.sort(key=lambda info: (info.mtime_ns or 0, info.base_name))
    return [f"{prefix}/{info.base_name}" for info in logs]


def _filesystem(place: str) -> tuple[fs.FileSystem, str]:
    if "://" not in place:
        return fs.LocalFileSystem(), str(Path(place).expanduser())
    uri = re.sub(r"^s3[an]://", "s3://", place)
    if uri.startswith(_GOOGLE) and "?" not in uri:
        # Google's client tries for a quarter of an hour otherwise, also where there are no credentials.
        uri += f"?retry_limit_seconds={_PATIENCE_S}"
    try:
        return cast("tuple[fs.FileSystem, str]", fs.FileSystem.from_uri(uri))
    except (OSError, ValueError, ImportError, pa.ArrowException) as exc:
        message = f"{redact_text(place)} cannot be opened: {_first_line(exc)}"
        raise DoctorError(message, hint=_REMOTE.get(uri.partition("://")[0], _COPY)) from exc


def _info(filesystem: fs.FileSystem, path: str, place: str) -> fs.FileInfo:
    info = filesystem.get_file_info(path)
    if info.type == fs.FileType.NotFound:
        raise DoctorError(f"There is nothing at {redact_text(place)}.", hint=_HINT)
    return info


def _locate(filesystem: fs.FileSystem, path: str, place: str) -> LogFiles:
    info = _info(filesystem, path, place)
    name = PurePosixPath(path).name
    if info.type == fs.FileType.Directory:
        return _folder(filesystem, path, place)
    if isinstance(filesystem, fs.LocalFileSystem) and not Path(path).is_file():
        # A pipe or a device may never end.
        raise DoctorError(f"{redact_text(place)} is neither a file nor a folder.", hint=_HINT)
    if name.endswith(".zip"):
        return _archive(path, place)
    part = LogPart(name, _opener(filesystem, path))
    return LogFiles(name, [part], in_progress=name.endswith(_IN_PROGRESS))


def _opener(filesystem: fs.FileSystem, path: str) -> Callable[[], AbstractContextManager[BinaryIO]]:
    # Not decompressed by its name: what it holds decides.
    return lambda: filesystem.open_input_stream(path, compression=None)


def _folder(filesystem: fs.FileSystem, path: str, place: str) -> LogFiles:
    infos = [info for info in filesystem.get_file_info(fs.FileSelector(path)) if info.type == fs.FileType.File]
    named = {info.base_name: _opener(filesystem, info.path) for info in infos}
    found = _rolled(PurePosixPath(path).name, named)
    if found is not None:
        return found
    logs = logs_in(place)
    if len(logs) == 1 and logs[0] != place:
        return locate(logs[0])
    if not logs or logs == [place]:
        raise DoctorError(f"{redact_text(place)} holds no event log.", hint=_HINT)
    names = ", ".join(PurePosixPath(log).name for log in logs[:_LISTED])
    more = f" and {len(logs) - _LISTED} more" if len(logs) > _LISTED else ""
    raise DoctorError(f"{redact_text(place)} holds {len(logs)} event logs: {names}{more}.", hint="Name one of them.")


def _rolled(name: str, files: dict[str, Callable[[], AbstractContextManager[BinaryIO]]]) -> LogFiles | None:
    """Put the files of a rolling log in order; one that was compacted takes the place of those up to its number."""
    own, missing = _of_one_application(name, files)
    numbered = sorted(
        (int(found[1]), file) for file in own if (found := _PART.match(file) or _OLD_PART.match(file)) is not None
    )
    dated = sorted((found[1] or "9", file) for file in files if (found := _DATED_PART.fullmatch(file)))
    if not numbered and dated:
        return LogFiles(name, [LogPart(file, files[file]) for _, file in dated])
    if not numbered:
        return None
    compacted = max((number for number, file in numbered if _is_compact(file)), default=0)
    kept = [(n, file) for n, file in numbered if n > compacted or (n == compacted and _is_compact(file))]
    log = LogFiles(name, [LogPart(file, files[file]) for _, file in kept], missing=missing)
    statuses = [file for file in files if file.startswith(_STATUS)]
    log.in_progress = any(file.endswith(_IN_PROGRESS) for file in statuses)
    if compacted:
        log.missing.append(f"Spark has compacted the files up to {compacted}: finished jobs of that time are not in it")
    numbers = {number for number, _ in kept}
    first = min(numbers)
    absent = sorted(set(range(first if compacted else 1, max(numbers) + 1)) - numbers)
    is_old = any(_OLD_PART.match(file) for _, file in kept)
    if absent and not is_old:
        log.missing.append("files are missing: " + ", ".join(f"events_{number}" for number in absent[:_LISTED]))
    return log


def _of_one_application(name: str, files: Iterable[str]) -> tuple[list[str], list[str]]:
    """Leave out what a copy has put into a folder besides: files of another application, and the same one twice.

    Returns:
        (files, what is left out and why).
    """
    parts = {file: found for file in sorted(files) if (found := _PART.match(file)) is not None}
    owners = Counter(_ENDINGS.sub("", found[2]) for found in parts.values())
    own = name.removeprefix(ROLLING)
    owner = own if own in owners else max(owners, key=lambda one: (owners[one], one), default="")
    foreign = [file for file, found in parts.items() if _ENDINGS.sub("", found[2]) != owner]
    first: dict[tuple[str, bool], str] = {}
    for file, found in parts.items():
        if file not in foreign:
            first.setdefault((found[1], _is_compact(file)), file)
    twice = sorted(set(parts) - set(foreign) - set(first.values()))
    reasons = {"files of another application are left out": foreign, "files that are there twice": twice}
    missing = [f"{what}: {', '.join(left[:_LISTED])}" for what, left in reasons.items() if left]
    return [file for file in files if file not in {*foreign, *twice}], missing


def _is_compact(file: str) -> bool:
    return file.endswith(_COMPACT) or f"{_COMPACT}." in file


def _is_rolling(path: str) -> bool:
    return PurePosixPath(path).name.startswith(ROLLING)


def _may_be_log(info: fs.FileInfo) -> bool:
    if info.type == fs.FileType.Directory:
        return bool(info.base_name.startswith(ROLLING))
    hidden = info.base_name.startswith((".", "_")) or info.base_name.endswith((".crc", ".txt", ".md", ".json", ".html"))
    return not hidden and bool(info.size)


def _archive(path: str, place: str) -> LogFiles:
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if not name.endswith("/")]
    except (OSError, zipfile.BadZipFile) as exc:
        raise DoctorError(f"{redact_text(place)} is no zip that can be read: {exc}", hint=_HINT) from exc
    members = {PurePosixPath(name).name: _member(path, name) for name in names}
    rolled = _rolled(PurePosixPath(path).stem, members)
    if rolled is not None:
        return rolled
    if len(members) != 1:
        raise DoctorError(f"{redact_text(place)} holds {len(members)} files, not one event log.", hint=_HINT)
    ((name, opener),) = members.items()
    return LogFiles(name, [LogPart(name, opener)], in_progress=name.endswith(_IN_PROGRESS))


def _member(path: str, name: str) -> Callable[[], AbstractContextManager[BinaryIO]]:
    @contextmanager
    def opened() -> Iterator[BinaryIO]:
        with zipfile.ZipFile(path) as archive, archive.open(name) as file:
            yield cast("BinaryIO", file)

    return opened
