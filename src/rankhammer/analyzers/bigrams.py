"""Bigrams of Chinese, Japanese and Korean: such texts have few blanks, so that pairs of characters are their terms.

References:
    Lucene's CJKAnalyzer: width is folded, then characters that stand side by side are taken in twos, whatever their
    script; one that stands alone is a term itself. Words of other scripts stay whole.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_OTHER_WIDTH = re.compile("[\u30a1-\u30ff]?[\uff01-\uff5e\uff65-\uff9f]+")
_IDEOGRAPHS = "\u3007\u3021-\u3029\u3038-\u303a\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_KANA = "\u3041-\u3096\u309d-\u309f\u30a1-\u30ff\u31f0-\u31ff\uff66-\uff9f"
_HANGUL = "\u1100-\u11ff\u3131-\u318e\ua960-\ua97c\uac00-\ud7a3\ud7b0-\ud7fb\uffa0-\uffdc"
_CJK_WORD = re.compile(f"[{_IDEOGRAPHS}{_KANA}]+|[{_HANGUL}]+")


def bigrams(
    words: Sequence[str], word: NDArray[np.int32], text: NDArray[np.int32], touches: NDArray[np.bool_]
) -> tuple[list[str], NDArray[np.int32], NDArray[np.int32]]:
    """Put the characters of CJK words together in twos.

    Args:
        words: Distinct words, lower case.
        word: Index into `words`, shape (n_words,).
        text: Index of each word's text, ascending, shape (n_words,).
        touches: Whether the word begins where the one before it ends, shape (n_words,).

    Returns:
        The distinct terms; the index into them and the text of each token, each of shape (n_tokens,).
    """
    pieces = _pieces(words)
    per_word = pieces.n_of_word[word]
    starts = np.cumsum(per_word) - per_word
    place = np.repeat(np.arange(len(word)), per_word)
    first = (np.cumsum(pieces.n_of_word) - pieces.n_of_word)[word]
    piece = pieces.number[first[place] + np.arange(len(place)) - starts[place]]
    after = np.zeros(len(place), dtype=bool)
    cjk = pieces.is_cjk[word][place]
    same_text = text[place[1:]] == text[place[:-1]]
    after[:-1] = cjk[1:] & cjk[:-1] & same_text & ((place[1:] == place[:-1]) | touches[place[1:]])
    before = np.concatenate([[False], after[:-1]]) if len(after) else after
    # The last character of a run stands in the pair before it.
    kept = np.flatnonzero(after | ~before)
    second = np.where(after, np.append(piece[1:], -1)[: len(piece)], -1)[kept]
    pairs, term = np.unique(np.stack([piece[kept], second]), axis=1, return_inverse=True)
    texts = ["".join(pieces.texts[number] for number in pair if number >= 0) for pair in pairs.T.tolist()]
    return texts, term.ravel().astype(np.int32), text[place[kept]]


@dataclass(frozen=True)
class _Pieces:
    """What words are put together from: single characters of CJK words, and whole words of other scripts.

    Args:
        texts: The distinct pieces.
        number: Index into `texts` of each piece, all words' end to end.
        n_of_word: How many each word has.
        is_cjk: Whether the word is one of CJK.
    """

    texts: list[str]
    number: NDArray[np.int64]
    n_of_word: NDArray[np.int64]
    is_cjk: NDArray[np.bool_]


def _pieces(words: Sequence[str]) -> _Pieces:
    is_cjk = np.array([_is_cjk(word) for word in words], dtype=bool)
    folded = (_OTHER_WIDTH.sub(_fold, word) for word in words)
    parts = [list(word) if cjk else [word] for word, cjk in zip(folded, is_cjk.tolist(), strict=True)]
    numbers: dict[str, int] = {}
    number = [numbers.setdefault(piece, len(numbers)) for part in parts for piece in part]
    n_of_word = np.array([len(part) for part in parts], dtype=np.int64)
    return _Pieces([*numbers], np.array(number, dtype=np.int64), n_of_word, is_cjk)


def _fold(found: re.Match[str]) -> str:
    return unicodedata.normalize("NFKC", found[0])


def _is_cjk(word: str) -> bool:
    """Tell whether a word is of one script that has bigrams; marks belong to what they stand on."""
    return not word.isascii() and bool(_CJK_WORD.fullmatch("".join(char for char in word if not _is_mark(char))))


def _is_mark(char: str) -> bool:
    return char in "\uff9e\uff9f" or unicodedata.category(char).startswith("M")
