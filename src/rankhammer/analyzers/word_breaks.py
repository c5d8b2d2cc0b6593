"""Where words begin and end: the Unicode word-boundary rules that search engines use, on whole batches of text.

References:
    Unicode Standard Annex 29, Unicode Text Segmentation. Kept: letters and digits join (WB5, WB8 to WB10), a letter
    joins a letter over one `'`, `.` or `:` (WB6, WB7), a digit joins a digit over one `'`, `.`, `,` or `;` (WB11,
    WB12), `_` joins (WB13), marks belong to what they stand on (WB4). Each Han or Hiragana character is a word
    by itself.
"""

from __future__ import annotations

import unicodedata
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BREAK, _LETTER, _DIGIT, _JOINER, _MARK, _SINGLE, _KATAKANA, _MID_LETTER, _MID_DIGIT, _MID_BOTH = range(10)
_MID = {
    **dict.fromkeys(":\u00b7\u0387\u055f\u05f4\u2027\ufe13\ufe55\uff1a", _MID_LETTER),
    **dict.fromkeys(",;\u037e\u0589\u060c\u060d\u066c\u07f8\u2044\ufe10\ufe14\ufe50\ufe54\uff0c\uff1b", _MID_DIGIT),
    **dict.fromkeys(".'\u2018\u2019\u2024\ufe52\uff07\uff0e", _MID_BOTH),
}
_CATEGORIES = {"Nd": _DIGIT, "Nl": _LETTER, "Pc": _JOINER, "Mn": _MARK, "Mc": _MARK, "Me": _MARK, "Cf": _MARK}
_SINGLE_RANGES = (
    *((0x3007, 0x3007), (0x3021, 0x3029), (0x3038, 0x303A), (0x3041, 0x3096), (0x309D, 0x309F)),
    *((0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x3FFFF)),
)
_KATAKANA_RANGES = ((0x30A1, 0x30FF), (0x31F0, 0x31FF), (0xFF66, 0xFF9D))
_MARKS = "\uff9e\uff9f"
"""Marks of Japanese in half width, which Unicode calls letters."""
_N_TABLE = 0x10000


def find_words(codes: NDArray[np.uint32]) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Find the words in a run of text.

    Args:
        codes: Unicode code points, shape (n_chars,). Texts that must not join are separated by a line feed.

    Returns:
        Which characters belong to a word, shape (n_chars,), and the index where each word starts, ascending,
        shape (n_words,). A word ends where the next begins or where a character belongs to none.
    """
    if not len(codes):
        return np.zeros(0, dtype=bool), np.zeros(0, dtype=np.int64)
    kinds = _kinds_of(codes)
    marks = kinds == _MARK
    if marks.any():
        kinds = _kind_of_base(kinds, marks)
    inside = (kinds >= _LETTER) & (kinds <= _KATAKANA) & (kinds != _MARK)
    inside |= _joins_its_neighbours(kinds)
    starts = np.flatnonzero(inside & _begins(kinds, inside, marks))
    return _without_bare_joiners(kinds, inside, starts)


def _kinds_of(codes: NDArray[np.uint32]) -> NDArray[np.uint8]:
    kinds: NDArray[np.uint8] = _table()[np.minimum(codes, _N_TABLE - 1)]
    astral = np.flatnonzero(codes >= _N_TABLE)
    if len(astral):
        distinct, places = np.unique(codes[astral], return_inverse=True)
        kinds[astral] = np.array([_kind(int(code)) for code in distinct], dtype=np.uint8)[places]
    return kinds


@cache
def _table() -> NDArray[np.uint8]:
    """Kinds of the first 65,536 code points, made once a process (about 20 ms)."""
    return np.array([_kind(code) for code in range(_N_TABLE)], dtype=np.uint8)


def _kind(code: int) -> int:
    char = chr(code)
    category = "Mn" if char in _MARKS else unicodedata.category(char)
    if char in _MID:
        return _MID[char]
    if category[0] in "LN" and any(low <= code <= high for low, high in _SINGLE_RANGES):
        return _SINGLE
    if category in _CATEGORIES:
        return _CATEGORIES[category]
    if not category.startswith("L"):
        return _BREAK
    return _KATAKANA if any(low <= code <= high for low, high in _KATAKANA_RANGES) else _LETTER


def _kind_of_base(kinds: NDArray[np.uint8], marks: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Give each mark the kind of the character that it stands on."""
    base = np.maximum.accumulate(np.where(marks, 0, np.arange(len(kinds))))
    spread: NDArray[np.uint8] = kinds[base]
    return spread


def _joins_its_neighbours(kinds: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Find `.` in `os.path` and `,` in `1,000`: one such character between two letters or two digits."""
    joins = np.zeros(len(kinds), dtype=bool)
    mid = np.flatnonzero(kinds[1:-1] >= _MID_LETTER) + 1
    before, at, after = kinds[mid - 1], kinds[mid], kinds[mid + 1]
    letters = (before == _LETTER) & (after == _LETTER) & (at != _MID_DIGIT)
    digits = (before == _DIGIT) & (after == _DIGIT) & (at != _MID_LETTER)
    joins[mid] = letters | digits
    return joins


def _begins(kinds: NDArray[np.uint8], inside: NDArray[np.bool_], marks: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Tell where a character does not join the one before it."""
    begins = np.ones(len(kinds), dtype=bool)
    begins[1:] = ~inside[:-1]
    special = np.flatnonzero((kinds == _SINGLE) | (kinds == _KATAKANA))
    if not len(special):
        return begins
    for place in (special, np.minimum(special + 1, len(kinds) - 1)):
        here, before = kinds[place], kinds[np.maximum(place - 1, 0)]
        single = (here == _SINGLE) | (before == _SINGLE)
        begins[place] |= single | ((here != before) & (here != _JOINER) & (before != _JOINER))
    begins[marks] = ~inside[np.flatnonzero(marks) - 1] if marks.any() else begins[marks]
    return begins


def _without_bare_joiners(
    kinds: NDArray[np.uint8], inside: NDArray[np.bool_], starts: NDArray[np.int64]
) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Drop words made of underscores alone."""
    joiners = inside & (kinds == _JOINER)
    if not joiners.any():
        return inside, starts
    solid = np.add.reduceat((inside & ~joiners).astype(np.int64), starts) > 0
    if solid.all():
        return inside, starts
    word = np.searchsorted(starts, np.arange(len(kinds)), side="right") - 1
    return inside & solid[np.maximum(word, 0)] & (word >= 0), starts[solid]
