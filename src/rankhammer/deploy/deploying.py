"""Rankers to clusters: stored and tried on all of them first, made active last."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rankhammer.deploy.base import Asked, entry_of
from rankhammer.deploy.record import Record
from rankhammer.deploy.trying import try_ranker
from rankhammer.engines.remote.client import connect
from rankhammer.errors import ConfigError, EngineError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rankhammer.deploy.options import DeployOptions
    from rankhammer.deploy.package import Package
    from rankhammer.deploy.requests import Request
    from rankhammer.engines.remote.client import Client


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


def deploy(package: Package, options: DeployOptions) -> list[Deployed]:
    """Store a ranker on every cluster, try it there, and make it active everywhere when all went well.

    Args:
        package: The exported ranker.
        options: Which clusters, and how it is tried.

    Returns:
        One entry a cluster, in order.

    Raises:
        EngineError: A cluster does not fit, refuses, or scores otherwise; until the last step nothing is active.
        ConfigError: There are no such credentials, or the clusters are of another engine.
    """
    _require_engine(package, options)
    clients = [connect(cluster) for cluster in options.clusters]
    index = options.index_of(package.corpus)
    for client in clients:
        package.target.require_fitting(client, package, index)
    tried = [_store_and_try(client, package, index, options) for client in clients]
    done: list[Deployed] = []
    for client, facts in zip(clients, tried, strict=True):
        try:
            done.append(_activate(client, package, options, facts))
        except EngineError as exc:
            raise halfway(exc, done) from exc
    return done


def planned(package: Package, options: DeployOptions) -> list[tuple[str, list[Request]]]:
    """Return what `deploy` would ask of clusters on which nothing is yet; nothing is sent.

    Args:
        package: The exported ranker.
        options: Which clusters, and how it is tried.

    Returns:
        (url, requests in order) of each cluster.
    """
    _require_engine(package, options)
    target, index = package.target, options.index_of(package.corpus)
    record, _ = Record(package.corpus).with_active(_entry(package, index, ()), options.keep)
    requests = [*target.fit_requests(package, index), *target.upload_requests(package, index, options.queries[0])]
    for asked in searches(options, index):
        requests.append(target.rerank_request(package.example, asked))
        requests.append(target.log_request(package, asked.of(["<the documents found>"])))
    records = target.records(options, package.corpus)
    requests += [records.read_request(), *records.write_requests(record)]
    return [(cluster.url, requests) for cluster in options.clusters]


def searches(options: DeployOptions, index: str) -> list[Asked]:
    """Return the searches by which a ranker is tried."""
    return [Asked(index, query, options.n_documents) for query in options.queries]


def _require_engine(package: Package, options: DeployOptions) -> None:
    if package.target.engine != options.engine:
        raise ConfigError(
            f"{package.folder} is for {package.target.engine}, but deploy.yml has clusters of {options.engine}.",
            hint=f"Set engine: {package.target.engine} in the environment's deploy.yml, or --engine with --url.",
        )


def _store_and_try(client: Client, package: Package, index: str, options: DeployOptions) -> tuple[dict[str, Any], ...]:
    package.target.upload(client, package, index, options.queries[0])
    return tuple(try_ranker(client, package, asked) for asked in searches(options, index))


def _activate(client: Client, package: Package, options: DeployOptions, tried: tuple[dict[str, Any], ...]) -> Deployed:
    records = package.target.records(options, package.corpus)
    record = records.read(client)
    where = client.server.url
    if record.active == package.name:
        return Deployed(where, package.corpus, package.name, package.name, (), tried)
    entry = _entry(package, options.index_of(package.corpus), tried)
    after, dropped = record.with_active(entry, options.keep)
    records.write(client, after)
    # Only now: until here the record named them.
    for old in dropped:
        package.target.remove(client, old)
    removed = tuple(str(old["name"]) for old in dropped)
    return Deployed(where, package.corpus, package.name, record.active, removed, tried)


def _entry(package: Package, index: str, tried: Sequence[dict[str, Any]]) -> dict[str, Any]:
    manifest = package.manifest
    return {
        **entry_of(package, index),
        "target": manifest["target"],
        "feature_set": manifest["feature_set"],
        "parity": manifest["parity"]["max_abs_difference"],
        "tried": list(tried),
        "deployed_at": datetime.now(UTC).isoformat(timespec="seconds"),
        # As a text: a document of fields of its own would be mapped, and searched, like one.
        "example": json.dumps(package.example),
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
