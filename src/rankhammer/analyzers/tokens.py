"""How texts become terms, for documents and queries alike, a batch of texts at a time.

`standard` splits at Unicode word boundaries and lower-cases; a language's analyzer also leaves out stop words and stems
the others. A word that is left out leaves a gap in the positions, as in Lucene.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rankhammer.analyzers.bigrams import bigrams
from rankhammer.analyzers.languages import word_term
from rankhammer.analyzers.stop_words import STOP_WORDS
from rankhammer.analyzers.word_breaks import find_words

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

_CHARS_AT_ONCE = 1_000_000
"""Texts are split in runs of about this many characters: some 30 MB of working memory."""


@dataclass(frozen=True)
class Tokens:
    """The terms of some texts, one entry a token, in text order.

    Args:
        terms: The distinct terms, ascending by their UTF-8 bytes.
        term: Index into `terms`, int32, shape (n_tokens,).
        text: Index of the text, ascending, int32, shape (n_tokens,).
        position: Place of the token in its text, from 0, dropped words counted, int32, shape (n_tokens,).
    """

    terms: pa.Array
    term: NDArray[np.int32]
    text: NDArray[np.int32]
    position: NDArray[np.int32]


@dataclass(frozen=True)
class Words:
    """The words of some texts before an analyzer has its say, one entry a word, in text order.

    Args:
        words: The distinct words, lower case.
        word: Index into `words`, int32, shape (n_words,).
        text: Index of the text, ascending, int32, shape (n_words,).
        position: Place of the word in its text, from 0, int32, shape (n_words,).
        touches: Whether it begins where the word before it ends, bool, shape (n_words,).
    """

    words: pa.Array
    word: NDArray[np.int32]
    text: NDArray[np.int32]
    position: NDArray[np.int32]
    touches: NDArray[np.bool_]


def split_words(texts: Sequence[str | None]) -> Words:
    """Split texts at word boundaries: the slow half of every analyzer, done once per field.

    Args:
        texts: Any texts; None is an empty one.
    """
    runs = list(_split(texts))
    words = pa.chunked_array([run[0] for run in runs]).dictionary_encode().unify_dictionaries().combine_chunks()
    text = np.concatenate([run[1] for run in runs])
    number = words.indices.to_numpy(zero_copy_only=False).astype(np.int32)
    return Words(words.dictionary, number, text, _places_in_runs(text), np.concatenate([run[2] for run in runs]))


def analyze_words(words: Words, analyzer: str) -> Tokens:
    """Turn split words into terms.

    Args:
        words: What `split_words` returned.
        analyzer: One of `ANALYZERS`, or a language of Snowball's: its stems, without stop words.
    """
    if analyzer == "cjk":
        return _bigram_tokens(words)
    terms = words.words
    if analyzer != "standard":
        term_of = word_term(analyzer)
        terms = pa.array([term_of(word) for word in words.words.to_pylist()], pa.large_string())
    return _tokens(terms, words.word, words.text, words.position)


def _bigram_tokens(words: Words) -> Tokens:
    pairs, pair, text = bigrams(words.words.to_pylist(), words.word, words.text, words.touches)
    terms = pa.array([None if pair in STOP_WORDS["cjk"] else pair for pair in pairs], pa.large_string())
    return _tokens(terms, pair, text, _places_in_runs(text))


def _tokens(terms: pa.Array, number: NDArray[np.int32], text: NDArray[np.int32], position: NDArray[np.int32]) -> Tokens:
    distinct, mapped = _distinct_terms(terms)
    term = mapped[number]
    kept = term >= 0
    return Tokens(distinct, term[kept], text[kept], position[kept])


def analyze(texts: Sequence[str | None], analyzer: str) -> Tokens:
    """Split texts into terms.

    Args:
        texts: Any texts; None is an empty one.
        analyzer: See `analyze_words`.

    Returns:
        All tokens of all texts; a text without any has none.
    """
    return analyze_words(split_words(texts), analyzer)


_Run = tuple[pa.Array, "NDArray[np.int32]", "NDArray[np.bool_]"]


def _split(texts: Sequence[str | None]) -> Iterator[_Run]:
    """Yield runs of lower-case words, the text that each stands in, and whether it touches the one before it."""
    run: list[str] = []
    first, n_chars = 0, 0
    for number, text in enumerate(texts):
        run.append(_lower(text or ""))
        n_chars += len(run[-1])
        if n_chars >= _CHARS_AT_ONCE:
            yield _split_run(run, first)
            run, first, n_chars = [], number + 1, 0
    yield _split_run(run, first)


def _lower(text: str) -> str:
    """Lower the case of each character by itself, as Java does."""
    return text.lower() if text.isascii() else text.replace("\u03a3", "\u03c3").replace("\u0130", "i").lower()


def _split_run(texts: list[str], first: int) -> _Run:
    codes = np.frombuffer("\n".join(texts).encode("utf-32-le", "replace"), dtype="<u4")
    ends = np.cumsum(np.fromiter(map(len, texts), dtype=np.int64, count=len(texts)) + 1)
    inside, starts = find_words(codes)
    text = (np.searchsorted(ends, starts, side="right") + first).astype(np.int32)
    touches = inside[starts - 1] & (starts > 0)
    return _cut(codes[inside], np.cumsum(inside)[starts] - 1 if len(starts) else starts), text, touches


def _cut(codes: NDArray[np.uint32], starts: NDArray[np.int64]) -> pa.Array:
    """Make an Arrow string array of words that stand back to back."""
    widths = 1 + (codes >= 0x80).astype(np.int64) + (codes >= 0x800) + (codes >= 0x10000)
    offsets = np.concatenate([[0], np.cumsum(widths)])[np.append(starts, len(codes))]
    content = codes.tobytes().decode("utf-32-le").encode()
    return pa.LargeStringArray.from_buffers(len(starts), pa.py_buffer(offsets), pa.py_buffer(content))


def _places_in_runs(text: NDArray[np.int32]) -> NDArray[np.int32]:
    """Count 0, 1, 2 ... within each run of equal values."""
    place = np.arange(len(text))
    begins = np.flatnonzero(np.diff(text, prepend=-1))
    return (place - np.repeat(begins, np.diff(np.append(begins, len(text))))).astype(np.int32)


def _distinct_terms(terms: pa.Array) -> tuple[pa.Array, NDArray[np.int32]]:
    """Return the distinct terms, ascending, and the place of each among them; -1 for null."""
    distinct = pc.unique(terms.drop_null())
    distinct = distinct.take(pc.sort_indices(distinct))
    mapped = pc.fill_null(pc.index_in(terms, value_set=distinct, skip_nulls=True), -1)
    return distinct, mapped.to_numpy(zero_copy_only=False).astype(np.int32)
