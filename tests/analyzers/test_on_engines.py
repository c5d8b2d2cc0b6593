"""Our analyzers beside those of real nodes, on 2,000 made words a language."""

from __future__ import annotations

import shutil
import urllib.parse
from bisect import bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import solr_node
from made_words import ENDINGS, made_words

from rankhammer.analyzers import ANALYZERS, analyze

if TYPE_CHECKING:
    from collections.abc import Iterable

    from conftest import Node, SolrNode

N_WORDS = 2000
LANGUAGES = [*ENDINGS, "cjk"]
LUCENE = {
    "english": "en.English", "german": "de.German", "french": "fr.French", "italian": "it.Italian",
    "spanish": "es.Spanish", "portuguese": "pt.Portuguese", "dutch": "nl.Dutch", "russian": "ru.Russian",
    "swedish": "sv.Swedish", "danish": "da.Danish", "norwegian": "no.Norwegian", "cjk": "cjk.CJK",
}  # fmt: skip
OLD_STOP_WORDS = {"étés", "as", "est", "auras", "sommes", "avions", "fût", "été", "aura", "son", "sitt", "sitta"}
"""What Lucene 8 leaves out and later versions keep, or the reverse."""


def ours(words: list[str], analyzer: str) -> list[list[str]]:
    tokens = analyze(words, analyzer)
    found: list[list[str]] = [[] for _ in words]
    for text, term in zip(tokens.text.tolist(), tokens.terms.take(tokens.term).to_pylist(), strict=True):
        found[text].append(term)
    return found


def by_word(words: list[str], tokens: Iterable[tuple[str, int]]) -> list[list[str]]:
    """Give tokens of all words' lines, with the UTF-16 place where each begins, to their words."""
    ends = [*accumulate(len(f"{word}\n".encode("utf-16-le")) // 2 for word in words)]
    found: list[list[str]] = [[] for _ in words]
    for term, start in tokens:
        found[bisect_right(ends, start)].append(term)
    return found


def differing(words: list[str], analyzer: str, theirs: list[list[str]]) -> list[tuple[Any, ...]]:
    pairs = zip(words, ours(words, analyzer), theirs, strict=True)
    return [(word, mine, other) for word, mine, other in pairs if mine != other]


def test_opensearchs_analyzers_make_the_same_terms(opensearch: Node) -> None:
    differences = {}
    for analyzer in LANGUAGES:
        words = made_words(analyzer, N_WORDS)
        answer = opensearch.call("POST", "/_analyze", {"analyzer": analyzer, "text": "\n".join(words)})
        theirs = by_word(words, ((token["token"], token["start_offset"]) for token in answer["tokens"]))
        assert sum(map(bool, theirs)) > N_WORDS / 2
        differences[analyzer] = differing(words, analyzer, theirs)
    assert differences == {analyzer: [] for analyzer in LANGUAGES}


def test_solrs_analyzers_make_the_same_terms(solr: SolrNode) -> None:
    _make_core(solr)
    differences = {}
    for analyzer in LANGUAGES:
        words = [word for word in made_words(analyzer, N_WORDS) if _known_to_lucene_8(word, analyzer)]
        assert len(words) > 0.9 * N_WORDS
        theirs = by_word(words, _solr_tokens(solr, analyzer, "\n".join(words)))
        differences[analyzer] = differing(words, analyzer, theirs)
    assert differences == {analyzer: [] for analyzer in LANGUAGES}


def test_every_analyzer_is_compared() -> None:
    assert {*LANGUAGES, "standard"} == {*ANALYZERS} == {*LUCENE, "standard"}


def _known_to_lucene_8(word: str, analyzer: str) -> bool:
    """Leave out what Snowball has changed since: a few stop words, the Russian \u0451 and the Swedish -\xf6st."""
    word = word.lower()
    changed = {"russian": "\u0451", "swedish": "\xf6st"}.get(analyzer)
    return not (changed and changed in word) and word.rpartition("'")[2].rpartition("\u2019")[2] not in OLD_STOP_WORDS


def _make_core(solr: SolrNode) -> None:
    conf = solr.folder / "home" / "languages" / "conf"
    conf.mkdir(parents=True)
    shutil.copy(solr_node.HERE / "solrconfig.xml", conf)
    types = "".join(
        f'<fieldType name="{name}" class="solr.TextField"><analyzer class="org.apache.lucene.analysis.{path}Analyzer"/>'
        "</fieldType>"
        for name, path in LUCENE.items()
    )
    (conf / "schema.xml").write_text(
        '<schema name="languages" version="1.6"><uniqueKey>id</uniqueKey><field name="id" type="string"/>'
        f'<fieldType name="string" class="solr.StrField"/>{types}</schema>'
    )
    place = urllib.parse.quote(str(conf.parent))
    solr.call(f"/admin/cores?action=CREATE&name=languages&instanceDir={place}")


def _solr_tokens(solr: SolrNode, analyzer: str, text: str) -> Iterable[tuple[str, int]]:
    form = {"analysis.fieldtype": analyzer, "analysis.fieldvalue": text, "wt": "json"}
    answer = solr_node.call(f"{solr.url}/languages/analysis/field", form=form)
    (steps,) = answer["analysis"]["field_types"].values()
    return [(token["text"], token["start"]) for token in steps["index"][-1]]
