"""Shared by all tests: one Spark session for the whole run."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import sys
import tempfile
import threading
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from rankhammer import spark as spark_provider

sys.path += [str(Path(__file__).parents[1] / "dev"), str(Path(__file__).parent), str(Path(__file__).parent / "support")]
import engine_node
import load_documents
import solr_node
from ltr_node import VERSIONS, LtrNode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pyspark.sql import SparkSession

pytest_plugins = [
    f"pytest_plugins.{name}" for name in ("leftovers", "limits", "slowest", "in_time", "note_seconds", "groups")
]

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN and threading.current_thread() is threading.main_thread():
    # As in a job in the background: what tests start would inherit it, and Ctrl-C would never reach it.
    signal.signal(signal.SIGINT, signal.default_int_handler)

SPARK_SETTINGS = {
    "spark.master": "local[2]",
    "spark.app.name": "rankhammer-tests",
    "spark.sql.shuffle.partitions": "2",
    "spark.default.parallelism": "2",
    "spark.sql.adaptive.enabled": "false",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.memory": "1g",
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -XX:ReservedCodeCacheSize=128m",
    "spark.python.sql.dataFrameDebugging.enabled": "false",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.execution.arrow.pyspark.enabled": "true",
    "spark.sql.sources.partitionColumnTypeInference.enabled": "false",
    "spark.sql.legacy.javaCharsets": "true",
}


@pytest.fixture(scope="session")
def spark() -> Iterator[SparkSession]:
    """One local session; tests must not stop it."""
    spark_provider.configure(lambda: SPARK_SETTINGS)
    session = spark_provider.session()
    yield session
    session.stop()


@dataclass(frozen=True)
class Node:
    """A real search engine on this machine."""

    product: str
    version: str
    folder: Path
    port: int
    plugin: Path | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        engine_node.start(self.folder, self.product, self.version, self.port, self.plugin)

    def kill(self) -> None:
        engine_node.stop(self.folder, engine_node.signal.SIGKILL)

    def load(self, documents: str, **options) -> dict[str, int]:
        return load_documents.load(self.url, documents, **options)

    def call(self, method: str, path: str, body=None):
        return load_documents.call(self.url, method, path, body)


def _run_node(product: str, version: str, plugin: Path | None = None) -> Iterator[Node]:
    _require(f"{product} {version}", engine_node.available(product, version))
    # Not below pytest's own folder: it is closed to the user that the node runs as.
    folder = Path(tempfile.gettempdir()) / f"rankhammer-{product}-{version}{'-plugin' if plugin else ''}-{os.getpid()}"
    node = Node(product, version, folder, _free_port(), plugin)
    node.start()
    try:
        yield node
    finally:
        engine_node.stop(folder)
        shutil.rmtree(folder, ignore_errors=True)


def _require(engine: str, missing: str) -> None:
    """Skip where a real server cannot be started; in CI that is a fault of CI, not a reason to be content."""
    if missing:
        (pytest.fail if os.environ.get("RANKHAMMER_REQUIRE_ENGINES") else pytest.skip)(f"{engine}: {missing}")


def _free_port() -> int:
    """Find a port that is free, and the one a thousand above it, too; runs side by side begin at different ones."""
    first = 19200 + os.getpid() % 500
    for port in range(first, first + 100):
        with socket.socket() as http, socket.socket() as transport:
            if http.connect_ex(("127.0.0.1", port)) and transport.connect_ex(("127.0.0.1", port + 1000)):
                return port
    raise RuntimeError(f"no free port from {first} on")


@pytest.fixture(scope="session")
def opensearch() -> Iterator[Node]:
    """OpenSearch 3, without any plugin."""
    yield from _run_node("opensearch", "3.6.0")


@pytest.fixture(scope="session")
def opensearch_2() -> Iterator[Node]:
    """OpenSearch 2, minimal: its only analyzer for texts is `standard`."""
    yield from _run_node("opensearch", "2.19.6")


@pytest.fixture(scope="session")
def elasticsearch() -> Iterator[Node]:
    """Elasticsearch 8, minimal: its only analyzer for texts is `standard`."""
    yield from _run_node("elasticsearch", "8.19.21")


LTR_ZIP = Path(os.environ["OPENSEARCH_LTR_ZIP"]) if os.environ.get("OPENSEARCH_LTR_ZIP") else None
LTR_VERSIONS = [engine_node.plugin_version(LTR_ZIP, "opensearch")] if LTR_ZIP else list(VERSIONS)


@pytest.fixture(scope="session")
def _plugin_node(request: pytest.FixtureRequest) -> Iterator[Node]:
    yield from _run_node("opensearch", LTR_VERSIONS[0], LTR_ZIP)


@pytest.fixture(params=LTR_VERSIONS)
def ltr(request: pytest.FixtureRequest) -> Iterator[LtrNode | RealLtrNode]:
    """A fresh node with the Learning to Rank plugin: the stand-in, or a real one where OPENSEARCH_LTR_ZIP names one."""
    if LTR_ZIP:
        node = RealLtrNode(request.getfixturevalue("_plugin_node"))
        node.clear()
        yield node
        return
    with LtrNode(request.param) as node:
        yield node


@pytest.fixture
def stand_in() -> Iterator[LtrNode]:
    """The stand-in alone, for what no real node does on demand: being busy, breaking off, asking for a login."""
    with LtrNode("3.6.0") as node:
        yield node


class RealLtrNode:
    """A real node, asked as the stand-in is."""

    def __init__(self, node: Node) -> None:
        self.url, self.version, self.product = node.url, node.version, node.product

    def call(self, method: str, path: str, body: object = None) -> tuple[int, object]:
        content = body.encode() if isinstance(body, str) else None if body is None else json.dumps(body).encode()
        kind = "application/x-ndjson" if isinstance(body, str) else "application/json"
        request = urllib.request.Request(self.url + path, content, {"content-type": kind}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                status, text = answer.status, answer.read()
        except urllib.error.HTTPError as error:
            status, text = error.code, error.read()
        return status, json.loads(text) if text else {}

    def clear(self) -> None:
        """Take away what an earlier test has left, feature stores of any name included."""
        _, found = self.call("GET", "/_ltr")
        for store in found.get("stores", {}):
            self.call("DELETE", "/_ltr" if store == "_default_" else f"/_ltr/{store}")
        for path in ("/shop", "/rankhammer_deployments", "/contract-a", "/contract-b"):
            self.call("DELETE", path)


@dataclass(frozen=True)
class SolrNode:
    """A real Solr on this machine."""

    folder: Path
    port: int
    product: str = "solr"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/solr"

    def load(self, documents: str, **options) -> dict[str, int]:
        return solr_node.load(self.folder, documents, **options)

    def call(self, path: str, body=None, method=None):
        return solr_node.call(self.url + path, body, method=method)


@pytest.fixture(scope="session")
def solr() -> Iterator[SolrNode]:
    """Solr 8 with its Learning To Rank module."""
    _require("Solr", solr_node.available())
    folder = Path(tempfile.mkdtemp(prefix="rankhammer-solr-"))
    node = SolrNode(folder, _free_port())
    solr_node.start(folder, node.port)
    try:
        yield node
    finally:
        solr_node.stop(folder)
        shutil.rmtree(folder, ignore_errors=True)
