"""Feature values as the plugin logs them, asked over HTTP."""

from __future__ import annotations

import json
import math
import pickle

import numpy as np
import pytest
from ltr_node import LtrNode
from ltr_node.refusals import bad
from pydantic import ValidationError

from rankhammer.errors import ConfigError, EngineError
from rankhammer.feature_sets import FeatureSet
from rankhammer.feature_sources.remote.base import FeatureSearch
from rankhammer.feature_sources.remote.concurrency_limit import Pace
from rankhammer.feature_sources.remote.options import SearchOptions
from rankhammer.feature_sources.remote.plugin_logging import PluginLogging, read_log
from rankhammer.search_engines.client import connect
from rankhammer.search_engines.feature_store import FeatureStore

FEATURES = FeatureSet.model_validate(
    {
        "name": "t",
        "features": [
            {"name": "title", "type": "match", "field": "title", "analyzer": "standard"},
            {"name": "exact", "type": "phrase", "field": "title", "analyzer": "standard", "absent": "keep"},
            {"name": "popularity", "type": "field_value", "field": "popularity", "modifier": "log1p", "missing": 9},
            {"name": "length", "type": "query_length", "analyzer": "standard"},
            {"name": "sum", "type": "expression", "expression": "title + 2 * popularity"},
        ],
    }
)
RED = FeatureSearch("shop", "red shoe", ("1", "2", "3", "nowhere"))
HAT = FeatureSearch("shop", "hat", ("3",))


class Paced(Pace):
    """Counts what the pace is told."""

    def __init__(self):
        super().__init__(4, greedy=True)
        self.n_refused = self.n_answered = 0

    def refused(self):
        self.n_refused += 1

    def answered(self, duration_s, n_docs):
        self.n_answered += 1


def logging(node, corpora=("shop",), features=FEATURES, **options):
    given = SearchOptions(url=node.url, logging="sltr", **{"patience_s": 5, **options})
    made = PluginLogging.of(given, features, corpora)
    client = connect(given)
    made.prepare(client)
    return pickle.loads(pickle.dumps(made)), pickle.loads(pickle.dumps(client))


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr("rankhammer.feature_sources.remote.plugin_logging.FIRST_PAUSE_S", 0.01)


def test_values_come_in_the_sets_order_and_the_rest_is_absent(shop):
    made, client = logging(shop)
    (known, values), (_, hat) = made.ask(client, [RED, HAT], Paced())
    row = dict(zip(FEATURES.names, values[0], strict=True))
    assert known.tolist() == [True, True, True, False]
    assert values.dtype == np.float32
    assert row["title"] > 0
    assert row["exact"] > 0
    assert row["popularity"] == np.float32(math.log10(1 + 3.0))
    assert row["length"] == 2
    assert row["sum"] == pytest.approx(row["title"] + 2 * row["popularity"], rel=1e-6)
    assert values[1, 0] == 0.0
    assert math.isnan(values[1, 1])
    assert values[1, 2] == np.float32(math.log10(1 + 9))
    assert hat[0, 3] == 1


def test_a_set_is_stored_once_under_a_name_of_its_content(shop):
    made, client = logging(shop)
    made.prepare(client)
    status, found = shop.call("GET", f"/_ltr/_featureset/{made.name}")
    assert status == 200
    assert [f["name"] for f in found["_source"]["featureset"]["features"]] == list(FEATURES.names)
    fewer = FeatureSet(name="t", features=FEATURES.features[:2])
    renamed = FeatureSet(name="other", features=FEATURES.features)
    names = {logging(shop, features=features)[0].name for features in (fewer, renamed)}
    assert len(names) == 2
    assert made.name in names


def test_a_store_of_its_own_is_used_throughout(shop):
    made, client = logging(shop, store="team_a")
    assert list(shop.call("GET", "/_ltr")[1]["stores"]) == ["team_a"]
    ((known, _),) = made.ask(client, [HAT], Paced())
    assert known.tolist() == [True]


def test_a_template_that_the_engine_cannot_run_stops_the_run_before_any_search(stand_in_shop):
    with pytest.raises(EngineError, match="no such index"):
        logging(stand_in_shop, corpora=("shop", "nothing"))
    bodies = [json.loads(text) for _, path, text in stand_in_shop.asked if "_featureset" in path]
    assert all(body["validation"]["params"]["keywords"] for body in bodies)


def test_a_node_without_the_plugin_is_named():
    with (
        LtrNode("3.6.0", plugin=False) as node,
        pytest.raises(EngineError, match="no Learning to Rank plugin") as caught,
    ):
        logging(node)
    assert "named_queries" in caught.value.hint


def test_busy_members_are_asked_again_alone_and_answers_keep_their_order(stand_in_shop):
    made, client = logging(stand_in_shop)
    pace = Paced()
    undisturbed = made.ask(client, [RED, HAT, RED], pace)
    assert (pace.n_refused, pace.n_answered) == (0, 1)
    stand_in_shop.busy_members = 2
    stand_in_shop.asked.clear()
    again = made.ask(client, [RED, HAT, RED], pace)
    lines = [text.count("\n") // 2 for _, path, text in stand_in_shop.asked if path.startswith("/_msearch")]
    assert lines == [3, 2]
    assert (pace.n_refused, pace.n_answered) == (1, 2)
    for (known, values), (known_before, values_before) in zip(again, undisturbed, strict=True):
        np.testing.assert_array_equal(known, known_before)
        np.testing.assert_array_equal(values, values_before)


def test_patience_with_busy_members_ends(stand_in_shop):
    made, client = logging(stand_in_shop, patience_s=0.05)
    stand_in_shop.busy_members = 10_000
    with pytest.raises(EngineError, match=r"too busy .* 429 rejected_execution_exception"):
        made.ask(client, [RED, HAT], Paced())


def test_a_refused_member_stops_with_the_engines_words(stand_in_shop):
    made, client = logging(stand_in_shop)
    stand_in_shop.call("DELETE", f"/_ltr/_featureset/{made.name}")
    with pytest.raises(EngineError, match=r"index 'shop': 400 .*Unknown featureset \[rankhammer_logging_"):
        made.ask(client, [HAT], Paced())


def test_a_request_asks_one_search_after_the_other_and_names_what_it_needs(stand_in_shop):
    made, client = logging(stand_in_shop)
    made.ask(client, [HAT], Paced())
    path = stand_in_shop.asked[-1][1]
    assert path.startswith("/_msearch?max_concurrent_searches=1&filter_path=responses.status,")


@pytest.mark.parametrize(
    ("features", "message"),
    [
        ([{"name": "n", "type": "field_value", "field": "x", "missing": -1}], "missing is -1"),
        (
            [
                {"name": "t", "type": "match", "field": "x", "absent": "keep"},
                {"name": "e", "type": "expression", "expression": "t + 1"},
            ],
            r"'e' computes with \['t'\]",
        ),
    ],
)
def test_what_the_plugin_cannot_compute_is_refused_before_anything_is_asked(stand_in, features, message):
    with pytest.raises(ConfigError, match=message):
        logging(stand_in, features=FeatureSet.model_validate({"name": "bad", "features": features}))
    assert stand_in.asked == []


def test_a_document_without_its_log_is_no_document_of_zeros():
    with pytest.raises(EngineError, match="'1' but logged no features"):
        read_log({"hits": {"hits": [{"_id": "1"}]}}, FEATURES, ["1"])


def test_what_is_not_finite_counts_as_absent():
    log = [{"name": "title", "value": "NaN"}, {"name": "exact", "value": "Infinity"}]
    _, values = read_log({"hits": {"hits": [{"_id": "1", "fields": {"_ltrlog": [{"log": log}]}}]}}, FEATURES, ["1"])
    assert values[0, 0] == 0.0
    assert math.isnan(values[0, 1])


@pytest.mark.parametrize("options", [{"logging": "sltrr"}, {"store": "Team A"}, {"searches_per_request": 0}])
def test_wrong_options_are_refused(options):
    with pytest.raises(ValidationError):
        SearchOptions(url="http://x:1", **options)


def test_a_store_that_somebody_made_meanwhile_is_used_and_another_refusal_is_told(stand_in_shop):
    def meanwhile(method, path):
        if (method, path) == ("PUT", "/_ltr"):
            raise bad("resource_already_exists_exception", "index [.ltrstore/x] already exists")

    stand_in_shop.on_request = meanwhile
    store = FeatureStore(connect(SearchOptions(url=stand_in_shop.url)))
    store.open()

    def never(method, path):
        if method == "PUT":
            raise bad("validation_exception", "this action would add [1] total shards, but there are none left")

    stand_in_shop.on_request = never
    with pytest.raises(EngineError, match=r"does not make the feature store /_ltr: .*none left"):
        store.open()
