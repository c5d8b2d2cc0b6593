"""How queries fall together: each corpus's language, the form that spellings share, and what makes a cluster."""

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
ClusterRule = Literal["form", "results"]
"""What makes a cluster: the normal form alone, or within a form the results that queries share."""
CLUSTER_RULES: Final[tuple[ClusterRule, ...]] = get_args(ClusterRule)
_KEYS: Final = ("default", "corpora", "form", "clusters")


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
class QueryRules:
    """How queries fall together.

    Args:
        default: Language of the corpora that are not named.
        corpora: Corpus to its language.
        form: How spellings fall together.
        clusters: What makes a cluster.
    """

    default: str
    corpora: Mapping[str, str] = field(default_factory=dict)
    form: QueryForm = "analyzer"
    clusters: ClusterRule = "form"

    @classmethod
    def parse(cls, value: object) -> QueryRules:
        """Read the parameter `language`: a name, or `default` with any of `corpora`, `form` and `clusters`.

        Raises:
            ConfigError: A language has no analyzer, or the value is neither.
        """
        if isinstance(value, QueryRules):
            return value
        known: dict[str, Any] = {"default": value} if isinstance(value, str) else _keys_of(value)
        corpora = known.get("corpora") or {}
        named = [known.get("default"), *(corpora.values() if isinstance(corpora, dict) else [None])]
        by_corpus = {str(corpus): one for corpus, one in corpora.items()} if isinstance(corpora, dict) else {}
        rules = cls(cast("str", named[0]), by_corpus, known.get("form", "analyzer"), known.get("clusters", "form"))
        readable = all(isinstance(one, str) for one in named) and rules.form in QUERY_FORMS
        if not readable or rules.clusters not in CLUSTER_RULES:
            raise _unreadable(value)
        for language in rules.all():
            require_language(language)
        return rules

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
        f"`language` is {value!r}: it is a name, or has the keys {', '.join(_KEYS)}.",
        hint="For instance {default: english, corpora: {shop_de: german}}; form is analyzer or words, clusters is form "
        "or results.",
    )
