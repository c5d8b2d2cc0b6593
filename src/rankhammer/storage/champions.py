"""Makes a registered ranker current: the version with its files, and the pointer that leads there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rankhammer.corpora import corpus_in, folder_of
from rankhammer.errors import DataError
from rankhammer.storage.publication import Champions
from rankhammer.storage.ranker_history import moves_between

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rankhammer.storage.publication import Pointer, VersionStore
    from rankhammer.storage.ranker_history import RankerEntry
    from rankhammer.storage.ranker_registry import RankerRegistry


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
