from __future__ import annotations

import pytest

from rankhammer.errors import ConfigError
from rankhammer.queries import QueryRules, languages


def test_a_name_alone_is_the_language_of_all_corpora() -> None:
    rules = QueryRules.parse("german")
    assert (rules.of("any"), rules.form, rules.clusters) == ("german", "analyzer", "form")


def test_corpora_may_have_languages_of_their_own() -> None:
    rules = QueryRules.parse({"default": "english", "corpora": {"jp": "cjk", 7: "german"}, "clusters": "results"})
    assert [rules.of(corpus) for corpus in ("shop", "jp", "7")] == ["english", "cjk", "german"]
    assert rules.all() == {"english", "cjk", "german"}
    assert QueryRules.parse(rules) is rules


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("klingon", "no analyzer for language 'klingon'"),
        ({"default": "english", "corpora": {"de": "germann"}}, "no analyzer for language 'germann'"),
        ({"default": "english", "corpora": ["de"]}, "it is a name, or has the keys"),
        ({"corpora": {"de": "german"}}, "it is a name, or has the keys"),
        ({"default": "english", "form": "word"}, "it is a name, or has the keys"),
        ({"default": "english", "clusters": None}, "it is a name, or has the keys"),
        ({"default": "english", "corpus": {}}, "no key 'corpus'"),
        (None, "it is a name, or has the keys"),
        (["english"], "it is a name, or has the keys"),
    ],
)
def test_anything_else_is_refused(value: object, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        QueryRules.parse(value)


def test_languages_are_snowballs_and_the_analyzers() -> None:
    assert {"english", "turkish", "cjk", "standard", "dutch"} <= {*languages()}
