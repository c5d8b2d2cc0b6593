"""The rule that makes spellings of a query equal, in plain Python."""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from threading import get_ident

import snowballstemmer

from rankhammer.errors import ConfigError, did_you_mean


@lru_cache(maxsize=1)
def languages() -> tuple[str, ...]:
    """Return the languages that have a stemmer, sorted."""
    return tuple(sorted(snowballstemmer.algorithms()))


def normalize_query(text: str, language: str) -> str:
    """Bring a query to the form that its spellings share.

    Compatibility characters are unified (NFKC), case is folded, white space collapsed, and each token stemmed:
    ``"  Reading FILES "`` becomes ``"read file"`` in English.

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
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return " ".join(_stem(token, language) for token in folded.split())


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


@lru_cache(maxsize=1 << 16)
def _stem(token: str, language: str) -> str:
    return str(_stemmer(language, get_ident()).stemWord(token))


@lru_cache(maxsize=32)
def _stemmer(language: str, thread_id: int) -> snowballstemmer.stemmer:  # noqa: ARG001
    """Make one stemmer a thread: it holds the word it is working on."""
    return snowballstemmer.stemmer(language)
