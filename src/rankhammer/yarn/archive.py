"""Archives whose bytes depend on the files' names and contents only."""

from __future__ import annotations

import gzip
import os
import tarfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from rankhammer.digests import file_digest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)
_SYMLINK, _FOLDER = 0o777, 0o755


def write_tar(
    target: Path, entries: Iterable[tuple[str, Path]], *, level: int, on_progress: Callable[[int], None] | None = None
) -> None:
    """Write a .tar.gz: names in order, one owner, one time, and of the modes only whether a file can be run.

    Args:
        target: File to write; readers see all of it or nothing.
        entries: Name in the archive, and file, folder or symbolic link.
        level: Of compression, 1 (fast) to 9.
        on_progress: Called with the number of bytes packed so far.
    """
    unfinished = target.with_name(f".{target.name}.{os.getpid()}")
    done = 0
    with (
        unfinished.open("wb") as raw,
        gzip.GzipFile("", "wb", level, raw, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.GNU_FORMAT) as archive,
    ):
        for name, path in sorted(entries):
            done += _add(archive, name, path)
            if on_progress:
                on_progress(done)
    unfinished.replace(target)


def write_zip(target: Path, files: Iterable[tuple[str, Path]], *, is_packed: bool) -> None:
    """Write a .zip: names in order, one time and one mode.

    Args:
        target: File to write; readers see all of it or nothing.
        files: Name in the archive, and file.
        is_packed: Whether to compress; jars are compressed already.
    """
    unfinished = target.with_name(f".{target.name}.{os.getpid()}")
    method = zipfile.ZIP_DEFLATED if is_packed else zipfile.ZIP_STORED
    with zipfile.ZipFile(unfinished, "w", method) as archive:
        for name, path in sorted(files):
            entry = zipfile.ZipInfo(name, _ZIP_EPOCH)
            entry.external_attr, entry.compress_type = 0o644 << 16, method
            archive.writestr(entry, path.read_bytes())
    unfinished.replace(target)


def tree(root: Path) -> list[tuple[str, Path]]:
    """List everything below a folder as (relative name, path), symbolic links as links."""
    found = []
    for folder, folders, files in os.walk(root):
        found += [(Path(folder, name).relative_to(root).as_posix(), Path(folder, name)) for name in [*folders, *files]]
    return sorted(found)


def content_hash(path: Path) -> str:
    """Return the first 16 digits of a file's SHA-256: what its name on the cluster carries."""
    return file_digest(path, 16)


def _add(archive: tarfile.TarFile, name: str, path: Path) -> int:
    entry = archive.gettarinfo(path, name)
    # A second name of one inode would be a link to the first one met.
    if entry.islnk():
        entry.type, entry.linkname, entry.size = tarfile.REGTYPE, "", path.stat().st_size
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    entry.mtime = 0
    entry.mode = _mode(entry)
    if not entry.isreg():
        archive.addfile(entry)
        return 0
    with path.open("rb") as file:
        archive.addfile(entry, file)
    return entry.size


def _mode(entry: tarfile.TarInfo) -> int:
    if entry.issym():
        return _SYMLINK
    return _FOLDER if entry.isdir() or entry.mode & 0o100 else 0o644
