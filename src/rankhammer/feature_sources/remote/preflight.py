"""What is checked before an engine is asked anything by the thousand: is it there, is it ours, is it idle."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from rankhammer.errors import EngineError
from rankhammer.search_engines.paths import path
from rankhammer.search_engines.shapes import ClusterHealth, Metrics, Nodes

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rankhammer.feature_sources.remote.options import CollectOptions
    from rankhammer.search_engines.client import Client

WATCHED_S = 2.0


class ProbedCluster(Protocol):
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


def check_cluster(cluster: ProbedCluster, options: CollectOptions, corpora: Iterable[str]) -> None:
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


def _require_named(cluster: ProbedCluster, options: CollectOptions) -> None:
    name = cluster.name()
    if options.live_cluster != name:
        raise EngineError(
            f"{options.url} is a live cluster (role: live): collecting would compete with its users.",
            hint="Restore a snapshot elsewhere and set role: collection; or, to query it anyway, set "
            f"live_cluster: {name}.",
        )


def _require_index(cluster: ProbedCluster, options: CollectOptions, corpus: str) -> None:
    index = options.index_of(corpus)
    if not cluster.has(index):
        raise EngineError(
            f"{options.url} has no index {index!r} for corpus {corpus!r}.",
            hint="Set features.source.options.index; {corpus} in it stands for the corpus' name.",
            corpus=corpus,
        )


def _require_idle(cluster: ProbedCluster, options: CollectOptions) -> None:
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
        """See `ProbedCluster`."""
        return self.client.ask("GET", "/_cluster/health").read(ClusterHealth).cluster_name

    def has(self, index: str) -> bool:
        """See `ProbedCluster`."""
        return self.client.ask("HEAD", path(index), allowed=(404,)).status != 404

    def count_searches(self) -> int:
        """See `ProbedCluster`; a search counts once per shard."""
        asked = "/_nodes/stats/indices/search?filter_path=nodes.*.indices.search.query_total"
        nodes = self.client.ask("GET", asked).read(Nodes).nodes
        return sum(node.indices.search.query_total for node in nodes.values())


@dataclass(frozen=True)
class SolrCluster:
    """Solr; of several nodes, the one that `url` names."""

    client: Client

    def name(self) -> str:
        """See `ProbedCluster`."""
        return self.client.server.url

    def has(self, index: str) -> bool:
        """See `ProbedCluster`."""
        return self.client.ask("GET", f"{path(index, 'select')}?q=*:*&rows=0", allowed=(404,)).status != 404

    def count_searches(self) -> int:
        """See `ProbedCluster`."""
        asked = "/admin/metrics?group=core&prefix=QUERY./select.requests&compact=true"
        cores = self.client.ask("GET", asked).read(Metrics).metrics
        counts = [found for core in cores.values() for found in core.values()]
        return sum(found if isinstance(found, int) else found.count for found in counts)
