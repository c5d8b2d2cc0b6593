"""Published folders: versions beside each other, and a pointer that is switched last.

    <root>/versions/000007-3f9c2a61d04b/...     one version: the number that it was written for, and its content's hash
    <root>/pointers/000007.json                 names the version that counts; the highest number does
    <root>/current                              a link to it, for people, where the filesystem has links

Readers follow the newest pointer, so they see one version or the other, each whole. A pointer's number is one more than
that of the pointer that it replaces, and each number can be created once: of two publishers one gets it.
"""

from __future__ import annotations

import hashlib
import logging
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from rankhammer import whoami
from rankhammer.errors import DataError
from rankhammer.numbered import NumberedFiles
from rankhammer.storage import storage_for

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rankhammer.numbered import Entry

CURRENT = "current"
_VERSIONS, _POINTERS = "versions", "pointers"
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Pointer:
    """Which version counts.

    Args:
        number: How often something was published, this time included; 0: never.
        version: Name of the version's folder.
        digest: SHA-256 over its files.
        files: Their names.
        made_of: Fingerprint of what they were made of.
        run: Id of the run that they come from, where runs have one.
        by: Who published them.
        kept: Corpora that the run did not work on, to the version that first held their files.
    """

    number: int = 0
    version: str = ""
    digest: str = ""
    files: Sequence[str] = ()
    made_of: Mapping[str, Any] | None = None
    run: str | None = None
    by: Mapping[str, Any] | None = None
    kept: Mapping[str, str] | None = None


def content_digest(files: Mapping[str, bytes]) -> str:
    """Return the SHA-256 over the files' names and contents, in name order."""
    content = hashlib.sha256()
    for name, data in sorted(files.items()):
        content.update(f"{name}\0{len(data)}\0".encode() + data)
    return content.hexdigest()


def follow(path: str) -> str:
    """Replace `current` in a path by the version that counts, also where there is no such link.

    Args:
        path: For example `s3a://bucket/exported_model/current/shop`.
    """
    root, found, rest = f"{path}/".partition(f"/{CURRENT}/")
    pointer = Publication(root).newest() if found else Pointer()
    return f"{Publication(root).folder(pointer)}/{rest}".rstrip("/") if pointer.number else path


class Publication:
    """One folder of versions.

    Args:
        root: A local path or URI.
        keep: Versions that stay, the current one included.
        grace_s: Seconds for which a version stays after it was replaced: somebody may still be reading it.
    """

    def __init__(self, root: str, *, keep: int = 1, grace_s: float = 0) -> None:
        self._storage = storage_for(root)
        self._root = root
        self._keep, self._grace_s = keep, grace_s
        self._pointers = NumberedFiles(self._storage, f"{root}/{_POINTERS}")

    def newest(self) -> Pointer:
        """Return the pointer that counts; number 0 where nothing was published."""
        return _pointer(self._pointers.newest())

    def folder(self, pointer: Pointer) -> str:
        """Return the path of a version."""
        return f"{self._root}/{_VERSIONS}/{pointer.version}"

    def read(self, pointer: Pointer) -> dict[str, bytes]:
        """Return a version's files.

        Raises:
            DataError: They are not those that were published.
        """
        folder = self.folder(pointer)
        missing = [name for name in pointer.files if not self._storage.exists(f"{folder}/{name}")]
        files = {name: self._storage.read(f"{folder}/{name}") for name in pointer.files if name not in missing}
        if missing or content_digest(files) != pointer.digest:
            raise DataError(
                f"{folder} {f'lacks {missing[0]}' if missing else 'was changed after it was published'}.",
                hint="Delete that folder and the pointer of its number, and publish again.",
                missing=missing,
            )
        return files

    def publish(
        self,
        files: Mapping[str, bytes],
        *,
        replaces: int,
        made_of: Mapping[str, Any],
        run: str | None = None,
        kept: Mapping[str, str] | None = None,
    ) -> Pointer:
        """Write a version, and let it count.

        What is there already is not written again: the same content is the same version.

        Args:
            files: Relative path to content.
            replaces: Number of the pointer that the caller knows as the newest; 0: none.
            made_of: Fingerprint, JSON-able.
            run: Id of the run that the files come from.
            kept: Corpora that were only kept from before, to the version that first held their files.

        Returns:
            The pointer that counts now.

        Raises:
            DataError: Somebody else has published something else meanwhile; nothing was replaced.
        """
        digest, newest = content_digest(files), self.newest()
        if (newest.digest, newest.made_of, newest.run) == (digest, made_of, run):
            return newest
        is_there = newest.digest == digest
        version = newest.version if is_there else f"{replaces + 1:06d}-{digest[:12]}"
        pointer = Pointer(replaces + 1, version, digest, sorted(files), made_of, run, whoami.myself(run), kept or None)
        if newest.number == replaces:
            self._write({} if is_there else files, pointer)
        if newest.number != replaces or not self._pointers.append(_content(pointer), after=replaces):
            raise self._lost()
        self._storage.link(f"{self._root}/{CURRENT}", f"{_VERSIONS}/{version}")
        self._tidy()
        return pointer

    def _write(self, files: Mapping[str, bytes], pointer: Pointer) -> None:
        """Write over what a publisher that was killed has left: the folder's name says the same content.

        Raises:
            DataError: Somebody else has won meanwhile, and may have tidied the folder away.
        """
        self._storage.abandon_uploads(self._root, self._grace_s)
        try:
            for name in sorted(files):
                self._storage.write(f"{self.folder(pointer)}/{name}", files[name])
        except Exception as exc:
            # Each filesystem has errors of its own for a folder that is gone.
            if self.newest().number >= pointer.number:
                raise self._lost() from exc
            raise

    def _lost(self) -> DataError:
        winner = self.newest()
        return DataError(
            f"{self._root}: {whoami.describe(winner.by or {})} published {winner.version} since this run began; "
            "it stays as it is.",
            hint="See that it is what you want; `kedro run --pipelines=export` publishes this run's over it.",
            version=winner.version,
        )

    def _tidy(self) -> None:
        """Delete what is over the number to keep; a version of a higher number than any pointer is being written."""
        pointers = [_pointer(self._pointers.read(number)) for number in self._pointers.numbers()]
        kept = list(dict.fromkeys(pointer.version for pointer in reversed(pointers)))[: self._keep]
        names = {name.partition("/")[0] for name in self._storage.files(f"{self._root}/{_VERSIONS}")}
        for version in sorted(names - {*kept}):
            is_past = version.partition("-")[0] <= f"{pointers[-1].number:06d}"
            if is_past and self._unused_s(version, pointers) >= self._grace_s:
                self._storage.delete(f"{self._root}/{_VERSIONS}/{version}")
                logger.info("Removed %s/%s/%s", self._root, _VERSIONS, version)
        self._pointers.prune(sum(pointer.version in kept for pointer in pointers))

    def _unused_s(self, version: str, pointers: Sequence[Pointer]) -> float:
        """Return how long ago a version was written or replaced, by the filesystem's clock."""
        times = [self._storage.changed_at(self._pointers.path(pointer.number)) for pointer in pointers]
        replaced = [at for pointer, at in zip(pointers, times[1:], strict=False) if pointer.version == version]
        return times[-1] - max([self._storage.changed_at(f"{self._root}/{_VERSIONS}/{version}"), *replaced])


def _pointer(entry: Entry) -> Pointer:
    return Pointer(entry.number, **entry.content)


def _content(pointer: Pointer) -> dict[str, Any]:
    return {name: value for name, value in asdict(pointer).items() if name != "number"}
