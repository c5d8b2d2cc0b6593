"""Rankers to clusters: stored and tried on all of them first, made active last."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rankhammer.deploy.active_ranker import ActiveRanker
from rankhammer.deploy.base import SampleSearch, entry_of
from rankhammer.deploy.smoke_test import try_ranker
from rankhammer.errors import ConfigError, EngineError
from rankhammer.search_engines.client import connect

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rankhammer.deploy.base import ExportedRanker
    from rankhammer.deploy.options import DeployOptions
    from rankhammer.deploy.requests import EngineRequest
    from rankhammer.search_engines.client import Client


@dataclass(frozen=True)
class Deployed:
    """What a deployment or a rollback changed on one cluster.

    Args:
        url: The cluster.
        corpus: Whose ranker it is.
        active: The ranker that counts now.
        before: The one that counted until now; empty for none.
        removed: Rankers that were deleted, being older than the last to keep.
        tried: Searches by which it was tried, each with its number of documents and largest difference.
    """

    url: str
    corpus: str
    active: str
    before: str
    removed: tuple[str, ...]
    tried: tuple[dict[str, Any], ...]


def deploy(exported: ExportedRanker, options: DeployOptions) -> list[Deployed]:
    """Store a ranker on every cluster, try it there, and make it active everywhere when all went well.

    Args:
        exported: The exported ranker.
        options: Which clusters, and how it is tried.

    Returns:
        One entry per cluster, in order.

    Raises:
        EngineError: A cluster does not fit, refuses, or scores otherwise; until the last step nothing is active.
        ConfigError: There are no such credentials, or the clusters are of another engine.
    """
    _require_engine(exported, options)
    clients = [connect(cluster) for cluster in options.clusters]
    index = options.index_of(exported.corpus)
    for client in clients:
        exported.target.require_fitting(client, exported, index)
    tried = [_store_and_try(client, exported, index, options) for client in clients]
    done: list[Deployed] = []
    for client, facts in zip(clients, tried, strict=True):
        try:
            done.append(_activate(client, exported, options, facts))
        except EngineError as exc:
            raise halfway(exc, done) from exc
    return done


def planned(exported: ExportedRanker, options: DeployOptions) -> list[tuple[str, list[EngineRequest]]]:
    """Return what `deploy` would ask of clusters on which nothing is yet; nothing is sent.

    Args:
        exported: The exported ranker.
        options: Which clusters, and how it is tried.

    Returns:
        (url, requests in order) of each cluster.
    """
    _require_engine(exported, options)
    target, index = exported.target, options.index_of(exported.corpus)
    active, _ = ActiveRanker(exported.corpus).with_active(_entry(exported, index, ()), options.keep)
    requests = [*target.fit_requests(exported, index), *target.upload_requests(exported, index, options.queries[0])]
    for sample in searches(options, index):
        requests.append(target.rerank_request(exported.example, sample))
        requests.append(target.log_request(exported, sample.of(["<the documents found>"])))
    store = target.store(options, exported.corpus)
    requests += [store.read_request(), *store.write_requests(active)]
    return [(cluster.url, requests) for cluster in options.clusters]


def searches(options: DeployOptions, index: str) -> list[SampleSearch]:
    """Return the searches by which a ranker is tried."""
    return [SampleSearch(index, query, options.n_documents) for query in options.queries]


def _require_engine(exported: ExportedRanker, options: DeployOptions) -> None:
    if exported.target.engine != options.engine:
        raise ConfigError(
            f"{exported.folder} is for {exported.target.engine}, but deploy.yml has clusters of {options.engine}.",
            hint=f"Set engine: {exported.target.engine} in the environment's deploy.yml, or --engine with --url.",
        )


def _store_and_try(
    client: Client, exported: ExportedRanker, index: str, options: DeployOptions
) -> tuple[dict[str, Any], ...]:
    exported.target.upload(client, exported, index, options.queries[0])
    return tuple(try_ranker(client, exported, sample) for sample in searches(options, index))


def _activate(
    client: Client, exported: ExportedRanker, options: DeployOptions, tried: tuple[dict[str, Any], ...]
) -> Deployed:
    store = exported.target.store(options, exported.corpus)
    active = store.read(client)
    where = client.server.url
    if active.active == exported.name:
        return Deployed(where, exported.corpus, exported.name, exported.name, (), tried)
    entry = _entry(exported, options.index_of(exported.corpus), tried)
    after, dropped = active.with_active(entry, options.keep)
    store.write(client, after)
    # Only now: until here the record named them.
    for old in dropped:
        exported.target.remove(client, old)
    removed = tuple(str(old["name"]) for old in dropped)
    return Deployed(where, exported.corpus, exported.name, active.active, removed, tried)


def _entry(exported: ExportedRanker, index: str, tried: Sequence[dict[str, Any]]) -> dict[str, Any]:
    manifest = exported.manifest
    return {
        **entry_of(exported, index),
        "target": manifest["target"],
        "feature_set": manifest["feature_set"],
        "parity": manifest["parity"]["max_abs_difference"],
        "tried": list(tried),
        "deployed_at": datetime.now(UTC).isoformat(timespec="seconds"),
        # As a text: a document of fields of its own would be mapped, and searched, like one.
        "example": json.dumps(exported.example),
    }


def halfway(error: EngineError, done: Sequence[Deployed]) -> EngineError:
    """Say on which clusters a change counts already.

    Args:
        error: What went wrong on the next one.
        done: The clusters on which all went well.

    Returns:
        The error to raise.
    """
    if not done:
        return error
    changed = ", ".join(f"{one.url} ({one.active})" for one in done)
    return EngineError(
        f"{error.message} The change counts already on {changed}.",
        hint=f"{error.hint} Then name the other clusters by --url and run again.".lstrip(),
    )
