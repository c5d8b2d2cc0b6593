"""Analyzers: how a text becomes terms, for documents and queries alike, a batch of texts at a time.

`standard` splits at Unicode word boundaries and lower-cases. `english` also drops a possessive `'s`, the 33 English
stop words of Lucene's EnglishAnalyzer, and suffixes (Porter). A dropped word leaves a gap in the positions, as there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rankhammer.feature_sets.porter import porter_stem
from rankhammer.feature_sets.word_breaks import find_words

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

AnalyzerName = Literal["standard", "english"]
ENGLISH_STOP_WORDS = frozenset(
    {
        *("a", "an", "and", "are", "as", "at", "be", "but", "by", "for", "if", "in", "into", "is", "it", "no", "not"),
        *("of", "on", "or", "such", "that", "the", "their", "then", "there", "these", "they", "this", "to", "was"),
        *("will", "with"),
    }
)
_POSSESSIVES = ("'s", "\u2019s", "\uff07s")
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
    """

    words: pa.Array
    word: NDArray[np.int32]
    text: NDArray[np.int32]
    position: NDArray[np.int32]


def split_words(texts: Sequence[str | None]) -> Words:
    """Split texts at word boundaries: the slow half of every analyzer, done once per field.

    Args:
        texts: Any texts; None is an empty one.
    """
    runs = list(_split(texts))
    words = pa.chunked_array([run[0] for run in runs]).dictionary_encode().unify_dictionaries().combine_chunks()
    text = np.concatenate([run[1] for run in runs])
    number = words.indices.to_numpy(zero_copy_only=False).astype(np.int32)
    return Words(words.dictionary, number, text, _places_in_runs(text))


def analyze_words(words: Words, analyzer: AnalyzerName) -> Tokens:
    """Turn split words into terms.

    Args:
        words: What `split_words` returned.
        analyzer: `standard` or `english`.
    """
    terms, mapped = _distinct_terms(words.words, analyzer)
    term = mapped[words.word]
    kept = term >= 0
    return Tokens(terms, term[kept], words.text[kept], words.position[kept])


def analyze(texts: Sequence[str | None], analyzer: AnalyzerName) -> Tokens:
    """Split texts into terms.

    Args:
        texts: Any texts; None is an empty one.
        analyzer: `standard` or `english`.

    Returns:
        All tokens of all texts; a text without any has none.
    """
    return analyze_words(split_words(texts), analyzer)


def _split(texts: Sequence[str | None]) -> Iterator[tuple[pa.Array, NDArray[np.int32]]]:
    """Yield runs of lower-case words and the text that each stands in."""
    run: list[str] = []
    first, n_chars = 0, 0
    for number, text in enumerate(texts):
        run.append((text or "").lower())
        n_chars += len(run[-1])
        if n_chars >= _CHARS_AT_ONCE:
            yield _split_run(run, first)
            run, first, n_chars = [], number + 1, 0
    yield _split_run(run, first)


def _split_run(texts: list[str], first: int) -> tuple[pa.Array, NDArray[np.int32]]:
    codes = np.frombuffer("\n".join(texts).encode("utf-32-le", "replace"), dtype="<u4")
    ends = np.cumsum(np.fromiter(map(len, texts), dtype=np.int64, count=len(texts)) + 1)
    inside, starts = find_words(codes)
    text = (np.searchsorted(ends, starts, side="right") + first).astype(np.int32)
    return _cut(codes[inside], np.cumsum(inside)[starts] - 1 if len(starts) else starts), text


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


def _distinct_terms(words: pa.Array, analyzer: AnalyzerName) -> tuple[pa.Array, NDArray[np.int32]]:
    """Turn distinct words into ascending terms, and map each word's index to its term's; -1 for a dropped word."""
    terms = words
    if analyzer == "english":
        terms = pa.array([_english(word) for word in words.to_pylist()], pa.large_string())
    distinct = pc.unique(terms.drop_null())
    distinct = distinct.take(pc.sort_indices(distinct))
    mapped = pc.fill_null(pc.index_in(terms, value_set=distinct, skip_nulls=True), -1)
    return distinct, mapped.to_numpy(zero_copy_only=False).astype(np.int32)


def _english(word: str) -> str | None:
    if word.endswith(_POSSESSIVES):
        word = word[:-2]
    return None if word in ENGLISH_STOP_WORDS else porter_stem(word)
