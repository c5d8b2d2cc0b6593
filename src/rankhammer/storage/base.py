"""Files on any Hadoop filesystem: plain Python for local paths, the JVM's FileSystem for every other URI."""

from __future__ import annotations

import logging
import os
import shutil
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from urllib.parse import unquote, urlsplit

from rankhammer.digests import file_digest
from rankhammer.errors import ConfigError
from rankhammer.secret_settings import require_no_login
from rankhammer.storage.hadoop import HadoopStorage, StoredFile, is_unfinished, unfinished_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["LocalStorage", "Storage", "StoredFile", "remove_unfinished", "split_scheme", "storage_for"]
logger = logging.getLogger(__name__)


class Storage(Protocol):
    """The few verbs that datasets need of a filesystem; every path is a full path or URI."""

    hashes_content: bool
    """Whether `checksum` is "sha256:" and the SHA-256 of the content, which a writer knows without reading it again."""

    def exists(self, path: str) -> bool:
        """Say whether a file or folder is there."""
        ...

    def read(self, path: str) -> bytes:
        """Return the whole content of a small file."""
        ...

    def sizes(self, path: str) -> dict[str, int]:
        """Return the bytes of each file below a folder, by relative path in name order, from one listing.

        What `write` has not finished is left out, also where its writer was killed; `listing` has it.
        """
        ...

    def read_range(self, path: str, start: int, length: int) -> bytes:
        """Return some bytes of a file; fewer where it ends before."""
        ...

    def write(self, path: str, content: bytes) -> None:
        """Create or replace a small file; readers see the old or the new content, never half of it.

        It is on the disk when this returns. Where a link stands at the path, what it leads to is replaced.

        Raises:
            ConfigError: A link on the way leads nowhere, or a file stands where a folder has to be.
        """
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
        """Yield the files below a folder as relative paths in name order; for a file, one empty text.

        What `write` has not finished is left out, as by `sizes`.
        """
        ...

    def listing(self, path: str) -> dict[str, StoredFile]:
        """Return what the filesystem says of the files below a folder, by relative path; no file is opened."""
        ...

    def checksum(self, path: str) -> str:
        """Return a checksum of a file's content: the one that the storage keeps, or SHA-256; empty where neither is."""
        ...

    def resolve(self, path: str) -> str:
        """Return the folder that a link at a path leads to, else the path; writers that replace folders need it.

        Raises:
            ConfigError: The link leads nowhere.
        """
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
    """Choose the storage of a URI. Nothing is opened and no JVM is started here.

    Raises:
        ConfigError: It holds a password.
    """
    require_no_login(uri, "A path")
    scheme = urlsplit(uri).scheme if "://" in uri else ""
    return LocalStorage() if scheme in ("", "file") else HadoopStorage()


class LocalStorage:
    """The machine's own filesystem; needs no JVM."""

    hashes_content = True

    def exists(self, path: str) -> bool:
        """See `Storage`."""
        return _local(path).exists()

    def read(self, path: str) -> bytes:
        """See `Storage`."""
        return _local(path).read_bytes()

    def sizes(self, path: str) -> dict[str, int]:
        """See `Storage`."""
        return {name: _local(f"{path}/{name}" if name else path).stat().st_size for name in self.files(path)}

    def read_range(self, path: str, start: int, length: int) -> bytes:
        """See `Storage`."""
        with _local(path).open("rb") as file:
            file.seek(start)
            return file.read(length)

    def write(self, path: str, content: bytes) -> None:
        """See `Storage`."""
        self.write_parts(path, (content,))

    def write_parts(self, path: str, parts: Iterable[bytes]) -> None:
        """See `Storage`."""
        target = _followed(_local(path))
        _make_folder(target.parent)
        with _unfinished(target) as unfinished:
            _write_synced(unfinished, parts)
            _require_no_folder(target)
            unfinished.replace(target)
        _sync_folder(target.parent)

    def create(self, path: str, content: bytes) -> bool:
        """See `Storage`."""
        target = _local(path)
        _make_folder(target.parent)
        with _unfinished(target) as unfinished:
            _write_synced(unfinished, (content,))
            try:
                # A rename would replace what is there.
                os.link(unfinished, target)
            except FileExistsError:
                return False
        _sync_folder(target.parent)
        return True

    def link(self, path: str, target: str) -> None:
        """See `Storage`."""
        place = _local(path)
        if place.is_dir() and not place.is_symlink():
            # A copy of the folder that did not keep the link.
            shutil.rmtree(place)
        with _unfinished(place) as unfinished:
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
        if target.is_symlink() and target.is_dir():
            # The link says on which disk the folder is: that stays so.
            for inside in target.iterdir():
                self.delete(str(inside))
        elif target.is_dir():
            shutil.rmtree(target)
        else:
            target.unlink(missing_ok=True)

    def files(self, path: str) -> Iterator[str]:
        """See `Storage`."""
        root = _local(path)
        if root.is_file():
            yield ""
        for found in sorted(root.rglob("*")):
            if found.is_file() and not is_unfinished(found.name):
                yield found.relative_to(root).as_posix()

    def listing(self, path: str) -> dict[str, StoredFile]:
        """See `Storage`."""
        root, found = _local(path), dict[str, StoredFile]()
        for folder, _, names in os.walk(root):
            for name in names:
                file = Path(folder, name)
                with suppress(FileNotFoundError):
                    facts = file.stat()
                    found[file.relative_to(root).as_posix()] = StoredFile(facts.st_size, facts.st_mtime_ns)
        return found

    def checksum(self, path: str) -> str:
        """See `Storage`."""
        return f"sha256:{self.stamp(path)}"

    def resolve(self, path: str) -> str:
        """See `Storage`."""
        place = _local(path)
        return str(_followed(place)) if place.is_symlink() else path

    def glob(self, pattern: str) -> list[str]:
        """See `Storage`."""
        whole = _local(pattern).absolute()
        return sorted(str(path) for path in Path(whole.anchor).glob(str(whole.relative_to(whole.anchor))))

    def stamp(self, path: str) -> str:
        """Return the SHA-256 of the content (about 1 GB/s), so that a copied file is the same file."""
        return file_digest(_local(path))


def local_path(uri: str) -> str:
    """Return the plain path of a file: URI; everything else as it is."""
    return unquote(urlsplit(uri).path) if uri.startswith("file:") else uri


def _local(path: str) -> Path:
    return Path(local_path(path))


def remove_unfinished(storage: Storage, paths: Iterable[str]) -> None:
    """Give back the room of what was not finished; the error that broke it off is the one to show.

    Args:
        storage: Where it is.
        paths: Files and folders.
    """
    from py4j.protocol import Py4JError

    for path in paths:
        try:
            storage.delete(path)
        except (OSError, Py4JError):
            logger.warning("%s was not finished, and could not be removed; the next run writes over it.", path)


def _followed(place: Path) -> Path:
    """Return what a link leads to, else the path itself.

    Raises:
        ConfigError: The link leads nowhere: the disk behind it is not mounted, or was tidied away.
    """
    if not place.is_symlink():
        return place
    target = Path(os.path.realpath(place))
    if target.exists():
        return target
    raise _leads_nowhere(place, target)


def _leads_nowhere(link: Path, target: Path) -> ConfigError:
    return ConfigError(
        f"{link} is a link to {target}, which is not there.",
        hint="Mount or make what it leads to, or remove the link.",
        path=str(link),
    )


def _require_no_folder(place: Path) -> None:
    if place.is_dir():
        raise ConfigError(
            f"{place} is a folder, and a file has to be there.",
            hint="Move it away; what is written there is made again.",
            path=str(place),
        )


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as exc:
        for place in (folder, *folder.parents):
            if place.is_symlink() and not place.exists():
                raise _leads_nowhere(place, Path(os.path.realpath(place))) from exc
            if place.exists() and not place.is_dir():
                raise ConfigError(
                    f"{place} is a file, and a folder has to be there.",
                    hint="Move it away, or correct `paths` in conf/<env>/globals.yml.",
                    path=str(place),
                ) from exc
        raise


@contextmanager
def _unfinished(target: Path) -> Iterator[Path]:
    """Name a hidden file beside the target, and remove it where it is still there at the end."""
    unfinished = target.with_name(unfinished_name(target.name))
    try:
        yield unfinished
    finally:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)


def _write_synced(path: Path, parts: Iterable[bytes]) -> None:
    """Write a file through to the disk: a rename that outlives a power cut must not lead to an empty file."""
    try:
        with path.open("wb") as file:
            file.writelines(parts)
            file.flush()
            os.fsync(file.fileno())
    except OSError as exc:
        # What a write itself says of a full disk names no file.
        raise exc if exc.filename else OSError(exc.errno, exc.strerror, str(path)) from exc


def _sync_folder(folder: Path) -> None:
    """Write a folder's names through to the disk, where its filesystem can."""
    with suppress(OSError):
        opened = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)
