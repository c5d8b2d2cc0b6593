"""What deploying asks of any OpenSearch node, on a real one without the plugin."""

from __future__ import annotations

from dataclasses import replace

import pytest
from shop import export

from rankhammer.deploy import deploy, read_exported_ranker, read_options
from rankhammer.deploy.active_ranker import ActiveRanker
from rankhammer.deploy.ltr_plugin import PLUGINS, IndexActiveRankerStore
from rankhammer.errors import EngineError
from rankhammer.search_engines.client import connect
from rankhammer.search_engines.feature_store import FeatureStore

INDEX = "rankhammer_deployments"
RECORDS = IndexActiveRankerStore(INDEX, "de/shop")


def settings(node):
    return read_options({"clusters": [{"url": node.url}]})


@pytest.fixture
def client(opensearch):
    client = connect(settings(opensearch).clusters[0])
    client.ask("DELETE", f"/{INDEX}", allowed=(404,))
    return client


def test_a_node_without_the_plugin_is_told_from_one_that_refuses(opensearch, client, tmp_path):
    assert PLUGINS.send(client).body == []
    with pytest.raises(EngineError, match="no Learning to Rank plugin"):
        FeatureStore(client).open()
    with pytest.raises(EngineError, match="no Learning to Rank plugin"):
        deploy(read_exported_ranker(export(tmp_path, version="3.6")), settings(opensearch))


def test_a_record_is_written_in_one_step_and_over_nobody_elses(client):
    assert RECORDS.read(client) == ActiveRanker("de/shop")
    entry = {"name": "a", "store": None, "tried": [{"query": "x", "n_documents": 1}], "example": "{}"}
    RECORDS.write(client, ActiveRanker("de/shop").with_active(entry, 3)[0])
    first = RECORDS.read(client)
    assert (first.active, first.deployments) == ("a", ({**entry, "is_active": True},))
    RECORDS.write(client, first.with_active({**entry, "name": "b"}, 3)[0])
    with pytest.raises(EngineError, match="another user has deployed"):
        RECORDS.write(client, first.with_active({**entry, "name": "c"}, 3)[0])
    with pytest.raises(EngineError, match="another user has deployed"):
        RECORDS.write(client, replace(first, place=None))
    assert RECORDS.read(client).names() == ["b", "a"]
