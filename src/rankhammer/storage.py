"""Files on any Hadoop filesystem: plain Python for local paths, the JVM's FileSystem for every other URI."""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import unquote, urlsplit
from uuid import uuid4

from rankhammer import spark
from rankhammer.errors import ClusterError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_BLOCK = 2**20
"""Bytes that are handed to the JVM at least in one call, but for the last."""
_ETAGS, _ONLY_NEW = "fs.capability.etags.available", "fs.option.create.conditional.overwrite"
_S3A_UPLOADS = "fs.s3a.capability.multipart.uploads.enabled"


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
        unfinished = target.with_name(_unfinished(target.name))
        with unfinished.open("wb") as file:
            file.writelines(parts)
        unfinished.replace(target)

    def create(self, path: str, content: bytes) -> bool:
        """See `Storage`."""
        target = _local(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        unfinished = target.with_name(_unfinished(target.name))
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
        unfinished = place.with_name(_unfinished(place.name))
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


class HadoopStorage:
    """HDFS, S3A and whatever else the session's Hadoop client knows."""

    def exists(self, path: str) -> bool:
        """See `Storage`."""
        filesystem, target = _open(path)
        return bool(filesystem.exists(target))

    def read(self, path: str) -> bytes:
        """See `Storage`."""
        filesystem, target = _open(path)
        size = filesystem.getFileStatus(target).getLen()
        stream = filesystem.open(target)
        try:
            return bytes(_jvm().org.apache.commons.io.IOUtils.toByteArray(stream, int(size)))
        finally:
            stream.close()

    def write(self, path: str, content: bytes) -> None:
        """See `Storage`."""
        self.write_parts(path, (content,))

    def write_parts(self, path: str, parts: Iterable[bytes]) -> None:
        """See `Storage`. Written beside the target and renamed; on an object store the upload itself is atomic."""
        filesystem, target = _open(path)
        if filesystem.hasPathCapability(target, _ETAGS):
            _upload(filesystem.create(target, True), parts)
            return
        unfinished = _write_beside(filesystem, target, parts)
        filesystem.delete(target, False)
        if not filesystem.rename(unfinished, target):
            raise OSError(f"{unfinished} could not be renamed to {target.getName()}")

    def create(self, path: str, content: bytes) -> bool:
        """See `Storage`. HDFS refuses to rename to a file that is there, S3 a conditional PUT of one."""
        filesystem, target = _open(path)
        if filesystem.hasPathCapability(target, _ETAGS):
            return self._put_new(path, content)
        unfinished = _write_beside(filesystem, target, (content,))
        if not filesystem.exists(target) and filesystem.rename(unfinished, target):
            return True
        filesystem.delete(unfinished, False)
        if not filesystem.exists(target):
            raise OSError(f"{unfinished} could not be renamed to {target.getName()}")
        return False

    def _put_new(self, path: str, content: bytes) -> bool:
        from py4j.protocol import Py4JError

        filesystem, target = _open(path)
        if not filesystem.hasPathCapability(target, _ONLY_NEW):
            raise ClusterError(
                f"{path}: this client cannot ask its object store to create a file only where there is none.",
                hint="Use Hadoop 3.4.2 or later, and set fs.s3a.create.conditional.enabled to true.",
                path=path,
            )
        stream = filesystem.createFile(target).recursive().overwrite(True).must(_ONLY_NEW, True).build()
        try:
            _upload(stream, (content,))
        except Py4JError:
            # Refused, or done by a request whose answer was lost and that was sent again.
            if not self.exists(path):
                raise
            return self.read(path) == content
        return True

    def link(self, path: str, target: str) -> None:
        """See `Storage`: neither HDFS nor S3 has links."""

    def abandon_uploads(self, path: str, older_than_s: float = 0) -> int:
        """See `Storage`."""
        filesystem, folder = _open(path)
        if not filesystem.hasPathCapability(folder, _S3A_UPLOADS):
            return 0
        key = filesystem.makeQualified(folder).toUri().getPath().strip("/")
        listing, n = filesystem.listUploads(f"{key}/"), 0
        while listing.hasNext():
            upload = listing.next()
            if upload.initiated().toEpochMilli() / 1000 <= time.time() - older_than_s:
                filesystem.abortMultipartUpload(upload)
                n += 1
        return n

    def changed_at(self, path: str) -> float:
        """See `Storage`."""
        filesystem, root = _open(path)
        latest = 0
        if filesystem.exists(root):
            listing = filesystem.listFiles(root, True)
            while listing.hasNext():
                latest = max(latest, listing.next().getModificationTime())
        return latest / 1000

    def delete(self, path: str) -> None:
        """See `Storage`."""
        filesystem, target = _open(path)
        filesystem.delete(target, True)

    def files(self, path: str) -> Iterator[str]:
        """See `Storage`."""
        filesystem, root = _open(path)
        base = filesystem.makeQualified(root).toUri().getPath().rstrip("/")
        listing, found = filesystem.listFiles(root, True), []
        while listing.hasNext():
            found.append(listing.next().getPath().toUri().getPath())
        yield from sorted(file.removeprefix(base).lstrip("/") for file in found)

    def glob(self, pattern: str) -> list[str]:
        """See `Storage`."""
        filesystem, target = _open(pattern)
        return sorted(str(status.getPath().toString()) for status in filesystem.globStatus(target) or ())

    def stamp(self, path: str) -> str:
        """Return the filesystem's own checksum where it keeps one, else size and modification time."""
        filesystem, target = _open(path)
        checksum = filesystem.getFileChecksum(target)
        status = filesystem.getFileStatus(target)
        return str(checksum.toString()) if checksum else f"{status.getLen()} bytes at {status.getModificationTime()}"


def _unfinished(name: str) -> str:
    """Name a file that is not complete yet: no other writer's, on whichever host, and hidden from readers."""
    return f".{name}.{uuid4().hex}"


def _write_beside(filesystem: Any, target: Any, parts: Iterable[bytes]) -> Any:
    """Write a hidden file in the target's folder; one that breaks off stays there and is never read."""
    unfinished = _jvm().org.apache.hadoop.fs.Path(f"{target.getParent()}/{_unfinished(target.getName())}")
    stream = filesystem.create(unfinished, True)
    try:
        for block in _blocks(parts):
            stream.write(bytearray(block))
    finally:
        stream.close()
    return unfinished


def _upload(stream: Any, parts: Iterable[bytes]) -> None:
    """Send an object: closing the stream is what publishes it, so one that breaks off is given up instead."""
    try:
        for block in _blocks(parts):
            stream.write(bytearray(block))
    except BaseException:
        stream.abort()
        raise
    stream.close()


def _blocks(parts: Iterable[bytes]) -> Iterator[bytes]:
    """Join small parts: each write is a call from Python to the JVM."""
    waiting, n_bytes = list[bytes](), 0
    for part in parts:
        waiting.append(part)
        n_bytes += len(part)
        if n_bytes >= _BLOCK:
            yield b"".join(waiting)
            waiting, n_bytes = [], 0
    if waiting:
        yield b"".join(waiting)


def _local(path: str) -> Path:
    return Path(unquote(urlsplit(path).path) if path.startswith("file:") else path)


def _jvm() -> Any:
    return spark.hadoop()[0]


def _open(uri: str) -> tuple[Any, Any]:
    """Return the JVM's (FileSystem, Path) of a URI."""
    jvm, conf = spark.hadoop()
    target = jvm.org.apache.hadoop.fs.Path(uri)
    return target.getFileSystem(conf), target
