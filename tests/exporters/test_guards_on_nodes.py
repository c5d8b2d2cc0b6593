"""Guards of expressions, run by the languages that engines have: OpenSearch's expressions and Painless, and Solr's."""

from __future__ import annotations

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rankhammer.feature_sets import FeatureSet
from rankhammer.feature_sets.dialects.elastic_features import feature_extractors
from rankhammer.feature_sets.dialects.ltr_features import plugin_features
from rankhammer.feature_sets.dialects.solr_features import solr_features

DOCS = {"0": {"a": 3.0, "b": 0.0}, "1": {"a": 0.0, "b": 0.0}, "2": {"a": 3.0, "b": 2.0}, "3": {"a": 9e37, "b": 0.01}}
SET = FeatureSet.model_validate(
    {
        "name": "guarded",
        "features": [
            {"name": "a", "type": "field_value", "field": "a"},
            {"name": "b", "type": "field_value", "field": "b"},
            {"name": "share", "type": "expression", "expression": "a / b"},
            {"name": "rest", "type": "expression", "expression": "7 + share + ln(b)"},
        ],
    }
)
SHARE = {"0": 0.0, "1": 0.0, "2": 1.5, "3": 0.0}
REST = {"0": 0.0, "1": 0.0, "2": pytest.approx(7 + 1.5 + 0.693147), "3": pytest.approx(7 - 4.60517)}


@pytest.fixture(scope="module")
def index(opensearch):
    lines = [line for key, doc in DOCS.items() for line in ({"index": {"_id": key}}, doc)]
    opensearch.call("PUT", "/guards", {"mappings": {"properties": {name: {"type": "double"} for name in "ab"}}})
    opensearch.call("POST", "/guards/_bulk?refresh=true", "".join(json.dumps(line) + "\n" for line in lines))
    yield opensearch
    opensearch.call("DELETE", "/guards")


def scores(node, query):
    found = node.call("POST", "/guards/_search", {"query": query})["hits"]["hits"]
    return {hit["_id"]: hit["_score"] for hit in found}


def test_a_derived_expression_guards_itself(index):
    share = next(one["template"] for one in plugin_features(SET) if one["name"] == "share")
    source = share.replace("a / b", "doc['a'].value / doc['b'].value")
    script = {"lang": "expression", "source": source}
    query = {
        "function_score": {"query": {"match_all": {}}, "boost_mode": "replace", "script_score": {"script": script}}
    }
    assert scores(index, query) == SHARE


@pytest.mark.parametrize(("name", "expected"), [("share", SHARE), ("rest", REST)])
def test_a_script_guards_itself_and_what_it_computes_with(index, name, expected):
    found = {one["query_extractor"]["feature_name"]: one["query_extractor"]["query"] for one in feature_extractors(SET)}
    assert scores(index, found[name]) == expected


@pytest.mark.parametrize(("name", "expected"), [("share", SHARE), ("rest", REST)])
def test_a_function_query_guards_itself_and_what_it_computes_with(solr, tmp_path, name, expected):
    renamed = json.loads(
        SET.model_dump_json().replace('"field":"a"', '"field":"popularity"').replace('"field":"b"', '"field":"n_words"')
    )
    rows = [{"corpus": "x", "doc_id": key, "popularity": doc["a"], "n_words": doc["b"]} for key, doc in DOCS.items()]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "part-0.parquet")
    solr.load(str(tmp_path), core="guards")
    stored = solr_features(FeatureSet.model_validate(renamed), quoted=False)
    query = next(one["params"]["q"] for one in stored if one["name"] == name)
    found = solr.call("/guards/select", {"params": {"q": query, "fl": "id,score"}})["response"]["docs"]
    assert {doc["id"]: doc["score"] for doc in found} == expected
