"""The rule that makes spellings of a query equal, in plain Python."""

from __future__ import annotations

import unicodedata
from functools import cache, lru_cache
from threading import get_ident

import snowballstemmer

from rankhammer.errors import ConfigError, did_you_mean

_QUOTES = {
    "'": "\u0060\u00b4\u02b9\u02bb\u02bc\u02bd\u02c8\u055a\u1fbd\u1fbf\u2018\u2019\u201a\u201b\u2032\u2035\ua78c\uff07",
    '"': "\u201c\u201d\u201e\u201f\u2033\u2036\u02ba\u02ee\u3003\uff02\u00ab\u00bb",
    "-": "\u2010\u2011\u2012\u2013\u2014\u2015\u2043\u207b\u2212\u02d7\ufe58\ufe63\uff0d",
}
# Default_Ignorable_Code_Point beside the characters of category Cf, and two that are blank in every font.
_IGNORABLE = (
    (0x034F, 0x034F),
    (0x115F, 0x1160),
    (0x17B4, 0x17B5),
    (0x180B, 0x180F),
    (0x2065, 0x2065),
    (0x3164, 0x3164),
    (0xFE00, 0xFE0F),
    (0xFFA0, 0xFFA0),
    (0xFFF0, 0xFFF8),
    (0xE0000, 0xE0FFF),
)


def visible_form(text: str) -> str:
    """Leave out what cannot be seen, and write quotes and dashes as ASCII does.

    Args:
        text: As typed.

    Returns:
        The same text where it holds nothing of the kind. White space stays as it is.

    References:
        Unicode Character Database, DerivedCoreProperties: Default_Ignorable_Code_Point.
    """
    return text if text.isascii() and text.isprintable() and "`" not in text else text.translate(_table())


@cache
def _table() -> dict[int, str | None]:
    """Return what becomes of each such character (made once a process, some 0.1 s)."""
    table: dict[int, str | None] = dict.fromkeys(_unseen())
    # Braille's empty cell looks like a blank, and is no white space.
    table |= {0x2800: " "}
    table |= {ord(char): shape for shape, chars in _QUOTES.items() for char in chars}
    return table


def _unseen() -> list[int]:
    # Categories change below the planes of private use only.
    formats = [code for code in range(0x20000) if unicodedata.category(chr(code)) in ("Cc", "Cf")]
    others = [code for first, last in _IGNORABLE for code in range(first, last + 1)]
    return [code for code in formats + others if not chr(code).isspace()]


MAX_STEMMED_CHARS = 100
"""Longer tokens are no words of any language."""


@lru_cache(maxsize=1)
def languages() -> tuple[str, ...]:
    """Return the languages that have a stemmer, sorted."""
    return tuple(sorted(snowballstemmer.algorithms()))


def normalize_query(text: str, language: str) -> str:
    """Bring a query to the form that its spellings share.

    Compatibility characters are unified (NFKC), case is folded, white space collapsed, and each token stemmed:
    ``"  Reading FILES "`` becomes ``"read file"`` in English. What looks alike is alike: quotes and dashes of any shape
    are ASCII's, and characters that nobody sees (controls, zero widths, default-ignorable ones) are left out.

    Args:
        text: As typed.
        language: One of `languages()`.

    Returns:
        Stems parted by single blanks; empty for blank text.

    Raises:
        ConfigError: The language has no stemmer.

    References:
        M. F. Porter, "Snowball: A language for stemming algorithms", 2001. Unicode Standard Annex 15 (NFKC).
    """
    require_language(language)
    # Folding can undo composition (and the reverse), so normalise once more: the form must be its own form.
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", visible_form(text)).casefold())
    return " ".join(_stem(token, language) for token in visible_form(folded).split())


def require_language(language: str) -> None:
    """Check that a language has a stemmer.

    Raises:
        ConfigError: It has none; the hint names the closest one that has.
    """
    if language not in languages():
        raise ConfigError(
            f"There is no Snowball stemmer for language {language!r}.",
            hint=f"{did_you_mean(language, languages())} Set `language` in globals.yml.",
            language=language,
        )


def _stem(token: str, language: str) -> str:
    """Stem a word; what is longer than words are stays as it is, since stemmers need the square of its length."""
    return token if len(token) > MAX_STEMMED_CHARS else _stem_word(token, language)


@lru_cache(maxsize=1 << 16)
def _stem_word(token: str, language: str) -> str:
    return str(_stemmer(language, get_ident()).stemWord(token))


@lru_cache(maxsize=32)
def _stemmer(language: str, thread_id: int) -> snowballstemmer.stemmer:  # noqa: ARG001
    """Make one stemmer a thread: it holds the word it is working on."""
    return snowballstemmer.stemmer(language)
