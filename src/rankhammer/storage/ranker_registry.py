"""Which rankers there were: an entry for each that an export has written, and its files while they are kept.

    <root>/registry/000012.json                                           what one export or comparison has added
    <root>/rankers/<folder of the corpus>/<id>/trained/<file>             a ranker as training left it
    <root>/rankers/<folder of the corpus>/<id>/exported-<digest>/<file>   the same as engines load it

The root is that of the published versions. Files come first and the entry last, so an entry vouches for its files.
Which ranker is current stands in the newest pointer alone (`publication`); pointers are deleted in time, so what they
say of rankers that became current is copied here before.
"""

from __future__ import annotations

import logging
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from rankhammer import processes
from rankhammer.corpora import folder_of
from rankhammer.errors import DataError
from rankhammer.storage import state_files
from rankhammer.storage.append_log import AppendOnlyLog
from rankhammer.storage.base import remove_unfinished, storage_for
from rankhammer.storage.publication import content_digest
from rankhammer.storage.ranker_history import COMPARISONS, MOVES, RANKERS, RankerEntry, RankerHistory, is_move

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from rankhammer.storage.publication import NewRanker, VersionStore

_LOG, _FILES = "registry", "rankers"
_ATTEMPTS = 50
_DIGEST_SIGNS = 12
_OLD = 5
"""Pointers behind one that is copied at the latest: ten stay at least, so that several publishers may fail."""
logger = logging.getLogger(__name__)


class RankerRegistry:
    """The registry beside published versions.

    Args:
        root: Folder of the published versions: a local path or URI.
        versions: These versions; their pointers say what is current.
        keep: Rankers of a corpus whose files stay, the newest; beside them the current one and the one before it.
        grace_s: Seconds for which files stay in any case.
    """

    def __init__(self, root: str, versions: VersionStore, *, keep: int = 10, grace_s: float = 0) -> None:
        self._storage, self._root, self._versions = storage_for(root), root, versions
        self._keep, self._grace_s = keep, grace_s
        self._log = AppendOnlyLog(self._storage, f"{root}/{_LOG}")
        self._read_before: dict[int, Mapping[str, Any]] = {}

    def history(self) -> RankerHistory:
        """Read all that was ever added, and the moves that still stand in pointers.

        Raises:
            DataError: A newer version of this program wrote some of it.
        """
        pointed = [
            {**move, "pointer": pointer.number, "at": (pointer.by or {}).get("since", ""), "by": pointer.by}
            for pointer in self._versions.pointers()
            for move in pointer.moves or ()
            if isinstance(move, dict)
        ]
        contents = [self._content(number) for number in self._log.numbers()]
        return RankerHistory(contents, list(filter(is_move, pointed)))

    def register(
        self, new: Mapping[str, NewRanker], exported: Mapping[str, Mapping[str, bytes]], *, run: str | None
    ) -> dict[str, str]:
        """Keep rankers, and add an entry for each that has none yet or that was made of something else.

        What pointers say of rankers that became current is copied with them, and alone before such a pointer is old.

        Args:
            new: Corpus to its ranker.
            exported: Corpus to the files that engines load: "<target>/<file>" to content.
            run: Id of the run, where runs have ids.

        Returns:
            Corpus to the ranker's id.
        """
        known = {(entry.corpus, entry.ranker): entry for entry in self.history().entries()}
        added = []
        for corpus, ranker in new.items():
            entry = _entry(corpus, ranker, exported[corpus], run)
            before = known.get((corpus, entry.ranker))
            entry = replace(entry, at=before.at) if before else entry
            self.keep_files(entry, ranker.trained, exported[corpus])
            if entry != before:
                added.append(asdict(entry))
        self._append(lambda: {RANKERS: added, MOVES: self._missing_moves(0 if added else _OLD)}, run)
        return {corpus: ranker.id for corpus, ranker in new.items()}

    def archive(self) -> None:
        """Copy what pointers say of rankers that became current, before these pointers are deleted."""
        self._append(lambda: {MOVES: self._missing_moves(0)}, None)

    def add_comparison(self, found: Mapping[str, Any]) -> None:
        """Add what was found when a ranker was to be promoted, also where it was refused.

        Args:
            found: corpus, ranker and what else there is to say, JSON-able.
        """
        self._append(lambda: {COMPARISONS: [dict(found)]}, None)

    def keep_files(self, entry: RankerEntry, trained: Mapping[str, bytes], exported: Mapping[str, bytes]) -> None:
        """Write a ranker's files, as far as they are not there as they should be.

        Args:
            entry: Of the ranker.
            trained: Its own files.
            exported: The files that engines load.
        """
        self._write(self._trained(entry), trained, entry.trained)
        self._write(self._exported(entry), exported, entry.exported)

    def kept(self) -> set[tuple[str, str]]:
        """Return the rankers whose files are still there, as folders of corpora and ids, from one listing."""
        place = f"{self._root}/{_FILES}"
        names = list(self._storage.files(place)) if self._storage.exists(place) else []
        return {(parts[0], parts[1]) for parts in (name.split("/") for name in names) if len(parts) > 2}

    def is_kept(self, entry: RankerEntry) -> bool:
        """Say whether a ranker's files are still there."""
        return (folder_of(entry.corpus), entry.ranker) in self.kept()

    def read_trained(self, entry: RankerEntry) -> dict[str, bytes]:
        """Return a ranker's own files, name to content.

        Raises:
            DataError: They were deleted, or changed since.
        """
        return self._read(self._trained(entry), entry.trained, entry)

    def read_exported(self, entry: RankerEntry) -> dict[str, bytes]:
        """Return the files that engines load, "<target>/<file>" to content.

        Raises:
            DataError: As `read_trained`.
        """
        return self._read(self._exported(entry), entry.exported, entry)

    def tidy(self) -> None:
        """Delete files of rankers that are over the number to keep, and are neither current nor were so before."""
        newest = self._versions.newest()
        if not newest.number:
            return
        needed, now = self.history().needed(newest.rankers or {}, keep=self._keep), self._versions.written_at(newest)
        for name, ranker in sorted(self.kept() - {(folder_of(corpus), ranker) for corpus, ranker in needed}):
            folder = f"{self._root}/{_FILES}/{name}/{ranker}"
            if now - self._storage.changed_at(folder) >= self._grace_s:
                self._storage.delete(folder)
                logger.info("Removed %s", folder)

    def _missing_moves(self, older_than: int) -> list[dict[str, Any]]:
        """Return the moves of pointers that so many others came after, as far as they stand in these alone."""
        last = self._versions.newest().number - older_than
        return [move for move in self.history().missing_moves() if move["pointer"] <= last]

    def _folder(self, entry: RankerEntry, part: str) -> str:
        return f"{self._root}/{_FILES}/{folder_of(entry.corpus)}/{entry.ranker}/{part}"

    def _trained(self, entry: RankerEntry) -> str:
        return self._folder(entry, "trained")

    def _exported(self, entry: RankerEntry) -> str:
        return self._folder(entry, f"exported-{entry.exported[:_DIGEST_SIGNS]}")

    def _files(self, folder: str) -> dict[str, bytes]:
        names: Sequence[str] = sorted(self._storage.listing(folder)) if self._storage.exists(folder) else ()
        shown = [name for name in names if not name.rpartition("/")[2].startswith(".")]
        return {name: self._storage.read(f"{folder}/{name}") for name in shown}

    def _write(self, folder: str, files: Mapping[str, bytes], digest: str) -> None:
        """Write a folder unless it is there as it should be; one that a killed run has left is written again."""
        if content_digest(self._files(folder)) == digest:
            return
        self._storage.delete(folder)
        try:
            for name in sorted(files):
                self._storage.write(f"{folder}/{name}", files[name])
        except Exception:
            remove_unfinished(self._storage, [folder])
            raise

    def _read(self, folder: str, digest: str, entry: RankerEntry) -> dict[str, bytes]:
        files = self._files(folder)
        if content_digest(files) != digest:
            why = "were changed since it was registered" if files else "are not kept any more"
            raise DataError(
                f"The files of ranker {entry.ranker} of corpus {entry.corpus!r} {why} ({folder}).",
                hint="`rankhammer rankers` lists the others; keep_rankers of the catalog entry exported_model is their "
                "number.",
                ranker=entry.ranker,
            )
        return files

    def _content(self, number: int) -> Mapping[str, Any]:
        """Read one file of the log; none is ever changed, so each is read once."""
        if number not in self._read_before:
            self._read_before[number] = self._read_content(number)
        return self._read_before[number]

    def _read_content(self, number: int) -> Mapping[str, Any]:
        entry, path = self._log.read(number), self._log.path(number)
        if entry.fault.startswith(state_files.NEWER):
            raise DataError(f"{path} {entry.fault}.", hint="Update this installation of Rankhammer.", path=path)
        if entry.fault:
            state_files.warn_once(path, entry.fault, "the rankers in it are not listed")
        return entry.content

    def _append(self, content: Callable[[], Mapping[str, Sequence[Any]]], run: str | None) -> None:
        """Add something behind what others add, who may do so at the same time: each addition stands for itself.

        Args:
            content: Returns what to add; it is asked again where another user was first.
            run: Id of the run.

        Raises:
            DataError: Others were first again and again.
        """
        for _ in range(_ATTEMPTS):
            last = max(self._log.numbers(), default=0)
            added = {name: list(rows) for name, rows in content().items() if rows}
            if not added:
                return
            if self._log.append(state_files.sealed({**added, "by": processes.this_process(run)}), after=last):
                return
        raise DataError(
            f"Others have added to {self._root}/{_LOG} {_ATTEMPTS} times in a row.", hint="Try again in a moment."
        )


def _entry(corpus: str, ranker: NewRanker, exported: Mapping[str, bytes], run: str | None) -> RankerEntry:
    lineage = ranker.lineage
    return RankerEntry(
        corpus,
        ranker.id,
        content_digest(ranker.trained),
        content_digest(exported),
        processes.this_process()["since"],
        run,
        str(lineage.get("rankhammer", "")),
        str(lineage.get("code", "")),
        dict(lineage.get("inputs", {})),
        dict(ranker.evidence),
    )
