from __future__ import annotations

import math

import numpy as np
import pytest
from pydantic import ValidationError

from rankhammer.errors import ConfigError, EngineError
from rankhammer.feature_sets import FeatureSet
from rankhammer.feature_sources.remote.base import FeatureSearch
from rankhammer.feature_sources.remote.named_queries import Answers, search_body
from rankhammer.feature_sources.remote.options import SearchOptions

FEATURES = FeatureSet.model_validate(
    {
        "name": "t",
        "features": [
            {"name": "title_bm25", "type": "match", "field": "title"},
            {"name": "exact", "type": "phrase", "field": "title", "analyzer": "standard", "absent": "keep"},
            {"name": "sold", "type": "field_value", "field": "sold", "modifier": "log1p", "missing": 9},
            {"name": "length", "type": "query_length", "analyzer": "standard"},
            {"name": "sum", "type": "expression", "expression": "title_bm25 + sold"},
        ],
    }
)
OPTIONS = SearchOptions(url="http://x:1", text_field="{field}.{analyzer}")


def read(*asked):
    """Return the values of searches, each given with the answer to it."""
    answers = Answers(FEATURES, [FeatureSearch("c", query, tuple(doc_ids)) for query, doc_ids, _ in asked])
    for number, (_, _, body) in enumerate(asked):
        answers.read(number, body)
    return answers.values()


def test_a_search_names_each_text_feature_and_asks_for_numbers_as_they_are():
    body = search_body(OPTIONS.locate(FEATURES), 'red "shoe', ["1", "2"])
    assert body["query"]["bool"]["filter"] == [{"ids": {"values": ["1", "2"]}}]
    assert body["query"]["bool"]["should"] == [
        {"match": {"title.english": {"query": 'red "shoe', "analyzer": "english", "_name": "title_bm25"}}},
        {"match_phrase": {"title.standard": {"query": 'red "shoe', "analyzer": "standard", "_name": "exact"}}},
    ]
    assert (body["size"], body["docvalue_fields"]) == (2, ["sold"])


def test_values_are_put_where_they_belong_and_the_rest_is_computed():
    hits = [
        {"_id": "3", "matched_queries": {"exact": 1.5, "title_bm25": 2.5}, "fields": {"sold": [99]}},
        {"_id": "1"},
    ]
    ((known, values),) = read(("red shoe", ["1", "2", "3"], {"hits": {"hits": hits}}))
    assert known.tolist() == [True, False, True]
    assert values[2].tolist() == [2.5, 1.5, 2.0, 2.0, 4.5]
    assert math.isnan(values[0, 1])
    assert np.delete(values[0], 1).tolist() == [0.0, 1.0, 2.0, 1.0]


def test_searches_that_are_asked_together_keep_their_own_documents_and_lengths():
    red = {"hits": {"hits": [{"_id": "1", "matched_queries": {"title_bm25": 2.5}, "fields": {"sold": [9]}}]}}
    blue = {"hits": {"hits": [{"_id": "2", "matched_queries": {"title_bm25": 0.5}}, {"_id": "1"}]}}
    together = read(("red shoe", ["1", "2"], red), ("", ["3"], {}), ("blue", ["1", "2"], blue))
    assert [known.tolist() for known, _ in together] == [[True, False], [False], [True, True]]
    assert [values[:, 0].tolist() for _, values in together] == [[2.5, 0.0], [0.0], [0.0, 0.5]]
    assert [values[:, 3].tolist() for _, values in together] == [[2.0, 2.0], [0.0], [1.0, 1.0]]


def test_no_hit_at_all_is_an_answer():
    ((known, _),) = read(("x", ["1"], {}))
    assert known.tolist() == [False]


@pytest.mark.parametrize("body", [{"timed_out": True}, {"_shards": {"failed": 1}}, "<html>"])
def test_half_an_answer_is_refused(body):
    with pytest.raises(EngineError):
        read(("x", ["1"], body))


def test_a_field_has_the_terms_of_one_analyzer():
    assert [f.field for f in OPTIONS.locate(FEATURES).features[:3]] == ["title.english", "title.standard", "sold"]
    with pytest.raises(ConfigError, match="'title_bm25' and 'exact' search the engine's field 'title'"):
        SearchOptions(url="http://x:1").locate(FEATURES)


@pytest.mark.parametrize("options", [{"index": "{corups}"}, {"text_field": "{0}"}, {"text_field": "{field"}])
def test_patterns_have_known_places_only(options):
    with pytest.raises(ValidationError, match="in braces"):
        SearchOptions(url="http://x:1", **options)
