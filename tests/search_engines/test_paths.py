"""Names in the paths of requests, and which name an index can have."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

import pytest

from rankhammer.errors import ConfigError
from rankhammer.feature_sources.remote.options import SearchOptions, SolrOptions
from rankhammer.search_engines.paths import path

URL = "http://search:9200"


def test_each_part_of_a_path_comes_back_as_it_was():
    parts = ["a/b", "a b", "日本 🎉", "a%2Fb", "a?b#c", "..a", 'q"', "a\nb", "de,fr", "x:y", "*"]
    made = path(*parts)
    assert made.isascii()
    assert [unquote(part) for part in urlsplit(f"{URL}{made}").path.split("/")[1:]] == parts


@pytest.mark.parametrize("part", ["", ".", ".."])
def test_a_part_that_leads_elsewhere_is_refused(part):
    with pytest.raises(ConfigError, match="cannot stand in an address"):
        path("shop", part)


@pytest.mark.parametrize(
    "corpus", ["a/b", "..", "a b", "a,b", "*", "-x", "a?b", "x#y", "a\nb", "a%2fb", "c:d", "x" * 300]
)
def test_a_corpus_whose_name_no_index_can_have_is_named(corpus):
    for options in (SearchOptions(url=URL), SolrOptions(url=URL)):
        with pytest.raises(ConfigError, match="can be no index") as caught:
            options.index_of(corpus)
        assert caught.value.values["corpus"] == corpus
        assert "{corpus}" in caught.value.hint


def test_names_of_every_script_and_patterns_of_options_are_taken():
    assert SearchOptions(url=URL, index="shop-{corpus}").index_of("日本") == "shop-日本"
    assert SearchOptions(url=URL, index="shop-*,other").index_of("de/x") == "shop-*,other"
    assert SolrOptions(url=URL, index="c_{corpus}").index_of("de.1") == "c_de.1"
    with pytest.raises(ConfigError, match="can be no index"):
        SolrOptions(url=URL).index_of("日本")


@pytest.mark.parametrize("index", ["_all", "a/{corpus}", "{corpus}?x=1", "-{corpus}", "{corpus} x"])
def test_an_index_of_the_options_is_checked_when_they_are_read(index):
    with pytest.raises(ValueError, match="no index can have such a name"):
        SearchOptions(url=URL, index=index)
