"""Lets Kedro's own datasets (JSON, CSV, plots) read and write HDFS and S3 by the client that Spark uses.

They open files by fsspec, whose own HDFS needs a native library and whose own S3 keys and settings of its own.
"""

from __future__ import annotations

import io
from typing import Any, ClassVar

import fsspec
from fsspec.spec import AbstractFileSystem

from rankhammer.storage.hadoop import HadoopStorage

PROTOCOLS = ("hdfs", "s3a")


class HadoopFiles(AbstractFileSystem):  # type: ignore[misc]
    """Small files on any Hadoop filesystem: read and written as a whole, so that none is ever half there."""

    protocol: str | tuple[str, ...] = PROTOCOLS
    root_marker = ""
    cachable = False
    prefix: ClassVar[str] = ""
    """What Kedro has taken off a path: its datasets keep bucket and key of s3a, and of hdfs the path alone."""

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        """Keep the URI whole: Hadoop chooses the filesystem by its scheme and authority."""
        return str(path).rstrip("/")

    def _uri(self, path: str) -> str:
        return path if "://" in path else f"{self.prefix}{path}"

    def exists(self, path: str, **_: Any) -> bool:
        """Say whether a file or folder is there."""
        return HadoopStorage().exists(self._uri(path))

    def info(self, path: str, **_: Any) -> dict[str, Any]:
        """Describe a file."""
        if not self.exists(path):
            raise FileNotFoundError(path)
        return {"name": path, "size": None, "type": "file"}

    def glob(self, path: str, **_: Any) -> list[str]:
        """Return the paths that match a pattern."""
        found = HadoopStorage().glob(self._uri(path))
        return found if "://" in path else [one.removeprefix(self.prefix) for one in found]

    def rm(self, path: str, **_: Any) -> None:
        """Remove a file or folder."""
        HadoopStorage().delete(self._uri(path))

    def open(self, path: str, mode: str = "rb", **_: Any) -> io.IOBase:
        """Open a whole file.

        Args:
            path: URI.
            mode: r, w, rb or wb.

        Raises:
            FileNotFoundError: There is no such file to read.
            ValueError: Another mode is asked for.
        """
        if mode in ("w", "wb"):
            written = _Written(self._uri(path))
            return written if mode == "wb" else _WrittenText(written, encoding="utf-8", newline="")
        if mode not in ("r", "rb"):
            raise ValueError(f"{path} cannot be opened to {mode!r}: only whole files are read and written here.")
        if not self.exists(path):
            raise FileNotFoundError(path)
        content = io.BytesIO(HadoopStorage().read(self._uri(path)))
        return content if mode == "rb" else io.TextIOWrapper(content, encoding="utf-8", newline="")


class HdfsFiles(HadoopFiles):
    """Of the cluster's own filesystem."""

    protocol = "hdfs"


class S3aFiles(HadoopFiles):
    """Of S3: without the scheme, a bucket would be a folder of whatever filesystem is the default."""

    protocol = "s3a"
    prefix = "s3a://"


class _Written(io.BytesIO):
    """Appears at its path when it is closed, unless an error ended its writing."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = path

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is not None:
            self.path = ""
        self.close()

    def close(self) -> None:
        if self.closed:
            return
        content = self.getvalue()
        super().close()
        if self.path:
            HadoopStorage().write(self.path, content)


class _WrittenText(io.TextIOWrapper):
    """The same for text: the plain wrapper keeps an error to itself."""

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is not None:
            self.buffer.path = ""  # type: ignore[attr-defined]
        self.close()


def register() -> None:
    """Make fsspec use these for Hadoop's schemes."""
    for kind in (HdfsFiles, S3aFiles):
        fsspec.register_implementation(kind.protocol, kind, clobber=True)
