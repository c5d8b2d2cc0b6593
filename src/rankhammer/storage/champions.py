"""Which registered ranker is current, and how one becomes so: the version with its files, and the pointer to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rankhammer.corpora import corpus_in, folder_of
from rankhammer.errors import DataError
from rankhammer.storage.publication import Champions, VersionStore
from rankhammer.storage.ranker_history import moves_between
from rankhammer.storage.ranker_registry import RankerRegistry

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rankhammer.storage.publication import Pointer
    from rankhammer.storage.ranker_history import RankerEntry, RankerHistory


class CurrentRankers:
    """The rankers that were current when this was made.

    Args:
        root: Folder of the published versions: a local path or URI.
    """

    def __init__(self, root: str) -> None:
        versions = VersionStore(root)
        self._pointer, self._registry = versions.newest(), RankerRegistry(root, versions)
        self._history: RankerHistory | None = None

    @property
    def corpora(self) -> frozenset[str]:
        """All that have something current."""
        return frozenset(map(published_corpus, self._pointer.files))

    def entry(self, corpus: str) -> RankerEntry | None:
        """Return the entry of a corpus's current ranker; None where nothing is current.

        Raises:
            DataError: What is current is of before there was a registry.
        """
        if corpus not in self.corpora:
            return None
        self._history = self._history or self._registry.history()
        return champion_of(corpus, self._pointer.rankers or {}, self._history)

    def read(self, entry: RankerEntry) -> dict[str, bytes]:
        """Return a ranker's own files; see `RankerRegistry.read_trained`."""
        return self._registry.read_trained(entry)


def champion_of(corpus: str, current: Mapping[str, str], history: RankerHistory) -> RankerEntry:
    """Return the entry of the ranker that is current of a corpus which has something current.

    Args:
        corpus: Which one.
        current: Corpus to the id of its current ranker, as far as that is registered.
        history: The registry's.

    Raises:
        DataError: What is current is of before there was a registry.
    """
    entries = {entry.ranker: entry for entry in history.entries(corpus)}
    found = entries.get(current.get(corpus, ""))
    if found is None:
        raise DataError(
            f"What is current of corpus {corpus!r} is not in the registry: it was exported by an earlier version.",
            hint=f"`rankhammer promote {corpus} --accept-without-gain REASON` goes without a comparison.",
            corpus=corpus,
        )
    return found


def make_current(
    entry: RankerEntry,
    versions: VersionStore,
    registry: RankerRegistry,
    *,
    before: Pointer,
    how: str,
    about: Mapping[str, Any],
) -> Pointer:
    """Let a registered ranker's files count, in one step; those of other corpora stay as they are.

    A process that is killed on the way has changed nothing, and the next one begins again.

    Args:
        entry: The ranker.
        versions: The published versions.
        registry: Has its files.
        before: The pointer that the caller has seen, and that this replaces.
        how: PROMOTION or ROLLBACK.
        about: What else there is to say of it, JSON-able: reason and evidence.

    Returns:
        The pointer that counts now.

    Raises:
        DataError: Its files are not kept or were changed, or another user has published since.
    """
    corpus, rankers = entry.corpus, before.rankers or {}
    trained, exported = registry.read_trained(entry), registry.read_exported(entry)
    published = versions.read(before) if before.number else {}
    others = {name: content for name, content in published.items() if published_corpus(name) != corpus}
    current = {**rankers, corpus: entry.ranker}
    newest = registry.history().entries(corpus)[-1]
    registry.archive()
    held_back = dict(before.held_back or {})
    kept = dict(before.kept or {})
    is_newest = newest.ranker == entry.ranker
    kept[corpus] = ""
    if is_newest and _was_made(before, corpus):
        kept.pop(corpus)
    if is_newest:
        held_back.pop(corpus, None)
    elif corpus not in held_back:
        last = _named(corpus, registry.read_exported(newest))
        held_back[corpus] = versions.hold_back(last, replaces=before.number)
    try:
        pointer = versions.publish(
            {**others, **_named(corpus, exported)},
            replaces=before.number,
            made_of=before.made_of or {},
            run=before.run,
            kept=kept,
            held_back=held_back,
            champions=Champions(current, moves_between(rankers, current, how=how, about=about)),
        )
    except DataError as exc:
        if versions.newest().number == before.number:
            raise
        raise DataError(exc.message, hint="`rankhammer rankers` shows what is current now; then do it again.") from exc
    # Another user may have deleted them, as long as they were not current.
    registry.keep_files(entry, trained, exported)
    return pointer


def published_corpus(name: str) -> str:
    """Return the corpus of "<folder>/<target>/<file>"; before folders were encoded, one with a slash had several."""
    folder = name.rsplit("/", 2)[0]
    return folder if "/" in folder else corpus_in(name)


def _was_made(pointer: Pointer, corpus: str) -> bool:
    """Say whether the run that published a pointer worked on a corpus."""
    choices = (pointer.made_of or {}).get("choices") or {}
    return all(names is None or corpus in names for names in choices.values())


def _named(corpus: str, files: Mapping[str, bytes]) -> dict[str, bytes]:
    return {f"{folder_of(corpus)}/{name}": content for name, content in files.items()}
