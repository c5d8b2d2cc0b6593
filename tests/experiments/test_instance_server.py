"""What instances may ask the driver of their group for: files of the experiment, with the token."""

from __future__ import annotations

import urllib.error
import urllib.request

import pytest
import urllib3

from rankhammer.experiments.context import CheckpointStore, MetricsWriter
from rankhammer.experiments.driver_client import DriverClient, DriverError
from rankhammer.experiments.folder import ExperimentFolder
from rankhammer.experiments.metrics_table import plot, read_metrics
from rankhammer.experiments.server import Calls, InstanceServer
from rankhammer.storage.hadoop import unfinished_name

TOKEN = "a-token"


@pytest.fixture
def server(tmp_path):
    (tmp_path / "secret.txt").write_text("outside")
    started = InstanceServer("127.0.0.1", TOKEN, ExperimentFolder(f"{tmp_path}/one"), Calls(echo=dict))
    yield started
    started.close()


@pytest.fixture
def client(server):
    return DriverClient(server.url, TOKEN)


def test_files_are_written_read_listed_and_removed(client):
    client.write("results/a b.txt", b"0123456789")
    assert client.read("results/a b.txt") == b"0123456789"
    assert client.read_range("results/a b.txt", 2, 3) == b"234"
    assert client.sizes("results") == {"a b.txt": 10}
    client.delete("results")
    assert (client.read("results/a b.txt"), client.sizes("results")) == (None, {})


def test_of_two_who_create_a_file_one_is_told_that_it_did(client):
    assert [client.create("lock", b"1"), client.create("lock", b"2")] == [True, False]
    assert client.read("lock") == b"1"


def test_without_the_token_nothing_is_answered(server):
    with pytest.raises(DriverError, match="403"):
        DriverClient(server.url, "another").call("echo")


@pytest.mark.parametrize(
    "path", ["/files/../../secret.txt", "/files/%2e%2e/%2e%2e/secret.txt", "/spec.json", "/files/..%2f"]
)
def test_nothing_outside_of_the_files_is_read(server, path):
    host, _, port = server.url.removeprefix("http://").partition(":")
    with urllib3.HTTPConnectionPool(host, int(port)) as pool:
        answer = pool.urlopen("GET", path, headers={"Authorization": f"Bearer {TOKEN}"}, retries=False)
    assert answer.status == 500
    assert b"outside of the experiment's files" in answer.data


def test_a_call_that_is_none_is_not_found(server):
    asked = urllib.request.Request(f"{server.url}/nothing", b"{}", {"Authorization": f"Bearer {TOKEN}"})
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(asked)


def test_a_checkpoint_that_was_not_finished_is_none(client, tmp_path):
    store = CheckpointStore(client)
    store.save(3, b"three")
    client.write("checkpoints/0000000009/content", b"half of i")
    assert (store.steps(), store.latest(), store.read(3)) == ([3], 3, b"three")


def test_a_checkpoint_may_be_a_folder(client, tmp_path):
    source = tmp_path / "source"
    (source / "deep").mkdir(parents=True)
    (source / "deep" / "weights.bin").write_bytes(b"\x00\x01")
    store = CheckpointStore(client)
    store.save(1, source)
    assert (store.fetch(1) / "deep" / "weights.bin").read_bytes() == b"\x00\x01"


def test_of_a_step_that_a_later_attempt_took_again_the_later_value_counts(server, client, tmp_path):
    for attempt, values in ((1, {1: 0.5, 2: 0.4}), (2, {2: 0.3, 3: float("nan")})):
        writer = MetricsWriter(client, "chief-0", attempt)
        for step, value in values.items():
            writer.log(step, loss=value)
        writer.flush()
    metrics = tmp_path / "one" / "files" / "metrics"
    (metrics / "chief-0" / unfinished_name("003-000001.jsonl")).write_text('{"step": 1, "met')
    (metrics / "notes.txt").write_text("of the experiment's own")
    found = read_metrics(ExperimentFolder(f"{tmp_path}/one"))
    assert [(row["step"], row["value"], row["attempt"]) for row in found] == [(1, 0.5, 1), (2, 0.3, 2), (3, None, 2)]
    (line,) = plot(found, "Metrics").data
    assert (line.name, list(line.y)) == ("loss (chief-0)", [0.5, 0.3, None])
