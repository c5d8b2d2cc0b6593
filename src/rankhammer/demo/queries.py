"""What people search for in a corpus of documentation: intents of several kinds, each typed in several spellings."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from rankhammer.analyzers.stop_words import STOP_WORDS
from rankhammer.queries import normalize_query

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pyarrow as pa
    from numpy.random import Generator
    from numpy.typing import NDArray

KIND_SHARES = {"title": 0.28, "summary": 0.27, "task": 0.27, "module_verb": 0.18}
"""Share of each kind among the intents that are not one-word head queries."""

LANGUAGE = "english"
"""Of the documents and so of the queries."""

_FORM: Final = "words"
"""Tells intents apart by more than analyzers do, and has made this log from the beginning."""

_HEAD_SHARE = 0.08
_CANONICAL_WEIGHT = 3.0
_WORD = re.compile(r"[a-z]{3,}")
_RARELY_TYPED = "can could from has have its may must should what when which would"
_STOP_WORDS = STOP_WORDS[LANGUAGE] | set(_RARELY_TYPED.split())


@dataclass(frozen=True)
class Intent:
    """One thing that people look for.

    Args:
        key: Its normalised text; two intents never share one.
        kind: "head" or one of KIND_SHARES.
        spellings: Typed forms that all normalise to `key`, the usual one first.
    """

    key: str
    kind: str
    spellings: tuple[str, ...]


def make_intents(documents: pa.Table, *, n_intents: int, rng: Generator) -> list[Intent]:
    """Draw intents from the words of the documents.

    Args:
        documents: Has title, summary, module and popularity, one row per document.
        n_intents: How many to draw at most; a small corpus gives fewer.
        rng: Source of every random choice.

    Returns:
        Distinct intents, head queries first, as `popularity` expects them.
    """
    found: dict[str, Intent] = {}
    for kind, text in _texts(documents, n_intents, rng):
        key = normalize_query(text, LANGUAGE, _FORM)
        if key and key not in found:
            found[key] = Intent(key, kind, _spellings(text, key, rng))
        if len(found) == n_intents:
            break
    return list(found.values())


def popularity(n_intents: int, *, offset: float = 5.0, exponent: float = 0.8) -> NDArray[np.float64]:
    """Give each intent its share of the traffic by Zipf's law: 1 / (rank + offset)^exponent, normalised.

    Returns:
        Shares that sum to 1, shape (n_intents,), falling.
    """
    weight = 1.0 / (np.arange(n_intents) + offset) ** exponent
    return np.asarray(weight / weight.sum())


def pick_spellings(intents: list[Intent], which: NDArray[np.int64], rng: Generator) -> list[str]:
    """Type each searched intent in one of its spellings; the usual one is three times as likely as another.

    Args:
        intents: All intents.
        which: Index of the intent of each search, shape (n_serps,).
        rng: Source of every random choice.

    Returns:
        One query a search.
    """
    n_spellings = np.array([len(intent.spellings) for intent in intents])[which]
    place = np.floor(rng.random(len(which)) * (n_spellings - 1 + _CANONICAL_WEIGHT) - _CANONICAL_WEIGHT + 1)
    chosen = np.maximum(place, 0).astype(int)
    return [intents[intent].spellings[spelling] for intent, spelling in zip(which, chosen, strict=True)]


def _texts(documents: pa.Table, n_intents: int, rng: Generator) -> Iterator[tuple[str, str]]:
    """Head words first, then texts about documents drawn by popularity, up to ten tries an intent."""
    titles, summaries, modules = (documents[name].to_pylist() for name in ("title", "summary", "module"))
    for word in _head_words(titles, round(n_intents * _HEAD_SHARE)):
        yield "head", word
    weight = 1.0 + np.log1p(documents["popularity"].to_numpy())
    chosen = rng.choice(len(titles), size=10 * n_intents, p=weight / weight.sum())
    kinds = rng.choice(list(KIND_SHARES), size=len(chosen), p=list(KIND_SHARES.values()))
    for document, kind in zip(chosen, kinds, strict=True):
        text = _MAKERS[kind](titles[document], summaries[document], modules[document], rng)
        if len(text.split()) > 1:
            yield str(kind), text


def _head_words(titles: list[str], n_words: int) -> list[str]:
    """The words that most titles have, without those that more than one title in ten has."""
    counts = Counter(word for title in titles for word in sorted(set(title.split())) if _is_content(word))
    common = sorted((-count, word) for word, count in counts.items() if count <= max(len(titles) / 10, 1))
    return [word for _, word in common[:n_words]]


def _from_title(title: str, _summary: str, _module: str, rng: Generator) -> str:
    """The last two or three different words of the name."""
    words = list(dict.fromkeys(title.split()))
    return " ".join(words[-int(rng.integers(2, 4)) :])


def _from_summary(_title: str, summary: str, _module: str, rng: Generator) -> str:
    """Two to four neighbouring content words of the summary."""
    words = _content(summary)
    length = int(rng.integers(2, 5))
    start = int(rng.integers(0, max(len(words) - length, 0) + 1))
    return " ".join(words[start : start + length])


def _from_task(title: str, summary: str, _module: str, rng: Generator) -> str:
    """The verb that opens the summary and one to three words of summary and title, in any order."""
    words = _content(summary)
    others = sorted({*words[1:], *_content(title)})
    if not others:
        return ""
    picked = rng.choice(len(others), size=min(int(rng.integers(1, 4)), len(others)), replace=False)
    return " ".join(dict.fromkeys([*words[:1], *(others[place] for place in picked)]))


def _from_module(title: str, summary: str, module: str, rng: Generator) -> str:
    """The module and one word of what the document does."""
    words = [word for word in [*_content(summary)[:2], *title.split()[-1:]] if word != module]
    return f"{module} {words[int(rng.integers(len(words)))]}" if words else ""


_MAKERS: dict[str, Callable[[str, str, str, Generator], str]] = {
    "title": _from_title,
    "summary": _from_summary,
    "task": _from_task,
    "module_verb": _from_module,
}


def _spellings(text: str, key: str, rng: Generator) -> tuple[str, ...]:
    """The text and up to two variants; a variant that would be another intent is left out."""
    variants = (text.upper(), text.title(), f" {'  '.join(text.split())} ", f"{text}s", text.replace(" ", "\u00a0"))
    picked = rng.choice(len(variants), size=int(rng.integers(0, 3)), replace=False)
    same = [variants[place] for place in picked if normalize_query(variants[place], LANGUAGE, _FORM) == key]
    return tuple(dict.fromkeys([text, *same]))


def _content(text: str) -> list[str]:
    return [word for word in _WORD.findall(text.lower()) if _is_content(word)]


def _is_content(word: str) -> bool:
    return len(word) > 2 and word.isalpha() and word not in _STOP_WORDS
