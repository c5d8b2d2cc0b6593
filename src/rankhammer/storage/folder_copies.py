"""Copies of whole folders between filesystems, published as versions: what was there stays until the copy is complete.

A job that writes to the disks of a cluster leaves its output there; the copy goes to a folder of versions
(`publication`), under a name that says what is in it, and the pointer moves when every file has arrived in its size. A
copy that was killed is gone on with: files that have arrived stay.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rankhammer import processes, spark
from rankhammer.digests import hex_digest
from rankhammer.errors import ConfigError, DataError
from rankhammer.storage.base import LocalStorage, local_path, storage_for
from rankhammer.storage.hadoop import is_unfinished
from rankhammer.storage.publication import Pointer, VersionStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from rankhammer.storage.base import Storage
    from rankhammer.storage.hadoop import StoredFile

_BLOCK = 8 * 2**20
_DIGEST_SIGNS = 12
_WRITING = "_temporary"


@dataclass(frozen=True)
class FolderCopy:
    """What a copy came to.

    Args:
        version: Name of the version that counts.
        folder: Its path.
        n_files: Files in it.
        n_bytes: Bytes in it.
        n_copied: Files that this copy has sent; the others had arrived before.
    """

    version: str
    folder: str
    n_files: int
    n_bytes: int
    n_copied: int


def copy_folder(
    source: str, root: str, *, keep: int = 3, n_threads: int = 8, on_progress: Callable[[int, int], None]
) -> FolderCopy:
    """Copy a folder into a new version below another one, and let it count.

    Args:
        source: Path or URI of a folder that nobody writes to.
        root: Path or URI of a folder of versions; readers name `<root>/current`.
        keep: Versions that stay, the new one included.
        n_threads: Files that are copied at a time.
        on_progress: Called with (bytes that have arrived, bytes in all) as files arrive.

    Raises:
        ConfigError: One folder lies in the other one.
        DataError: The source is not there, empty, half-written, or was changed meanwhile; or somebody else has
            published there meanwhile. What counted before still does.
    """
    source, root = source.rstrip("/"), root.rstrip("/")
    _require_apart(source, root)
    origin, store = storage_for(source), VersionStore(root, keep=keep)
    listing = _complete(origin, source)
    digest = _digest(origin, source, listing)
    newest = store.newest()
    is_same = newest.digest == digest
    version = newest.version if is_same else f"{newest.number + 1:06d}-{digest[:_DIGEST_SIGNS]}"
    folder = store.folder(replace(newest, version=version))
    missing = _missing(folder, listing)
    _copy(source, folder, {name: listing[name].size for name in missing}, listing, n_threads, on_progress)
    left = _missing(folder, listing)
    if left:
        raise DataError(f"{folder}/{left[0]} has not arrived whole.", hint="Copy again: what has arrived stays.")
    if _complete(origin, source) != listing:
        hint = "Copy it when its job has ended: what counted before still does."
        raise DataError(f"{source} was changed while it was copied.", hint=hint, path=source)
    by = processes.this_process(None)
    pointer = Pointer(newest.number + 1, version, digest, sorted(listing), {"source": source}, by=by)
    if not is_same and not store.let_count(pointer):
        hint = "See that it is what you want; a copy that is made now replaces it."
        raise DataError(f"{root}: somebody published there while {source} was copied.", hint=hint, path=root)
    return FolderCopy(version, folder, len(listing), sum(one.size for one in listing.values()), len(missing))


def _require_apart(source: str, root: str) -> None:
    if f"{root}/".startswith(f"{source}/") or f"{source}/".startswith(f"{root}/"):
        hint = "Name a folder beside it, or on another filesystem."
        raise ConfigError(f"{source} and {root} lie in each other.", hint=hint)


def _complete(origin: Storage, source: str) -> dict[str, StoredFile]:
    """List a folder's files.

    Raises:
        DataError: There are none, or somebody is writing them.
    """
    listing = origin.listing(source) if origin.exists(source) else {}
    if "" in listing:
        raise DataError(f"{source} is a file, and a folder is copied.", hint="Name its folder.", path=source)
    for name in listing:
        if _WRITING in name.split("/")[:-1] or is_unfinished(name):
            hint = "Copy it when its job has ended well; what a job that was killed has left is no result."
            raise DataError(f"{source} is half-written: it holds {name}.", hint=hint, path=source)
    found = {name: file for name, file in listing.items() if not name.rpartition("/")[2].startswith(".")}
    if not found:
        raise DataError(f"{source} holds no file.", hint="Name the folder that the job has written.", path=source)
    return dict(sorted(found.items()))


def _digest(origin: Storage, source: str, listing: Mapping[str, StoredFile]) -> str:
    lines = (
        f"{name}\0{file.size}\0{file.tag or origin.checksum(f'{source}/{name}')}" for name, file in listing.items()
    )
    return hex_digest("\n".join(lines))


def _missing(folder: str, listing: Mapping[str, StoredFile]) -> list[str]:
    target = storage_for(folder)
    arrived = target.sizes(folder) if target.exists(folder) else {}
    return [name for name, file in listing.items() if arrived.get(name) != file.size]


def _copy(
    source: str,
    folder: str,
    sizes: Mapping[str, int],
    listing: Mapping[str, StoredFile],
    n_threads: int,
    on_progress: Callable[[int, int], None],
) -> None:
    total = sum(file.size for file in listing.values())
    arrived = total - sum(sizes.values())
    on_progress(arrived, total)
    with ThreadPoolExecutor(n_threads, "copy") as pool:
        pairs = {name: pool.submit(_copy_file, f"{source}/{name}", f"{folder}/{name}", sizes[name]) for name in sizes}
        try:
            for name, done in pairs.items():
                done.result()
                arrived += sizes[name]
                on_progress(arrived, total)
        finally:
            pool.shutdown(cancel_futures=True)


def _copy_file(source: str, target: str, size: int) -> None:
    origin, goal = storage_for(source), storage_for(target)
    if isinstance(origin, LocalStorage) or isinstance(goal, LocalStorage):
        goal.write_parts(target, _parts(origin, source, size))
        return
    # By the JVM alone: through Python it would take several times as long.
    jvm, conf = spark.hadoop()
    (from_files, from_path), (to_files, to_path) = (_opened(jvm, conf, uri) for uri in (source, target))
    jvm.org.apache.hadoop.fs.FileUtil.copy(from_files, from_path, to_files, to_path, False, True, conf)


def _opened(jvm: Any, conf: Any, uri: str) -> tuple[Any, Any]:
    path = jvm.org.apache.hadoop.fs.Path(uri)
    return path.getFileSystem(conf), path


def _parts(origin: Storage, path: str, size: int) -> Iterator[bytes]:
    if isinstance(origin, LocalStorage):
        with Path(local_path(path)).open("rb") as opened:
            while block := opened.read(_BLOCK):
                yield block
        return
    for start in range(0, size, _BLOCK):
        yield origin.read_range(path, start, _BLOCK)
