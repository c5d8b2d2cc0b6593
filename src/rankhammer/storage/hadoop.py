"""Files of every filesystem that Hadoop's client knows, by the JVM; see `storage.Storage`."""

from __future__ import annotations

import re
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from rankhammer import spark
from rankhammer.errors import ClusterError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_UNFINISHED = re.compile(r"\..+\.[0-9a-f]{32}")
_BLOCK = 2**20
"""Bytes that are handed to the JVM at least in one call, but for the last."""
_ETAGS, _ONLY_NEW = "fs.capability.etags.available", "fs.option.create.conditional.overwrite"
_S3A_UPLOADS = "fs.s3a.capability.multipart.uploads.enabled"


@dataclass(frozen=True)
class StoredFile:
    """What a listing says of a file.

    Args:
        size: In bytes.
        changed: When it was written, by the filesystem's clock and in its own unit: local ns, Hadoop ms.
        tag: What `checksum` returns of it, where a listing says that; else empty.
    """

    size: int
    changed: int
    tag: str = ""


class HadoopStorage:
    """HDFS, S3A and whatever else the session's Hadoop client knows."""

    hashes_content = False

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

    def sizes(self, path: str) -> dict[str, int]:
        """See `Storage`."""
        filesystem, root = _open(path)
        base = filesystem.makeQualified(root).toUri().getPath().rstrip("/")
        listing, found = filesystem.listFiles(root, True), {}
        while listing.hasNext():
            file = listing.next()
            name = file.getPath().toUri().getPath().removeprefix(base).lstrip("/")
            if not is_unfinished(name):
                found[name] = int(file.getLen())
        return dict(sorted(found.items()))

    def read_range(self, path: str, start: int, length: int) -> bytes:
        """See `Storage`."""
        filesystem, target = _open(path)
        length = min(length, int(filesystem.getFileStatus(target).getLen()) - start)
        if length <= 0:
            return b""
        stream = filesystem.open(target)
        try:
            stream.seek(start)
            return bytes(_jvm().org.apache.commons.io.IOUtils.toByteArray(stream, length))
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
        if not _rename_over(filesystem, unfinished, target):
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
        yield from self.sizes(path)

    def listing(self, path: str) -> dict[str, StoredFile]:
        """See `Storage`."""
        filesystem, root = _open(path)
        base = filesystem.makeQualified(root).toUri().getPath().rstrip("/")
        found = dict[str, StoredFile]()
        if not filesystem.exists(root):
            return found
        listing, has_tags = filesystem.listFiles(root, True), filesystem.hasPathCapability(root, _ETAGS)
        while listing.hasNext():
            file = listing.next()
            name = file.getPath().toUri().getPath().removeprefix(base).lstrip("/")
            tag = _tag(file) if has_tags else ""
            found[name] = StoredFile(int(file.getLen()), int(file.getModificationTime()), tag)
        return found

    def checksum(self, path: str) -> str:
        """See `Storage`: HDFS keeps one of its blocks' checksums, object stores an entity tag."""
        filesystem, target = _open(path)
        if filesystem.hasPathCapability(target, _ETAGS):
            return _tag(filesystem.getFileStatus(target))
        checksum = filesystem.getFileChecksum(target)
        return str(checksum.toString()) if checksum else ""

    def resolve(self, path: str) -> str:
        """See `Storage`: there are no links."""
        return path

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


def unfinished_name(name: str) -> str:
    """Name a file that is not complete yet: no other writer's, on whichever host, and hidden from readers."""
    return f".{name}.{uuid4().hex}"


def is_unfinished(name: str) -> bool:
    """Say whether a file has a name of `unfinished_name`: its writer goes on, or was killed, or could not remove it."""
    return _UNFINISHED.fullmatch(name.rpartition("/")[2]) is not None


def _write_beside(filesystem: Any, target: Any, parts: Iterable[bytes]) -> Any:
    """Write a hidden file in the target's folder, through to the disks; one that is interrupted is removed."""
    from py4j.protocol import Py4JError

    unfinished = _jvm().org.apache.hadoop.fs.Path(f"{target.getParent()}/{unfinished_name(target.getName())}")
    try:
        stream = filesystem.create(unfinished, True)
        try:
            for block in _blocks(parts):
                stream.write(bytearray(block))
            stream.hsync()
        finally:
            stream.close()
    except BaseException:
        with suppress(Py4JError):
            filesystem.delete(unfinished, False)
        raise
    return unfinished


def _rename_over(filesystem: Any, unfinished: Any, target: Any) -> bool:
    """Let a file take the place of another: in one step on HDFS, which alone of these filesystems can."""
    if filesystem.getClass().getSimpleName() != "DistributedFileSystem":
        filesystem.delete(target, False)
        return bool(filesystem.rename(unfinished, target))
    from pyspark import SparkContext

    kind: Any = getattr(_jvm().org.apache.hadoop.fs, "Options$Rename")
    gateway: Any = SparkContext._gateway
    options = gateway.new_array(kind, 1)
    options[0] = kind.OVERWRITE
    filesystem.rename(unfinished, target, options)
    return True


def _tag(status: Any) -> str:
    return f"etag:{status.getEtag()}"


def _upload(stream: Any, parts: Iterable[bytes]) -> None:
    """Send an object: closing the stream is what publishes it, so one that is interrupted is given up instead."""
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


def _jvm() -> Any:
    return spark.hadoop()[0]


def _open(uri: str) -> tuple[Any, Any]:
    """Return the JVM's (FileSystem, Path) of a URI."""
    jvm, conf = spark.hadoop()
    target = jvm.org.apache.hadoop.fs.Path(uri)
    return target.getFileSystem(conf), target
