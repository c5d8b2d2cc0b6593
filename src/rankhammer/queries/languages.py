"""Which language a corpus's queries are in, and how their spellings fall together."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Literal, cast, get_args

import snowballstemmer

from rankhammer.analyzers import ANALYZERS
from rankhammer.errors import ConfigError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

QueryForm = Literal["analyzer", "words"]
"""How spellings of a query fall together: by the terms of the language's analyzer, or word by word."""
QUERY_FORMS: Final[tuple[QueryForm, ...]] = get_args(QueryForm)
_KEYS: Final = ("default", "corpora", "form")


@lru_cache(maxsize=1)
def languages() -> tuple[str, ...]:
    """Return the names that `language` may have, sorted: Snowball's languages, `cjk`, and `standard` without stems."""
    return tuple(sorted({*snowballstemmer.algorithms(), *ANALYZERS}))


def require_language(language: str) -> None:
    """Check that a language has an analyzer.

    Raises:
        ConfigError: It has none; the hint names the closest one that has.
    """
    if language not in languages():
        raise ConfigError(
            f"There is no analyzer for language {language!r}.",
            hint=f"{did_you_mean(language, languages())} Set `language` in globals.yml.",
            language=language,
        )


@dataclass(frozen=True)
class QueryLanguages:
    """Languages of the queries.

    Args:
        default: Of the corpora that are not named.
        corpora: Corpus to its language.
        form: How spellings fall together.
    """

    default: str
    corpora: Mapping[str, str] = field(default_factory=dict)
    form: QueryForm = "analyzer"

    @classmethod
    def parse(cls, value: object) -> QueryLanguages:
        """Read the parameter `language`: a name, or `default`, `corpora` and `form`.

        Raises:
            ConfigError: A language has no analyzer, or the value is neither.
        """
        if isinstance(value, QueryLanguages):
            return value
        known: dict[str, Any] = {"default": value} if isinstance(value, str) else _keys_of(value)
        corpora = known.get("corpora") or {}
        form = known.get("form", "analyzer")
        named = [known.get("default"), *(corpora.values() if isinstance(corpora, dict) else [None])]
        if not all(isinstance(one, str) for one in named) or form not in QUERY_FORMS:
            raise _unreadable(value)
        for one in named:
            require_language(cast("str", one))
        return cls(str(known["default"]), {str(corpus): one for corpus, one in corpora.items()}, form)

    def of(self, corpus: str) -> str:
        """Return a corpus's language."""
        return self.corpora.get(corpus, self.default)

    def all(self) -> frozenset[str]:
        """Return every language that is set."""
        return frozenset({self.default, *self.corpora.values()})


def _keys_of(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _unreadable(value)
    for name in value:
        if name not in _KEYS:
            raise ConfigError(f"`language` has no key {name!r}.", hint=did_you_mean(str(name), _KEYS), name=name)
    return value


def _unreadable(value: object) -> ConfigError:
    return ConfigError(
        f"`language` is {value!r}: it is a name, or has the keys default, corpora and form.",
        hint="For instance {default: english, corpora: {shop_de: german}}; form is analyzer or words.",
    )
