"""Files on any Hadoop filesystem: plain Python for local paths, the JVM's FileSystem for every other URI."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from urllib.parse import unquote, urlsplit

from rankhammer.hadoop_storage import HadoopStorage, unfinished_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class Storage(Protocol):
    """The few verbs that datasets need of a filesystem; every path is a full path or URI."""

    def exists(self, path: str) -> bool:
        """Say whether a file or folder is there."""
        ...

    def read(self, path: str) -> bytes:
        """Return the whole content of a small file."""
        ...

    def write(self, path: str, content: bytes) -> None:
        """Create or replace a small file; readers see the old or the new content, never half of it."""
        ...

    def write_parts(self, path: str, parts: Iterable[bytes]) -> None:
        """Create or replace a file of any size, whose content comes in parts; else as `write`."""
        ...

    def create(self, path: str, content: bytes) -> bool:
        """Create a small file unless it is there; of callers at one time with different contents one gets True.

        Readers see the whole content or no file.
        """
        ...

    def link(self, path: str, target: str) -> None:
        """Let a path lead to another one beside it, in one step, where the filesystem has links; else do nothing."""
        ...

    def delete(self, path: str) -> None:
        """Remove a file or a whole folder; nothing happens when it is not there."""
        ...

    def abandon_uploads(self, path: str, older_than_s: float = 0) -> int:
        """End uploads below a folder that nobody will finish; they are kept, and paid for, where nobody sees them.

        Returns:
            How many there were; filesystems other than S3 have none.
        """
        ...

    def changed_at(self, path: str) -> float:
        """Return when a file, or the latest of a folder, was written, by the filesystem's own clock.

        In seconds; 0 where there is no file.
        """
        ...

    def files(self, path: str) -> Iterator[str]:
        """Yield the files below a folder as relative paths in name order; for a file, one empty text."""
        ...

    def glob(self, pattern: str) -> list[str]:
        """Return the paths that match a pattern, in name order."""
        ...

    def stamp(self, path: str) -> str:
        """Return a text that changes when the file's content does."""
        ...


def split_scheme(uri: str) -> tuple[str, str]:
    """Split a URI into what a plain path cannot carry and the path, e.g. ("hdfs://nn:8020", "/logs").

    Args:
        uri: A local path, or a URI with scheme and authority.

    Returns:
        (prefix, path); the prefix is empty for a local path.
    """
    scheme, separator, rest = uri.partition("://")
    if not separator:
        return "", uri
    authority, slash, path = rest.partition("/")
    return f"{scheme}://{authority}", slash + path


def storage_for(uri: str) -> Storage:
    """Choose the storage of a URI. Nothing is opened and no JVM is started here."""
    scheme = urlsplit(uri).scheme if "://" in uri else ""
    return LocalStorage() if scheme in ("", "file") else HadoopStorage()


class LocalStorage:
    """The machine's own filesystem; needs no JVM."""

    def exists(self, path: str) -> bool:
        """See `Storage`."""
        return _local(path).exists()

    def read(self, path: str) -> bytes:
        """See `Storage`."""
        return _local(path).read_bytes()

    def write(self, path: str, content: bytes) -> None:
        """See `Storage`."""
        self.write_parts(path, (content,))

    def write_parts(self, path: str, parts: Iterable[bytes]) -> None:
        """See `Storage`."""
        target = _local(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        unfinished = target.with_name(unfinished_name(target.name))
        with unfinished.open("wb") as file:
            file.writelines(parts)
        unfinished.replace(target)

    def create(self, path: str, content: bytes) -> bool:
        """See `Storage`."""
        target = _local(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        unfinished = target.with_name(unfinished_name(target.name))
        unfinished.write_bytes(content)
        try:
            # A rename would replace what is there.
            os.link(unfinished, target)
        except FileExistsError:
            return False
        finally:
            unfinished.unlink()
        return True

    def link(self, path: str, target: str) -> None:
        """See `Storage`."""
        place = _local(path)
        if place.is_dir() and not place.is_symlink():
            # A copy of the folder that did not keep the link.
            shutil.rmtree(place)
        unfinished = place.with_name(unfinished_name(place.name))
        unfinished.symlink_to(target)
        unfinished.replace(place)

    def abandon_uploads(self, path: str, older_than_s: float = 0) -> int:  # noqa: ARG002 - see `Storage`
        """See `Storage`."""
        return 0

    def changed_at(self, path: str) -> float:
        """See `Storage`."""
        return max((_local(f"{path}/{name}".rstrip("/")).stat().st_mtime for name in self.files(path)), default=0.0)

    def delete(self, path: str) -> None:
        """See `Storage`."""
        target = _local(path)
        if target.is_dir():
            shutil.rmtree(target)
        else:
            target.unlink(missing_ok=True)

    def files(self, path: str) -> Iterator[str]:
        """See `Storage`."""
        root = _local(path)
        if root.is_file():
            yield ""
        for found in sorted(root.rglob("*")):
            if found.is_file():
                yield found.relative_to(root).as_posix()

    def glob(self, pattern: str) -> list[str]:
        """See `Storage`."""
        whole = _local(pattern).absolute()
        return sorted(str(path) for path in Path(whole.anchor).glob(str(whole.relative_to(whole.anchor))))

    def stamp(self, path: str) -> str:
        """Return the SHA-256 of the content (about 1 GB/s), so that a copied file is the same file."""
        with _local(path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()


def _local(path: str) -> Path:
    return Path(unquote(urlsplit(path).path) if path.startswith("file:") else path)
