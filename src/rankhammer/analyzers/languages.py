"""What each language's analyzer makes of one word: the steps of the engines' analyzers of the same name.

Elided articles go (*l'avion*), then stop words, then what the stemmer takes off.
"""

from __future__ import annotations

from functools import cache, lru_cache, partial
from threading import get_ident
from typing import TYPE_CHECKING, Final, Literal, get_args

import snowballstemmer

from rankhammer.analyzers.light_stemmers import (
    french_stem,
    german_stem,
    italian_stem,
    portuguese_stem,
    spanish_stem,
)
from rankhammer.analyzers.porter import porter_stem
from rankhammer.analyzers.scandinavian_stemmers import danish_stem, norwegian_stem, swedish_stem
from rankhammer.analyzers.stop_words import STOP_WORDS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

AnalyzerName = Literal[
    "standard",
    "english",
    "german",
    "french",
    "italian",
    "spanish",
    "portuguese",
    "dutch",
    "russian",
    "swedish",
    "danish",
    "norwegian",
    "cjk",
]
"""Analyzers that search engines have under the same name."""
ANALYZERS: Final[tuple[AnalyzerName, ...]] = get_args(AnalyzerName)
WITHOUT_STEMS: Final = ("standard", "cjk")
"""Those that take words as they are."""
MAX_STEMMED_CHARS: Final = 100
"""Snowball's stemmers take the square of a word's length, and longer tokens are no words of any language."""

_FRENCH_ARTICLES: Final = "l m t qu n s j d c jusqu quoiqu lorsqu puisqu"
_ITALIAN_ARTICLES: Final = "c l all dall dell nell sull coll pell gl agl dagl degl negl sugl un m t s v d "
_ARTICLES: Final[Mapping[str, frozenset[str]]] = {
    "french": frozenset(_FRENCH_ARTICLES.split()),
    "italian": frozenset(_ITALIAN_ARTICLES.split()),
}
_DUTCH_STEMS: Final = {"fiets": "fiets", "bromfiets": "bromfiets", "ei": "eier", "kind": "kinder"}
_POSSESSIVES: Final = ("'s", "\u2019s", "\uff07s")
_APOSTROPHES: Final = ("'", "\u2019")


@cache
def word_term(language: str) -> Callable[[str], str | None]:
    """Return the function that makes a term of a lower-case word; None where the word is left out.

    Args:
        language: One of the analyzers but `standard` and `cjk`, or a language of Snowball's, whose words are stemmed
            and all kept.
    """
    return partial(
        _term,
        stem=_stem_of(language),
        stop_words=STOP_WORDS.get(language, frozenset()),
        articles=_ARTICLES.get(language),
    )


def _term(
    word: str, *, stem: Callable[[str], str], stop_words: frozenset[str], articles: frozenset[str] | None
) -> str | None:
    if articles is not None:
        word = _without_article(word, articles)
    elif word.endswith(_POSSESSIVES) and stem is porter_stem:
        word = word[:-2]
    return None if word in stop_words else stem(word)


def _without_article(word: str, articles: frozenset[str]) -> str:
    """Take off what stands before the first apostrophe, if it is an article."""
    places = [place for place in map(word.find, _APOSTROPHES) if place >= 0]
    return word[min(places) + 1 :] if places and word[: min(places)] in articles else word


def _stem_of(language: str) -> Callable[[str], str]:
    own: Mapping[str, Callable[[str], str]] = {
        "english": porter_stem,
        "german": german_stem,
        "french": french_stem,
        "italian": italian_stem,
        "spanish": spanish_stem,
        "portuguese": portuguese_stem,
        "dutch": _dutch_stem,
        "swedish": swedish_stem,
        "danish": danish_stem,
        "norwegian": norwegian_stem,
    }
    return own.get(language) or partial(snowball_stem, language=language)


def _dutch_stem(word: str) -> str:
    return _DUTCH_STEMS.get(word) or snowball_stem(word, language="dutch_porter")


def snowball_stem(word: str, *, language: str) -> str:
    """Stem a word by one of Snowball's algorithms; what is longer than words are stays as it is.

    Args:
        word: Lower case.
        language: Snowball's name.

    References:
        M. F. Porter, "Snowball: A language for stemming algorithms", 2001.
    """
    return word if len(word) > MAX_STEMMED_CHARS else _snowball_stem(word, language)


@lru_cache(maxsize=1 << 16)
def _snowball_stem(word: str, language: str) -> str:
    return str(_stemmer(language, get_ident()).stemWord(word))


@lru_cache(maxsize=32)
def _stemmer(language: str, thread_id: int) -> snowballstemmer.stemmer:  # noqa: ARG001
    """Make one stemmer a thread: it holds the word it is working on."""
    return snowballstemmer.stemmer(language)
