"""Files on the cluster's filesystem under names that carry a hash of their content: written once, never changed."""

from __future__ import annotations

import time
import uuid
from typing import TYPE_CHECKING, Any, Protocol

from rankhammer.errors import ClusterError
from rankhammer.yarn.archive import content_hash

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_READABLE, _LISTABLE = 0o644, 0o755
HOME = ".rankhammer/runtime"
"""Folder in the user's home on the cluster, where none is configured."""


class UploadTarget(Protocol):
    """Where files for the cluster are put: the cluster, or nowhere in a dry run."""

    def put(self, source: Path, name: str | None = None) -> str:
        """Return the URI of a file of this machine."""
        ...

    def put_made(self, name: str, make: Callable[[], Path]) -> str:
        """Return the URI of a file whose name says what is in it; it is made where it is not there."""
        ...


class Uploads:
    """A folder on the cluster's filesystem, by the JVM's client."""

    def __init__(self, jvm: Any, conf: Any, root: str | None, on_progress: Callable[[str], None]) -> None:
        """Open the filesystem; nothing is written.

        Args:
            jvm: py4j's view of a JVM with Hadoop's client.
            conf: Its Hadoop configuration.
            root: Folder, as a URI; None for `HOME`.
            on_progress: Called with a line for each file that is written.

        Raises:
            ClusterError: The filesystem does not answer.
        """
        from py4j.protocol import Py4JJavaError

        self._jvm, self._conf, self._on_progress = jvm, conf, on_progress
        try:
            home = jvm.org.apache.hadoop.fs.FileSystem.get(conf).getHomeDirectory()
            folder = self.path(root) if root else jvm.org.apache.hadoop.fs.Path(home, HOME)
            self._filesystem = folder.getFileSystem(conf)
            self.root = str(self._filesystem.makeQualified(folder))
            self.home = str(home)
            self._make_folder(folder)
        except Py4JJavaError as exc:
            hint = "Correct `runtime.root` in conf/<env>/cluster.yml, or the rights there; is HDFS up?"
            raise ClusterError(f"{root or HOME}: {exc.java_exception.toString()}", hint=hint) from exc

    def path(self, uri: Any) -> Any:
        """Return the JVM's Path of a URI: a text, or the JVM's own URI."""
        return self._jvm.org.apache.hadoop.fs.Path(uri)

    def put(self, source: Path, name: str | None = None) -> str:
        """Write a file, unless one of the same content is there.

        It is written beside its place and renamed, so nobody sees half of it, and readable by all, so that a node
        fetches it once for all applications.

        Args:
            source: File on this machine.
            name: What to call it, where that holds a hash of its content already; else the hash is put into its own
                name.

        Returns:
            Its URI.
        """
        return self.put_made(name or _named_by_content(source), lambda: source)

    def put_made(self, name: str, make: Callable[[], Path]) -> str:
        """Write a file whose name holds a hash of what it is made of; it is made only where it is not there.

        Args:
            name: Of the file.
            make: Returns it on this machine.

        Returns:
            Its URI.
        """
        target = self.path(f"{self.root}/{name}")
        if not self._filesystem.exists(target):
            self._write(make(), target)
        return str(target.toString())

    def exists(self, uri: str) -> bool:
        """Say whether a file or folder is there."""
        return bool(self.path(uri).getFileSystem(self._conf).exists(self.path(uri)))

    def matches(self, pattern: str) -> list[str]:
        """Return the URIs that match a pattern, in name order."""
        path = self.path(pattern)
        found = path.getFileSystem(self._conf).globStatus(path) or ()
        return sorted(str(status.getPath().toString()) for status in found)

    def delete(self, uri: str) -> None:
        """Remove a file or folder; nothing happens where there is none."""
        self.path(uri).getFileSystem(self._conf).delete(self.path(uri), True)

    def _write(self, source: Path, target: Any) -> None:
        start = time.monotonic()
        size = source.stat().st_size
        if size > 10**7:
            self._on_progress(f"uploading {target.getName()} ({size / 1e6:.0f} MB), once")
        unfinished = self.path(f"{self.root}/.{target.getName()}.{uuid.uuid4().hex}")
        # Of a text Hadoop takes %20 for itself, and not for a space.
        local = self.path(self._jvm.java.io.File(str(source.absolute())).toURI())
        try:
            self._filesystem.copyFromLocalFile(False, True, local, unfinished)
            self._filesystem.setPermission(unfinished, self._mode(_READABLE))
            self._require_renamed(unfinished, target)
        finally:
            self._filesystem.delete(unfinished, False)
        self._on_progress(f"uploaded {target.getName()} ({size / 1e6:.1f} MB, {time.monotonic() - start:.1f} s)")

    def _require_renamed(self, unfinished: Any, target: Any) -> None:
        """Give a file its name; another user's file of that name has the same content."""
        if not self._filesystem.rename(unfinished, target) and not self._filesystem.exists(target):
            hint = "Look at the namenode's log."
            raise ClusterError(f"{unfinished.toString()} could not be renamed to {target.getName()}.", hint=hint)

    def _make_folder(self, folder: Any) -> None:
        """Make a folder that everybody may list; the rights of one that is there stay."""
        if not self._filesystem.exists(folder):
            self._filesystem.mkdirs(folder)
            self._filesystem.setPermission(folder, self._mode(_LISTABLE))

    def _mode(self, mode: int) -> Any:
        # A Python int becomes a Java int, and the constructor that takes one wants a short.
        return self._jvm.org.apache.hadoop.fs.permission.FsPermission(f"{mode:o}")


class NoUploads:
    """Writes nothing: says where files would be."""

    def __init__(self, root: str | None) -> None:
        self.root = root or f"<home>/{HOME}"

    def put(self, source: Path, name: str | None = None) -> str:
        """See `Uploads`."""
        return f"{self.root}/{name or _named_by_content(source)}"

    def put_made(self, name: str, make: Callable[[], Path]) -> str:  # noqa: ARG002 - not made
        """See `Uploads`."""
        return f"{self.root}/{name}"


def _named_by_content(source: Path) -> str:
    suffix = next((suffix for suffix in (".tar.gz", ".tar.bz2") if source.name.endswith(suffix)), source.suffix)
    return f"{source.name.removesuffix(suffix)}-{content_hash(source)}{suffix}"
