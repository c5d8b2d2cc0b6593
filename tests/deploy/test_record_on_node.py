"""What deploying asks of any OpenSearch node, on a real one without the plugin."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ltr.shop import export
from rankhammer.deploy import deploy, read_options, read_package
from rankhammer.deploy.fitting import PLUGINS
from rankhammer.deploy.record import Record, read_record, write_record
from rankhammer.engines.remote.client import connect
from rankhammer.engines.remote.feature_store import FeatureStore
from rankhammer.errors import EngineError

INDEX = "rankhammer_deployments"


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
        deploy(read_package(export(tmp_path, version="3.6")), settings(opensearch))


def test_a_record_is_written_in_one_step_and_over_nobody_elses(client):
    assert read_record(client, INDEX, "de/shop") == Record("de/shop")
    entry = {"name": "a", "store": None, "tried": [{"query": "x", "n_documents": 1}], "example": "{}"}
    write_record(client, INDEX, Record("de/shop").with_active(entry, 3)[0])
    first = read_record(client, INDEX, "de/shop")
    assert (first.active, first.deployments) == ("a", (entry,))
    write_record(client, INDEX, first.with_active({**entry, "name": "b"}, 3)[0])
    with pytest.raises(EngineError, match="somebody else has deployed"):
        write_record(client, INDEX, first.with_active({**entry, "name": "c"}, 3)[0])
    with pytest.raises(EngineError, match="somebody else has deployed"):
        write_record(client, INDEX, replace(first, place=None))
    assert read_record(client, INDEX, "de/shop").names() == ["b", "a"]
