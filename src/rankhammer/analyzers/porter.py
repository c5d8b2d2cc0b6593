"""Porter's English stemmer with the two departures that its author published and that Lucene follows.

The departures: `-bli` (not `-abli`) becomes `-ble`, and `-logi` becomes `-log`.

References:
    M. F. Porter, An algorithm for suffix stripping, Program 14(3), 1980. A word is `[C](VC)^m[V]`, C and V being runs
    of consonants and vowels; its measure m decides which suffixes may go.
"""

from __future__ import annotations

from functools import lru_cache

_SHAPES = bytes(ord("v") if chr(code) in "aeiou" else ord("y") if chr(code) == "y" else ord("c") for code in range(256))
_STEP_2 = (
    ("ational", "ate"), ("tional", "tion"), ("enci", "ence"), ("anci", "ance"), ("izer", "ize"), ("bli", "ble"),
    ("alli", "al"), ("entli", "ent"), ("eli", "e"), ("ousli", "ous"), ("ization", "ize"), ("ation", "ate"),
    ("ator", "ate"), ("alism", "al"), ("iveness", "ive"), ("fulness", "ful"), ("ousness", "ous"), ("aliti", "al"),
    ("iviti", "ive"), ("biliti", "ble"), ("logi", "log"),
)  # fmt: skip
_STEP_3 = (
    ("icate", "ic"), ("ative", ""), ("alize", "al"), ("iciti", "ic"), ("ical", "ic"), ("ful", ""), ("ness", ""),
)  # fmt: skip
_STEP_4 = (
    "al", "ance", "ence", "er", "ic", "able", "ible", "ant", "ement", "ment", "ent", "sion", "tion", "ou", "ism",
    "ate", "iti", "ous", "ive", "ize",
)  # fmt: skip


@lru_cache(maxsize=200_000)
def porter_stem(word: str) -> str:
    """Stem one lower-case word; words of one or two letters stay as they are.

    Args:
        word: Lower case. Letters outside a-z count as consonants.

    Returns:
        The stem, which need not be a word.
    """
    if len(word) < 3:
        return word
    word = _past_and_gerund(_plural(word))
    if word.endswith("y") and _has_vowel(word[:-1]):
        word = word[:-1] + "i"
    word = _replace_suffix(word, _STEP_2)
    word = _replace_suffix(word, _STEP_3)
    return _final_letters(_drop_suffix(word))


def _plural(word: str) -> str:
    if word.endswith(("sses", "ies")):
        return word[:-2]
    return word[:-1] if word.endswith("s") and not word.endswith("ss") else word


def _past_and_gerund(word: str) -> str:
    if word.endswith("eed"):
        return word[:-1] if _measure(word[:-3]) > 0 else word
    stem = word[:-2] if word.endswith("ed") else word[:-3] if word.endswith("ing") else ""
    if not stem or not _has_vowel(stem):
        return word
    if stem.endswith(("at", "bl", "iz")):
        return stem + "e"
    if _ends_with_double_consonant(stem):
        return stem if stem[-1] in "lsz" else stem[:-1]
    return stem + "e" if _measure(stem) == 1 and _ends_like_hop(stem) else stem


def _replace_suffix(word: str, rules: tuple[tuple[str, str], ...]) -> str:
    for suffix, replacement in rules:
        if word.endswith(suffix):
            stem = word[: -len(suffix)]
            return stem + replacement if _measure(stem) > 0 else word
    return word


def _drop_suffix(word: str) -> str:
    """Drop a suffix from a long stem; of `-sion` and `-tion` the first letter stays."""
    for suffix in _STEP_4:
        if word.endswith(suffix):
            stem = word[:-3] if suffix in ("sion", "tion") else word[: -len(suffix)]
            return stem if _measure(stem) > 1 else word
    return word


def _final_letters(word: str) -> str:
    if word.endswith("e"):
        stem = word[:-1]
        measure = _measure(stem)
        if measure > 1 or (measure == 1 and not _ends_like_hop(stem)):
            word = stem
    return word[:-1] if word.endswith("ll") and _measure(word) > 1 else word


def _shape(word: str) -> bytes:
    """Return one byte a letter, `c` or `v`; y is a vowel after a consonant."""
    shape = word.encode("latin-1", "replace").translate(_SHAPES)
    if b"y" not in shape:
        return shape
    resolved = bytearray(shape)
    for place, kind in enumerate(shape):
        if kind == ord("y"):
            resolved[place] = ord("v") if place and resolved[place - 1] == ord("c") else ord("c")
    return bytes(resolved)


def _measure(stem: str) -> int:
    return _shape(stem).count(b"vc")


def _has_vowel(stem: str) -> bool:
    return b"v" in _shape(stem)


def _ends_with_double_consonant(stem: str) -> bool:
    return len(stem) > 1 and stem[-1] == stem[-2] and _shape(stem)[-1] == ord("c")


def _ends_like_hop(stem: str) -> bool:
    """Tell whether the stem ends consonant, vowel, consonant (not w, x, y): an e was dropped, as in hoping."""
    return _shape(stem)[-3:] == b"cvc" and stem[-1] not in "wxy"
