"""What is checked before an engine is asked anything by the thousand: is it there, is it ours, is it idle."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from rankhammer.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rankhammer.engines.remote.client import Client
    from rankhammer.engines.remote.options import CollectOptions

WATCHED_S = 2.0


class Cluster(Protocol):
    """What a kind of engine tells of itself."""

    def name(self) -> str:
        """Return what tells this cluster from others: its own name, or its address."""
        ...

    def has(self, index: str) -> bool:
        """Say whether an index, a collection or an alias is there."""
        ...

    def count_searches(self) -> int:
        """Return how many searches were answered since the engine started."""
        ...


def check_cluster(cluster: Cluster, options: CollectOptions, corpora: Iterable[str]) -> None:
    """Refuse a cluster that must not be asked.

    Args:
        cluster: Tells of itself.
        options: What it is for.
        corpora: Whose indices have to be there.

    Raises:
        EngineError: It is live and not named, busy, or lacks an index.
    """
    if options.role == "live":
        _require_named(cluster, options)
    for corpus in corpora:
        _require_index(cluster, options, corpus)
    if options.pace == "polite":
        _require_idle(cluster, options)


def _require_named(cluster: Cluster, options: CollectOptions) -> None:
    name = cluster.name()
    if options.live_cluster != name:
        raise EngineError(
            f"{options.url} is a live cluster (role: live): collecting would compete with its users.",
            hint="Restore a snapshot elsewhere and set role: collection; or, to ask it all the same, set "
            f"live_cluster: {name}.",
        )


def _require_index(cluster: Cluster, options: CollectOptions, corpus: str) -> None:
    index = options.index_of(corpus)
    if not cluster.has(index):
        raise EngineError(
            f"{options.url} has no index {index!r} for corpus {corpus!r}.",
            hint="Set features.source.options.index; {corpus} in it stands for the corpus' name.",
            corpus=corpus,
        )


def _require_idle(cluster: Cluster, options: CollectOptions) -> None:
    before = cluster.count_searches()
    time.sleep(WATCHED_S)
    rate = (cluster.count_searches() - before) / WATCHED_S
    if rate > options.max_other_searches_per_s:
        raise EngineError(
            f"{options.url} is busy: {rate:.0f} searches a second of others, more than "
            f"max_other_searches_per_s = {options.max_other_searches_per_s:g}.",
            hint="Wait for a quieter hour, collect from a cluster of its own, or raise the limit.",
        )


@dataclass(frozen=True)
class SearchCluster:
    """OpenSearch or Elasticsearch."""

    client: Client

    def name(self) -> str:
        """See `Cluster`."""
        return str(self.client.ask("GET", "/_cluster/health").body["cluster_name"])

    def has(self, index: str) -> bool:
        """See `Cluster`."""
        return self.client.ask("HEAD", f"/{index}", allowed=(404,)).status != 404

    def count_searches(self) -> int:
        """See `Cluster`; a search counts once a shard."""
        path = "/_nodes/stats/indices/search?filter_path=nodes.*.indices.search.query_total"
        nodes = self.client.ask("GET", path).body.get("nodes", {})
        return sum(int(node["indices"]["search"]["query_total"]) for node in nodes.values())


@dataclass(frozen=True)
class SolrCluster:
    """Solr; of several nodes, the one that `url` names."""

    client: Client

    def name(self) -> str:
        """See `Cluster`."""
        return self.client.server.url

    def has(self, index: str) -> bool:
        """See `Cluster`."""
        return self.client.ask("GET", f"/{index}/select?q=*:*&rows=0", allowed=(404,)).status != 404

    def count_searches(self) -> int:
        """See `Cluster`."""
        path = "/admin/metrics?group=core&prefix=QUERY./select.requests&compact=true"
        cores = self.client.ask("GET", path).body["metrics"]
        return sum(_total(core) for core in cores.values())


def _total(core: dict[str, Any]) -> int:
    return sum(int(found if isinstance(found, int) else found.get("count", 0)) for found in core.values())
