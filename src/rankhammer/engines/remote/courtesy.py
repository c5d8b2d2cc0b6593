"""What is checked before an engine is asked anything by the thousand: is it there, is it ours, is it idle."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from rankhammer.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rankhammer.engines.remote.client import Client
    from rankhammer.engines.remote.options import SearchOptions

WATCHED_S = 2.0


def check_cluster(client: Client, options: SearchOptions, corpora: Iterable[str]) -> None:
    """Refuse a cluster that must not be asked.

    Args:
        client: Asks it.
        options: What it is for.
        corpora: Whose indices have to be there.

    Raises:
        EngineError: It is live and not named, busy, or lacks an index.
    """
    if options.role == "live":
        _require_named(client, options)
    for corpus in corpora:
        _require_index(client, options.index_of(corpus), corpus)
    if options.pace == "polite":
        _require_idle(client, options)


def _require_named(client: Client, options: SearchOptions) -> None:
    name = client.ask("GET", "/_cluster/health").body["cluster_name"]
    if options.live_cluster != name:
        raise EngineError(
            f"{client.server.url} is a live cluster (role: live): collecting would compete with its users.",
            hint="Restore a snapshot elsewhere and set role: collection; or, to ask it all the same, set "
            f"live_cluster: {name}.",
        )


def _require_index(client: Client, index: str, corpus: str) -> None:
    if client.ask("HEAD", f"/{index}", allowed=(404,)).status == 404:
        raise EngineError(
            f"{client.server.url} has no index {index!r} for corpus {corpus!r}.",
            hint="Set features.source.options.index; {corpus} in it stands for the corpus' name.",
            corpus=corpus,
        )


def _require_idle(client: Client, options: SearchOptions) -> None:
    before = _searches(client)
    time.sleep(WATCHED_S)
    rate = (_searches(client) - before) / WATCHED_S
    if rate > options.max_other_searches_per_s:
        raise EngineError(
            f"{client.server.url} is busy: {rate:.0f} searches a second of others, more than "
            f"max_other_searches_per_s = {options.max_other_searches_per_s:g}.",
            hint="Wait for a quieter hour, collect from a cluster of its own, or raise the limit.",
        )


def _searches(client: Client) -> int:
    """Return how many searches all shards have answered since their nodes started."""
    path = "/_nodes/stats/indices/search?filter_path=nodes.*.indices.search.query_total"
    nodes = client.ask("GET", path).body.get("nodes", {})
    return sum(int(node["indices"]["search"]["query_total"]) for node in nodes.values())
