"""What a registry of rankers says: entries, which rankers became current, and how rankers compared."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

EXPORT, PROMOTION, ROLLBACK = "export", "promotion", "rollback"
"""How a ranker became current."""
RANKERS, MOVES, COMPARISONS = "rankers", "moves", "comparisons"
"""Keys of what is added to the registry."""


@dataclass(frozen=True)
class RankerEntry:
    """A registered ranker.

    Args:
        corpus: Whose it is.
        ranker: Its id: the first digits of `trained`.
        trained: SHA-256 over its own files.
        exported: SHA-256 over the files that engines load.
        at: When it was registered first, by that host's clock.
        run: Id of the run that exported it, where runs have ids.
        rankhammer: Version of the package.
        code: Digest of the code behind it.
        inputs: Each raw input to its digest.
        evidence: What training said of it; `test_queries` is the digest of the queries that it was measured on.
    """

    corpus: str
    ranker: str
    trained: str
    exported: str
    at: str = ""
    run: str | None = None
    rankhammer: str = ""
    code: str = ""
    inputs: Mapping[str, str] = field(default_factory=dict)
    evidence: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def parse(cls, content: object) -> RankerEntry | None:
        """Read what `asdict` made of one; None where it is none."""
        if not isinstance(content, dict):
            return None
        known = {one.name: content[one.name] for one in fields(cls) if one.name in content}
        texts = (
            known.get(name, "") for name in ("corpus", "ranker", "trained", "exported", "at", "rankhammer", "code")
        )
        mappings = (known.get(name, {}) for name in ("inputs", "evidence"))
        is_whole = known.keys() >= {"corpus", "ranker", "trained", "exported"}
        is_whole = is_whole and all(isinstance(text, str) for text in texts)
        return cls(**known) if is_whole and all(isinstance(one, dict) for one in mappings) else None


@dataclass(frozen=True)
class RankerHistory:
    """All that was ever added to a registry, the oldest first.

    Args:
        contents: What was added each time: RANKERS, MOVES and COMPARISONS to lists.
        pointed: Moves that stand in pointers; some of them may be among the contents, too.
    """

    contents: Sequence[Mapping[str, Any]]
    pointed: Sequence[Mapping[str, Any]] = ()

    def entries(self, corpus: str | None = None) -> list[RankerEntry]:
        """Return every ranker, each once, in the order of its last registration.

        Args:
            corpus: Whose; None: all.
        """
        found: dict[tuple[str, str], RankerEntry] = {}
        for entry in filter(None, map(RankerEntry.parse, self._rows(RANKERS))):
            found.pop((entry.corpus, entry.ranker), None)
            found[entry.corpus, entry.ranker] = entry
        return [entry for entry in found.values() if corpus in (None, entry.corpus)]

    def moves(self, corpus: str | None = None) -> list[dict[str, Any]]:
        """Return each ranker that became current, the oldest first.

        Args:
            corpus: Whose; None: all.

        Returns:
            pointer (its number), at, by, corpus, ranker, before (id of the one before it, or None), how, and what else
            was said of it.
        """
        every = [move for move in (*self._rows(MOVES), *self.pointed) if is_move(move)]
        found = {(move["pointer"], move["corpus"]): dict(move) for move in every}
        return [found[key] for key in sorted(found) if corpus in (None, key[1])]

    def missing_moves(self) -> list[dict[str, Any]]:
        """Return the moves that stand in pointers alone, which are deleted in time."""
        kept = {(move["pointer"], move["corpus"]) for move in self._rows(MOVES) if is_move(move)}
        return [dict(move) for move in self.pointed if (move["pointer"], move["corpus"]) not in kept]

    def comparisons(self, corpus: str) -> list[dict[str, Any]]:
        """Return what was found when rankers of a corpus were to be promoted."""
        return [dict(one) for one in self._rows(COMPARISONS) if isinstance(one, dict) and one.get("corpus") == corpus]

    def champions(self, corpus: str) -> list[str]:
        """Return the ids of the rankers that were current, up to that of now, without those that were rolled back."""
        found: list[str] = []
        for move in self.moves(corpus):
            ranker = move["ranker"]
            if move["how"] == ROLLBACK and ranker in found:
                del found[len(found) - found[::-1].index(ranker) :]
            elif not found or found[-1] != ranker:
                found.append(ranker)
        return found

    def needed(self, current: Mapping[str, str], *, keep: int) -> set[tuple[str, str]]:
        """Return which rankers' files stay: the newest of each corpus, the current one, and the one before it.

        Args:
            current: Corpus to the id of its current ranker.
            keep: How many of the newest.

        Returns:
            Pairs of a corpus and an id.
        """
        found = set(current.items())
        of_corpora: dict[str, list[str]] = {}
        for entry in self.entries():
            of_corpora.setdefault(entry.corpus, []).append(entry.ranker)
        for corpus, rankers in of_corpora.items():
            found |= {(corpus, ranker) for ranker in (*rankers[-keep:], *self.champions(corpus)[-2:])}
        return found

    def _rows(self, kind: str) -> Iterator[Any]:
        for content in self.contents:
            rows = content.get(kind)
            yield from rows if isinstance(rows, list) else ()


def moves_between(
    before: Mapping[str, str], after: Mapping[str, str], *, how: str, about: Mapping[str, Any] | None = None
) -> list[dict[str, Any]]:
    """List the corpora whose current ranker changes.

    Args:
        before: Corpus to the id of its current ranker.
        after: The same, later.
        how: EXPORT, PROMOTION or ROLLBACK.
        about: What else there is to say of each, JSON-able.

    Returns:
        corpus, ranker, before and how of each, in the order of the names.
    """
    return [
        {**(about or {}), "corpus": corpus, "ranker": after[corpus], "before": before.get(corpus), "how": how}
        for corpus in sorted(after)
        if after[corpus] != before.get(corpus)
    ]


def is_move(content: object) -> bool:
    """Say whether something has all that makes it a move."""
    if not isinstance(content, dict) or not isinstance(content.get("pointer"), int):
        return False
    texts = all(isinstance(content.get(name), str) for name in ("corpus", "ranker", "how"))
    return texts and isinstance(content.get("before"), str | None)
