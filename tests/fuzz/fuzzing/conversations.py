"""What clients of engines and of YARN are asked to do, and what a sound server answers."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ltr_node import LtrNode
from shop import FEATURES, fill

from rankhammer.deploy import deploy, read_options, rollback
from rankhammer.errors import ClusterError, EngineError
from rankhammer.feature_sources.remote.base import FeatureSearch
from rankhammer.feature_sources.remote.concurrency_limit import Pace
from rankhammer.feature_sources.remote.index_reading import IndexReader
from rankhammer.feature_sources.remote.options import IndexOptions, SearchOptions
from rankhammer.feature_sources.remote.plugin_logging import PluginLogging
from rankhammer.search_engines.client import Server, connect
from rankhammer.search_engines.feature_store import FeatureStore, SolrStore
from rankhammer.yarn import app_monitor
from rankhammer.yarn.app_monitor import Progress
from rankhammer.yarn.resource_manager import ResourceManager

if TYPE_CHECKING:
    from collections.abc import Callable

    from rankhammer.deploy import ExportedRanker
    from rankhammer.errors import RankhammerError

    Sound = Callable[[str, str, bytes], tuple[int, Any]]

APP = "application_1_1"
QUICK = {"timeout_s": 0.5, "patience_s": 0.3, "max_answer_mib": 1}
_NODE = {"id": "n:1", "usedMemoryMB": 1, "availMemoryMB": 9, "usedVirtualCores": 1, "availableVirtualCores": 3}
_LIMIT = [{"name": "memory-mb", "maximumAllocation": 8}, {"name": "vcores", "maximumAllocation": 2}]
_PARTITION = {"configuredMaxResource": {"resourceInformations": {"resourceInformation": _LIMIT}}}
_QUEUE = {
    "queueName": "root.default",
    "state": "RUNNING",
    "absoluteMaxCapacity": 50.0,
    "capacities": {"queueCapacitiesByPartition": [_PARTITION]},
}
_ATTEMPT = {"id": 1, "appAttemptId": "a1", "containerId": "c1", "startTime": 1, "finishedTime": 0, "nodeId": "n:1"}
_CONTAINER = {"containerId": "c2", "containerState": "RUNNING", "elapsedTime": 5, "nodeId": "n:1", "logUrl": "http://x"}
YARN: dict[str, Any] = {
    "/info": {"clusterInfo": {"resourceManagerVersion": "3.4.1"}},
    "/nodes": {"nodes": {"node": [_NODE, {**_NODE, "id": "n:2", "nodeLabels": ["gpu"]}]}},
    "/scheduler": {"scheduler": {"schedulerInfo": {"queues": {"queue": [_QUEUE]}, "queueName": "root"}}},
    "/containers": {"container": [_CONTAINER]},
    "/appattempts": {"appAttempts": {"appAttempt": [_ATTEMPT]}},
    f"/{APP}": {"app": {"id": APP, "state": "RUNNING", "finalStatus": "UNDEFINED", "elapsedTime": 9, "user": "u"}},
    "/apps": {"apps": {"app": [{"id": APP}]}},
}
"""End of a path to the answer."""
_MODEL = {"name": "m", "class": "x", "store": "m", "features": [{"name": "f"}], "params": {"weights": {"f": 1.0}}}
SOLR: dict[str, Any] = {
    "/feature-store/m": {"responseHeader": {"status": 0}, "features": [{"name": "g", "class": "x", "params": {}}]},
    "/feature-store": {"responseHeader": {"status": 0, "QTime": 1}},
    "/model-store": {"models": [_MODEL]},
    "/model-store/m": {"responseHeader": {"status": 0}},
    "/system": {"lucene": {"solr-spec-version": "9.5.0"}, "mode": "solrcloud"},
    "": {"responseHeader": {"status": 0}},
}
_FACTS = {"settings": {"index": {"uuid": "u", "number_of_shards": "2"}}, "mappings": {"properties": {}}, "aliases": {}}
INDEX: dict[str, Any] = {
    "/events": {"events-1": _FACTS, "events-2": _FACTS},
    "": {"timed_out": False, "_shards": {"failed": 0, "total": 2}, "hits": {"total": {"value": 3, "relation": "eq"}},
         "aggregations": {"max": {"value": 2.0}, "sum": {"value": 3.0}}},
}  # fmt: skip


@dataclass
class Conversation:
    """One thing that a client does.

    Args:
        sound: What a sound server answers.
        act: Given the server's address, does it.
        error: What an answer that cannot be used has to end in.
    """

    sound: Sound
    act: Callable[[str], Any]
    error: type[RankhammerError]


def conversation(name: str, rankers: list[ExportedRanker]) -> Conversation:
    """Return a conversation by its name; those with a plugin begin with a node of their own.

    Args:
        name: One of NAMES.
        rankers: Two, for the index `shop`.
    """
    if name.startswith("yarn"):
        return Conversation(_by_end(YARN), _YARN_ACTS[name], ClusterError)
    if name.startswith("solr"):
        return Conversation(_by_end(SOLR), _SOLR_ACTS[name], EngineError)
    if name.startswith("index"):
        return Conversation(_by_end(INDEX), lambda url: _INDEX_ACTS[name](url), EngineError)
    node = fill(LtrNode("3.6.0"))
    if name == "rollback":
        _filled_with(node, rankers)
    else:
        # It is asked directly.
        node._server.server_close()
    acts = {
        "store": lambda url: FeatureStore(connect(Server(url=url, **QUICK)), "mine").open(),
        "logging": _logged,
        "deploy": lambda url: deploy(rankers[0], _options(url)),
        "rollback": lambda url: rollback("shop", _options(url), to=rankers[0].name),
    }
    return Conversation(
        lambda method, path, body: node.call(method, path, body.decode() or None), acts[name], EngineError
    )


def _filled_with(node: LtrNode, rankers: list[ExportedRanker]) -> None:
    with node:
        for ranker in rankers:
            deploy(ranker, _options(node.url))


def _options(url: str) -> Any:
    cluster = {"url": url, **QUICK}
    return read_options({"clusters": [cluster], "queries": ["red shoe"], "n_documents": 4})


def _logged(url: str) -> Any:
    options = SearchOptions(url=url, logging="sltr", **QUICK)
    made, client = PluginLogging.of(options, FEATURES, ("shop",)), connect(options)
    made.prepare(client)
    return made.ask(client, [FeatureSearch("shop", "red shoe", ("1", "2", "nowhere"))], Pace(4, greedy=True))


def _reader(url: str, product: str = "opensearch") -> IndexReader:
    return IndexReader(product, IndexOptions(url=url, indices=("events",), **QUICK))


def _solr(url: str) -> SolrStore:
    return SolrStore(connect(Server(url=url, **QUICK)), "core")


_INDEX_ACTS: dict[str, Callable[[str], Any]] = {
    "index found": lambda url: _reader(url).require_found(),
    "index fingerprint": lambda url: _reader(url, "elasticsearch").fingerprint(),
}
_SOLR_ACTS: dict[str, Callable[[str], Any]] = {
    "solr features": lambda url: _solr(url).put_features("m", [{"name": "f", "class": "x", "params": {}}]),
    "solr model": lambda url: _solr(url).model("m"),
    "solr remove": lambda url: _solr(url).remove("m"),
    "solr reload": lambda url: _solr(url).reload(),
}
_YARN_ACTS: dict[str, Callable[[str], Any]] = {
    "yarn version": lambda url: ResourceManager([url]).version(),
    "yarn nodes": lambda url: ResourceManager([url]).nodes(),
    "yarn queues": lambda url: ResourceManager([url]).queues(),
    "yarn progress": lambda url: app_monitor.table(_progress(url)),
    "yarn find": lambda url: app_monitor.find(ResourceManager([url]), "tag"),
}
NAMES = (*_YARN_ACTS, *_SOLR_ACTS, *_INDEX_ACTS, "store", "logging", "deploy", "rollback")


def _progress(url: str) -> Progress:
    progress = Progress(APP)
    app_monitor.update(progress, ResourceManager([url]))
    str(progress)
    return progress


def _by_end(answers: dict[str, Any]) -> Sound:
    """Answer by the end of a path; each answer is a copy, which may be changed."""

    def answer(method: str, path: str, body: bytes) -> tuple[int, Any]:
        plain = path.partition("?")[0]
        end = next((end for end in answers if end and plain.endswith(end)), "")
        return 200, json.loads(json.dumps(answers.get(end, {})))

    return answer
