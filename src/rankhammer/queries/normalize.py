"""The rule that makes spellings of a query equal, in plain Python."""

from __future__ import annotations

import unicodedata
from functools import cache
from typing import TYPE_CHECKING

from rankhammer.analyzers import analyze
from rankhammer.analyzers.languages import WITHOUT_STEMS, snowball_stem
from rankhammer.queries.rules import require_language

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rankhammer.queries.rules import QueryForm

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


def normalize_query(text: str, language: str, form: QueryForm = "analyzer") -> str:
    """Bring a query to the form that its spellings share; see `normalize_queries`.

    Args:
        text: As typed.
        language: One of `languages()`.
        form: See `normalize_queries`.

    Raises:
        ConfigError: The language has no analyzer.
    """
    return normalize_queries([text], language, form)[0]


def normalize_queries(texts: Sequence[str], language: str, form: QueryForm = "analyzer") -> list[str]:
    """Bring queries to the form that their spellings share.

    Compatibility characters are unified (NFKC), quotes and dashes of any shape are ASCII's, and characters that nobody
    sees (controls, zero widths, default-ignorable ones) are left out. By `analyzer`, what is left becomes the terms of
    the language's analyzer, which features search by, too: ``"The  Reading-FILES!"`` is ``"read file"`` in English. A
    query without any term, such as ``"to be or not to be"``, keeps its own form: folded case, single blanks.

    By `words`, case is folded, white space collapsed, and each word stemmed by Snowball's algorithm; stop words and
    signs stay: ``"the reading-files!"``.

    Args:
        texts: As typed.
        language: One of `languages()`.
        form: `analyzer` or `words`.

    Returns:
        One form a text: terms with single blanks between them; empty for blank text.

    Raises:
        ConfigError: The language has no analyzer.

    References:
        Unicode Standard Annex 15 (NFKC). M. F. Porter, "Snowball: A language for stemming algorithms", 2001.
    """
    require_language(language)
    unified = [unicodedata.normalize("NFKC", visible_form(text)) for text in texts]
    if form == "words":
        return [" ".join(_stem(word, language) for word in _own_form(text).split()) for text in unified]
    tokens = analyze([visible_form(text) for text in unified], language)
    terms: list[list[str]] = [[] for _ in texts]
    for text, term in zip(tokens.text.tolist(), tokens.terms.take(tokens.term).to_pylist(), strict=True):
        terms[text].append(term)
    return [" ".join(found) if found else _own_form(text) for found, text in zip(terms, unified, strict=True)]


def _own_form(text: str) -> str:
    # Folding can undo composition (and the reverse), so normalise once more: the form must be its own form.
    return " ".join(visible_form(unicodedata.normalize("NFKC", text.casefold())).split())


def _stem(word: str, language: str) -> str:
    return word if language in WITHOUT_STEMS else snowball_stem(word, language=language)
