"""What is published and registered of rankers: lists them, and changes which one is current."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from rankhammer import processes
from rankhammer.corpora import folder_of
from rankhammer.errors import ConfigError, DataError, did_you_mean
from rankhammer.runs import run_ids, run_selection
from rankhammer.runs.execute import open_to_print
from rankhammer.storage.champions import champion_of, make_current, published_corpus
from rankhammer.storage.ranker_history import ROLLBACK

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rankhammer.datasets import PublishedDataset
    from rankhammer.storage.ranker_history import RankerEntry, RankerHistory

CURRENT = "current"
"""Stands for the id of the current ranker."""
HELD_BACK, BEFORE, KEPT, DELETED = "held back", "before the current one", "kept", "files deleted"


@dataclass(frozen=True)
class Published:
    """What is published and registered, as it was when a command began.

    Args:
        dataset: The published folder.
        number: Number of its newest pointer.
        current: Corpus to the id of its current ranker, as far as that is registered.
        corpora: All that have something current.
        history: The registry's.
    """

    dataset: PublishedDataset
    number: int
    current: Mapping[str, str]
    corpora: frozenset[str]
    history: RankerHistory

    @classmethod
    def read(cls, dataset: PublishedDataset) -> Published:
        """Read a folder's newest pointer and its registry."""
        newest = dataset.versions.newest()
        corpora = frozenset(map(published_corpus, newest.files))
        return cls(dataset, newest.number, newest.rankers or {}, corpora, dataset.registry.history())

    def find(self, name: str, corpus: str | None) -> RankerEntry:
        """Return a registered ranker.

        Args:
            name: Its id, the beginning of one, or `current`.
            corpus: Whose; None where the id says it.

        Raises:
            ConfigError: There is none, or there are several.
        """
        known = self.history.entries(corpus)
        self.require_corpus(corpus)
        ids = set(self.current.items())
        found = [entry for entry in known if entry.ranker.startswith(name)]
        if name == CURRENT:
            found = [entry for entry in known if (entry.corpus, entry.ranker) in ids]
        if len(found) != 1:
            several = ", ".join(f"{entry.ranker} ({entry.corpus})" for entry in found[:10])
            raise ConfigError(
                f"{name!r} is {'the id of no registered ranker' if not found else f'several rankers: {several}'}.",
                hint="`rankhammer rankers` lists them; --corpus names whose is meant." if found else listing(corpus),
                name=name,
            )
        return found[0]

    def require_corpus(self, corpus: str | None) -> None:
        """Refuse a corpus that has no registered ranker.

        Raises:
            ConfigError: Names the closest one that has.
        """
        known = sorted({entry.corpus for entry in self.history.entries()})
        if corpus is not None and corpus not in known:
            hint = did_you_mean(corpus, known) if known else "`kedro run` trains and exports rankers."
            raise ConfigError(f"Corpus {corpus!r} has no registered ranker.", hint=hint, name=corpus)

    def champion(self, corpus: str) -> RankerEntry | None:
        """Return the current ranker; None where nothing is current.

        Raises:
            DataError: What is current is of before there was a registry.
        """
        if corpus not in self.corpora:
            return None
        return champion_of(corpus, self.current, self.history)

    def states(self, entries: Sequence[RankerEntry]) -> list[str]:
        """Return one word on each ranker: current, held back, before the current one, kept or files deleted.

        Args:
            entries: All of some corpora, in the order of registration.
        """
        newest = {entry.corpus: entry.ranker for entry in entries}
        before = {corpus: self.history.champions(corpus)[-2:-1] for corpus in newest}
        held_back, kept = self.dataset.held_back(), self.dataset.registry.kept()

        def state(entry: RankerEntry) -> str:
            if self.current.get(entry.corpus) == entry.ranker:
                return CURRENT
            if (folder_of(entry.corpus), entry.ranker) not in kept:
                return DELETED
            if newest[entry.corpus] == entry.ranker and entry.corpus in held_back:
                return HELD_BACK
            return BEFORE if entry.ranker in before[entry.corpus] else KEPT

        return list(map(state, entries))


@contextmanager
def opened(env: str | None) -> Iterator[Published]:
    """Open what an environment has published.

    Args:
        env: Kedro environment; None for the default one.

    Raises:
        ConfigError: Each run of the environment publishes in a folder of its own.
    """
    session = open_to_print({"env": env, "conf_source": None, "params": {run_selection.RUN: run_ids.ANY}})
    with session:
        dataset: Any = session.load_context().catalog["exported_model"]
        if run_ids.ANY in dataset.current_path:
            raise ConfigError(
                "Each run of this environment publishes in a folder of its own.",
                hint="Name one place in `paths.published` of globals.yml, as conf/prod does.",
            )
        yield Published.read(dataset)


def list_rankers(env: str | None, corpus: str | None = None) -> list[dict[str, Any]]:
    """Return the registered rankers, the newest of each corpus first.

    Args:
        env: Kedro environment; None for the default one.
        corpus: Whose; None: all.

    Returns:
        corpus, ranker (its id), state, at, run, rankhammer, code, inputs, evidence.

    Raises:
        ConfigError: The corpus has none.
    """
    with opened(env) as published:
        published.require_corpus(corpus)
        entries = published.history.entries(corpus)
        names = ("corpus", "ranker", "at", "run", "rankhammer", "code", "inputs", "evidence")
        found = [
            {name: getattr(entry, name) for name in names} | {"state": state}
            for entry, state in zip(entries, published.states(entries), strict=True)
        ]
        found.reverse()
        return sorted(found, key=itemgetter("corpus"))


def list_moves(env: str | None, corpus: str | None = None) -> list[dict[str, Any]]:
    """Return each ranker that became current, the newest first; see `RankerHistory.moves`."""
    with opened(env) as published:
        published.require_corpus(corpus)
        return published.history.moves(corpus)[::-1]


def roll_back(env: str | None, corpus: str, ranker: str | None = None) -> dict[str, Any]:
    """Make the ranker current again that was so before.

    Args:
        env: Kedro environment; None for the default one.
        corpus: Whose.
        ranker: Id, or its beginning; None for the one before the current one.

    Returns:
        corpus, ranker and before (ids).

    Raises:
        ConfigError: There is no such ranker, or it is current.
        DataError: None was current before, its files are not kept, or another user has published meanwhile.
    """
    with opened(env) as published:
        published.require_corpus(corpus)
        before = published.history.champions(corpus)[:-1]
        if not before and ranker is None:
            raise DataError(
                f"No registered ranker of corpus {corpus!r} was current before.",
                hint=f"`rankhammer rankers history --corpus {corpus}` lists what was.",
                corpus=corpus,
            )
        entry = published.find(ranker or before[-1], corpus)
        require_other(published, entry)
        switch(published, entry, how=ROLLBACK, about={"reason": None})
        return {"corpus": corpus, "ranker": entry.ranker, "before": published.current.get(corpus)}


def switch(published: Published, entry: RankerEntry, *, how: str, about: Mapping[str, Any]) -> None:
    """Make a registered ranker current, unless another user has published since the command began.

    Args:
        published: What the command has seen.
        entry: The ranker.
        how: PROMOTION or ROLLBACK.
        about: What else there is to say of it, JSON-able.

    Raises:
        DataError: Another user has published, or the ranker's files are not kept.
    """
    dataset = published.dataset
    before = dataset.versions.newest()
    if before.number != published.number:
        raise DataError(
            f"{processes.describe(before.by or {})} published {before.version} since this command began; it stays as "
            "it is.",
            hint="`rankhammer rankers` shows what is current now; then do it again.",
            version=before.version,
        )
    make_current(entry, dataset.versions, dataset.registry, before=before, how=how, about=about)


def require_other(published: Published, entry: RankerEntry) -> None:
    """Refuse a ranker that is current already.

    Raises:
        ConfigError: It is.
    """
    if published.current.get(entry.corpus) == entry.ranker:
        raise ConfigError(
            f"Ranker {entry.ranker} of corpus {entry.corpus!r} is current already.", hint=listing(entry.corpus)
        )


def listing(corpus: str | None) -> str:
    """Return a hint that names the command which lists rankers."""
    return f"`rankhammer rankers{'' if corpus is None else f' --corpus {corpus}'}` lists them."
