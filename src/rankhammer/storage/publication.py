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
from dataclasses import asdict, dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

from rankhammer import processes
from rankhammer.errors import DataError
from rankhammer.storage import state_files
from rankhammer.storage.append_log import AppendOnlyLog
from rankhammer.storage.base import remove_unfinished, storage_for

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

CURRENT = "current"
_VERSIONS, _POINTERS = "versions", "pointers"
_DIGEST_SIGNS = 12
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
        kept: Corpora that the run did not replace, to the version that first held their files.
        held_back: Corpora whose new files do not count, to the version that they stand in.
        rankers: Corpora to the id of the ranker that their files are of, see `ranker_registry`.
        moves: Each ranker that became current with this pointer, see `Champions`.
    """

    number: int = 0
    version: str = ""
    digest: str = ""
    files: Sequence[str] = ()
    made_of: Mapping[str, Any] | None = None
    run: str | None = None
    by: Mapping[str, Any] | None = None
    kept: Mapping[str, str] | None = None
    held_back: Mapping[str, str] | None = None
    rankers: Mapping[str, str] | None = None
    moves: Sequence[Mapping[str, Any]] | None = None


@dataclass(frozen=True)
class Champions:
    """Which rankers are current once a version counts; they stand in its pointer, so that both change in one step.

    Args:
        rankers: Corpus to the id of its ranker; corpora whose files are of no registered ranker are left out.
        moves: Each ranker that becomes current now: corpus, ranker, before (the id of the one before it, or None), how,
            and what else there is to say, JSON-able.
    """

    rankers: Mapping[str, str]
    moves: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True)
class NewRanker:
    """A ranker that an export has written, for the registry.

    Args:
        trained: Its own files as training left them: name to content.
        lineage: What the run was made of.
        evidence: What training says of it.
        is_by_hand: Whether only `rankhammer promote` makes a ranker of this corpus current.
    """

    trained: Mapping[str, bytes]
    lineage: Mapping[str, Any] = field(default_factory=dict)
    evidence: Mapping[str, Any] = field(default_factory=dict)
    is_by_hand: bool = False

    @property
    def id(self) -> str:
        """Made of its content: the same bytes, the same ranker."""
        return content_digest(self.trained)[:_DIGEST_SIGNS]


@dataclass(frozen=True)
class Candidates:
    """What a run has to publish, where not all of it may count.

    Args:
        files: "<folder of the corpus>/..." to content, of the corpora whose files are to count.
        held_back: The same of those whose files are to be kept as a version, and not to count.
        rankers: Corpus to the ranker that its files are of, either way.
    """

    files: dict[str, bytes]
    held_back: dict[str, bytes] = field(default_factory=dict)
    rankers: Mapping[str, NewRanker] = field(default_factory=dict)


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
    pointer = VersionStore(root).newest() if found else Pointer()
    return f"{VersionStore(root).folder(pointer)}/{rest}".rstrip("/") if pointer.number else path


class VersionStore:
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
        self._pointers = AppendOnlyLog(self._storage, f"{root}/{_POINTERS}")

    def newest(self) -> Pointer:
        """Return the pointer that counts; number 0 where nothing was published.

        Where the last pointer cannot be read, what the one before names continues counting, with the last one's number.

        Raises:
            DataError: A newer version of this program wrote the last one.
        """
        numbers = self._pointers.numbers()
        found = next(filter(None, map(self._read_pointer, reversed(numbers))), Pointer())
        return replace(found, number=max(numbers, default=0))

    def pointers(self) -> list[Pointer]:
        """Return the pointers that are still there and can be read, the oldest first."""
        return list(filter(None, map(self._read_pointer, self._pointers.numbers())))

    def written_at(self, pointer: Pointer) -> float:
        """Return when a pointer was written, in seconds, by the filesystem's clock."""
        return self._storage.changed_at(self._pointers.path(pointer.number))

    def _read_pointer(self, number: int) -> Pointer | None:
        entry, path = self._pointers.read(number), self._pointers.path(number)
        if entry.fault.startswith(state_files.NEWER):
            raise DataError(f"{path} {entry.fault}.", hint="Update this installation of Rankhammer.", path=path)
        known = {one.name: entry.content[one.name] for one in fields(Pointer) if one.name in entry.content}
        if not _is_pointer(known):
            fault = entry.fault or "is no pointer"
            state_files.warn_once(path, fault, "the version of the pointer before it counts")
            return None
        return Pointer(**known | {"number": number})

    def folder(self, pointer: Pointer) -> str:
        """Return the path of a version."""
        return f"{self._root}/{_VERSIONS}/{pointer.version}"

    def read(self, pointer: Pointer) -> dict[str, bytes]:
        """Return a version's files.

        Raises:
            DataError: They are not those that were published.
        """
        files, fault = self._read_files(pointer)
        if fault:
            raise DataError(
                f"{self.folder(pointer)} {fault}.",
                hint="`kedro run --pipelines=export` publishes it again.",
                path=self.folder(pointer),
            )
        return files

    def fault(self, pointer: Pointer) -> str:
        """Say why a version's files are not those that were published; empty where they are."""
        return self._read_files(pointer)[1] if pointer.number else ""

    def _read_files(self, pointer: Pointer) -> tuple[dict[str, bytes], str]:
        folder = self.folder(pointer)
        found = {name for name in self._storage.listing(folder) if not name.rpartition("/")[2].startswith(".")}
        missing, added = sorted({*pointer.files} - found), sorted(found - {*pointer.files})
        if missing or added:
            return {}, f"lacks {missing[0]}" if missing else f"holds {added[0]}, which was not published"
        files = {name: self._storage.read(f"{folder}/{name}") for name in pointer.files}
        return files, "" if content_digest(files) == pointer.digest else "was changed after it was published"

    def publish(
        self,
        files: Mapping[str, bytes],
        *,
        replaces: int,
        made_of: Mapping[str, Any],
        run: str | None = None,
        kept: Mapping[str, str] | None = None,
        held_back: Mapping[str, str] | None = None,
        champions: Champions | None = None,
    ) -> Pointer:
        """Write a version, and let it count.

        What is there already is not written again: the same content is the same version.

        Args:
            files: Relative path to content.
            replaces: Number of the pointer that the caller knows as the newest; 0: none.
            made_of: Fingerprint, JSON-able.
            run: Id of the run that the files come from.
            kept: Corpora that were only kept from before, to the version that first held their files; empty: this one.
            held_back: Corpora whose new files do not count, to the version that `hold_back` wrote.
            champions: The rankers that the files are of, where that is known.

        Returns:
            The pointer that counts now.

        Raises:
            DataError: Another user has published something else meanwhile; nothing was replaced.
        """
        digest, newest = content_digest(files), self.newest()
        rankers, moves = (dict(champions.rankers), list(champions.moves)) if champions else ({}, [])
        is_same = bool(newest.number) and newest.digest == digest
        is_whole = is_same and not self.fault(newest)
        if is_same and not is_whole:
            self._mend(files, newest)
        about = (newest.made_of, newest.run, newest.held_back, newest.rankers)
        if is_same and about == (made_of, run, held_back or None, rankers or None):
            return newest
        version = newest.version if is_same else f"{replaces + 1:06d}-{digest[:_DIGEST_SIGNS]}"
        pointer = Pointer(
            replaces + 1,
            version,
            digest,
            sorted(files),
            made_of,
            run,
            processes.this_process(run),
            {corpus: first or version for corpus, first in (kept or {}).items()} or None,
            held_back or None,
            rankers or None,
            moves or None,
        )
        if newest.number == replaces:
            self._write({} if is_same else files, pointer)
        if newest.number != replaces or not self.let_count(pointer):
            raise self._lost()
        return pointer

    def let_count(self, pointer: Pointer) -> bool:
        """Move to a version that is there whole, and tidy up; False where somebody has moved meanwhile.

        Args:
            pointer: With the number after that of the pointer which the caller knows as the newest.
        """
        if not self._pointers.append(_content(pointer), after=pointer.number - 1):
            return False
        if pointer.files:
            self._storage.link(f"{self._root}/{CURRENT}", f"{_VERSIONS}/{pointer.version}")
        self._tidy()
        return True

    def hold_back(self, files: Mapping[str, bytes], *, replaces: int) -> str:
        """Write a version that no pointer leads to.

        Args:
            files: Relative path to content.
            replaces: Number of the pointer that the caller knows as the newest; 0: none.

        Returns:
            Its name, for `publish`; a version of the same content that was held back before is taken again.
        """
        digest = content_digest(files)[:_DIGEST_SIGNS]
        before = [name for name in (self.newest().held_back or {}).values() if name.endswith(f"-{digest}")]
        version = before[0] if before else f"{replaces + 1:06d}-{digest}"
        for name in sorted(files):
            self._storage.write(f"{self._root}/{_VERSIONS}/{version}/{name}", files[name])
        return version

    def read_held_back(self, version: str) -> dict[str, bytes]:
        """Return the files of a version that `hold_back` wrote.

        Raises:
            DataError: They are not those that were written.
        """
        folder = f"{self._root}/{_VERSIONS}/{version}"
        files = {name: self._storage.read(f"{folder}/{name}") for name in self._storage.files(folder)}
        if not version.endswith(f"-{content_digest(files)[:_DIGEST_SIGNS]}"):
            raise DataError(
                f"{folder} was changed after it was published.",
                hint="`kedro run --pipelines=export` publishes it again.",
                path=folder,
            )
        return files

    def _mend(self, files: Mapping[str, bytes], pointer: Pointer) -> None:
        """Write a version's files again, which somebody has changed since they were published."""
        folder = self.folder(pointer)
        for name in [name for name in self._storage.listing(folder) if name not in files]:
            self._storage.delete(f"{folder}/{name}")
        for name in sorted(files):
            self._storage.write(f"{folder}/{name}", files[name])
        logger.warning("%s was changed after it was published, and was written again.", folder)

    def _write(self, files: Mapping[str, bytes], pointer: Pointer) -> None:
        """Write over what a publisher that was killed has left: the folder's name says the same content.

        Raises:
            DataError: Another user has won meanwhile, and may have tidied the folder away.
        """
        self._storage.abandon_uploads(self._root, self._grace_s)
        try:
            for name in sorted(files):
                self._storage.write(f"{self.folder(pointer)}/{name}", files[name])
        except Exception as exc:
            # Each filesystem has errors of its own for a folder that is gone.
            if self.newest().number >= pointer.number:
                raise self._lost() from exc
            remove_unfinished(self._storage, [self.folder(pointer)])
            raise

    def _lost(self) -> DataError:
        winner = self.newest()
        return DataError(
            f"{self._root}: {processes.describe(winner.by or {})} published {winner.version} since this run began; "
            "it stays as it is.",
            hint="See that it is what you want; `kedro run --pipelines=export` publishes this run's over it.",
            version=winner.version,
        )

    def _tidy(self) -> None:
        """Delete what is over the number to keep; a version of a higher number than any pointer is being written."""
        pointers = self.pointers()
        kept = list(dict.fromkeys(pointer.version for pointer in reversed(pointers)))[: self._keep]
        held_back = [version for pointer in reversed(pointers) for version in (pointer.held_back or {}).values()]
        # Those of the newest pointer stay, however many corpora it has.
        n_held_back = max(self._keep, len({*(pointers[-1].held_back or {}).values()}))
        needed = {*kept, *list(dict.fromkeys(held_back))[:n_held_back]}
        names = {name.partition("/")[0] for name in self._storage.listing(f"{self._root}/{_VERSIONS}")}
        for version in sorted(names - needed):
            is_past = version.partition("-")[0] <= f"{pointers[-1].number:06d}"
            if is_past and self._unused_s(version, pointers) >= self._grace_s:
                self._storage.delete(f"{self._root}/{_VERSIONS}/{version}")
                logger.info("Removed %s/%s/%s", self._root, _VERSIONS, version)
        self._pointers.prune(sum(pointer.version in kept for pointer in pointers))

    def _unused_s(self, version: str, pointers: Sequence[Pointer]) -> float:
        """Return how long ago a version was written or replaced, by the filesystem's clock."""
        times = list(map(self.written_at, pointers))
        replaced = [at for pointer, at in zip(pointers, times[1:], strict=False) if pointer.version == version]
        return times[-1] - max([self._storage.changed_at(f"{self._root}/{_VERSIONS}/{version}"), *replaced])


def _content(pointer: Pointer) -> dict[str, Any]:
    return {name: value for name, value in asdict(pointer).items() if name != "number"}


def _is_pointer(content: Mapping[str, Any]) -> bool:
    """Say whether a file's keys and their types are those of a pointer; one that was damaged may still be JSON."""
    texts = [content.get(name) for name in ("version", "digest")]
    files = content.get("files")
    mappings = [content.get(name) for name in ("made_of", "by", "kept", "held_back", "rankers")]
    return (
        all(isinstance(text, str) for text in texts)
        and isinstance(files, list)
        and all(isinstance(name, str) for name in files)
        and all(value is None or isinstance(value, dict) for value in mappings)
        and isinstance(content.get("moves"), list | None)
        and isinstance(content.get("run"), str | None)
    )
