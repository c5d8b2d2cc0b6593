"""Queries in an engine's own words are checked before any engine sees them, and reach it as they are."""

from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from rankhammer.errors import ConfigError, ExportError
from rankhammer.feature_sets import FeatureSet, for_engine, require_raw
from rankhammer.feature_sets.dialects.elastic_features import feature_extractors
from rankhammer.feature_sets.dialects.ltr_features import plugin_features, query_params
from rankhammer.feature_sets.dialects.solr_features import read_params, solr_features
from rankhammer.feature_sets.dialects.vespa_features import vespa_features
from rankhammer.feature_sources.remote.named_queries import search_body

FUZZY = {"match": {"title": {"query": "{{keywords}}", "fuzziness": "AUTO"}}}
FRESH = {"distance_feature": {"field": "published", "origin": "now", "pivot": "30d"}}
IN_SOLR = "{!field f=title}${keywords}"
VERSION_BEFORE = "0f5ea09dda35"
"""As published before there were queries in an engine's own words."""
NO_MATCH = {"match_all": {"boost": 0}}


def of(*features):
    return FeatureSet.model_validate({"name": "mine", "features": list(features)})


def raw(name="own", **queries):
    return {"name": name, "type": "raw", **queries}


@pytest.mark.parametrize(
    ("queries", "message"),
    [
        ({}, "has no query"),
        ({"opensearch": {}}, "one clause"),
        ({"opensearch": {"match": {}, "term": {}}}, "one clause"),
        ({"opensearch": {"match": "x"}}, "one clause"),
        ({"opensearch": {"match": {"title": "{{query}}"}}}, "{{query}} has no value"),
        ({"opensearch": {"match": {"title": "{{#toJson}}keywords{{/toJson}}"}}}, "{{#toJson}} has no value"),
        ({"opensearch": {"match": {"title": "{{keywords"}}}, "{{ has no value"),
        ({"opensearch": {"match": {"{{keywords}}": "x"}}}, "in values only"),
        ({"opensearch": {"match": {"title": {"query": "x", "_name": "y"}}}}, "_name"),
        ({"elasticsearch": {"match_all": {"boost": float("nan")}}}, "is JSON"),
        ({"solr": "title:${keywords}"}, "no query of the form"),
        ({"solr": "{!field f=${keywords}}x"}, "no query of the form"),
        ({"solr": "{!field f=title}${keywords} OR x"}, "no query of the form"),
        ({"solr": "{!field f=title}${other}"}, "no query of the form"),
        ({"vespa": "bm25(title)"}, "vespa"),
    ],
)
def test_a_query_that_cannot_be_asked_is_refused_when_it_is_read(queries, message):
    with pytest.raises(ValidationError) as caught:
        of(raw(**queries))
    assert message in str(caught.value)


def test_a_set_without_a_query_for_the_engine_is_refused_by_name():
    mine = of(raw(opensearch=FUZZY, solr=IN_SOLR))
    for engine in ("elasticsearch", "embedded"):
        with pytest.raises(ConfigError, match=f"'own' .* none for {engine}; it has one for opensearch, solr") as caught:
            require_raw(mine, engine)
        assert caught.value.hint
    assert for_engine(mine, "solr").features[0].engines == ("solr",)


def test_the_version_follows_every_query():
    versions = {of(raw(opensearch=query)).version for query in (FUZZY, FRESH)}
    versions.add(of(raw(opensearch=FUZZY, solr=IN_SOLR)).version)
    assert len(versions) == 3


def test_the_version_of_a_set_that_has_no_own_query_is_what_it_was():
    features = [
        {"name": "title", "type": "match", "field": "title"},
        {"name": "sold", "type": "field_value", "field": "n_sold", "modifier": "log1p"},
        {"name": "length", "type": "query_length"},
        {"name": "both", "type": "expression", "expression": "title + sold"},
    ]
    assert of(*features).version == VERSION_BEFORE


def test_a_named_query_has_the_users_text_whatever_is_in_it():
    mine = for_engine(of(raw(opensearch=FUZZY), raw("fresh", opensearch=FRESH)), "opensearch")
    text = 'a "quoted" {{keywords}} \\ text'
    own, fresh = search_body(mine, text, ["1"])["query"]["bool"]["should"]
    asked = {"match": {"title": {"query": text, "fuzziness": "AUTO"}}}
    assert own == {"bool": {"should": [asked], "_name": "own"}}
    assert fresh == {"bool": {"should": [FRESH], "_name": "fresh"}}


def test_the_plugin_stores_the_query_so_that_it_is_never_absent():
    mine = for_engine(of(raw(opensearch=FUZZY), raw("fresh", opensearch=FRESH, absent="keep")), "opensearch")
    own, fresh = plugin_features(mine)
    assert own["template"] == {"bool": {"must": [NO_MATCH], "should": [FUZZY]}}
    assert (own["params"], fresh["params"], fresh["template"]) == (["keywords"], [], FRESH)
    assert list(query_params(mine)) == ["keywords"]


def test_elasticsearchs_own_rescorer_asks_the_query():
    mine = for_engine(of(raw(elasticsearch=FUZZY)), "elasticsearch")
    (extractor,) = feature_extractors(mine)
    assert extractor["query_extractor"]["query"] == {"bool": {"must": [NO_MATCH], "should": [FUZZY]}}


def test_solr_stores_the_query():
    (stored,) = solr_features(for_engine(of(raw(solr=IN_SOLR)), "solr"), quoted=False)
    assert stored["class"] == "org.apache.solr.ltr.feature.SolrFeature"
    assert stored["params"] == {"q": IN_SOLR}
    assert read_params([stored]) == ["keywords"]


def test_matched_terms_score_one_each_in_every_template():
    mine = of({"name": "n", "type": "matched_terms", "field": "title", "analyzer": "standard"})
    one_each = {"fuzziness": 0, "fuzzy_rewrite": "constant_score_boolean"}
    asked = {"match": {"title": {"query": "{{keywords}}", "analyzer": "standard", **one_each}}}
    assert plugin_features(mine)[0]["template"]["bool"]["should"] == [asked]
    assert json.loads(json.dumps(feature_extractors(mine)[0]))["query_extractor"]["query"]["bool"]["should"] == [asked]


@pytest.mark.parametrize("kind", ["matched_terms", "raw"])
def test_an_engine_without_a_counterpart_says_so(kind):
    own = raw("n", opensearch=FUZZY) if kind == "raw" else {"name": "n", "type": kind, "field": "title"}
    with pytest.raises(ExportError, match="'n' is of type"):
        vespa_features(of(own), {})
    if kind == "matched_terms":
        with pytest.raises(ExportError, match="'n': Solr has no query"):
            solr_features(of(own), quoted=False)
