"""Back to a ranker that is still on the clusters; no file of it is needed."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from rankhammer.deploy.deploying import Deployed, halfway, searches
from rankhammer.deploy.targets import target_named
from rankhammer.deploy.trying import reranked
from rankhammer.engines.remote.client import connect
from rankhammer.errors import DataError, EngineError, did_you_mean

if TYPE_CHECKING:
    from rankhammer.deploy.base import Asked, Target
    from rankhammer.deploy.options import DeployOptions
    from rankhammer.deploy.record import Record
    from rankhammer.deploy.requests import Request
    from rankhammer.engines.remote.client import Client


def rollback(corpus: str, options: DeployOptions, *, to: str | None = None) -> list[Deployed]:
    """Make an earlier ranker active again on every cluster, when it still reranks on all of them.

    Args:
        corpus: Whose ranker.
        options: Which clusters.
        to: Name of the ranker; None is the one that was active before the present one.

    Returns:
        One entry a cluster, in order.

    Raises:
        DataError: There is no earlier ranker, or none of that name.
        EngineError: A cluster refuses, or the ranker does not work there; nothing is changed anywhere unless it is
            the last step that fails, which the message says.
    """
    engine = target_named(options.engine)
    place = engine.records(options, corpus)
    clients = [connect(cluster) for cluster in options.clusters]
    records = [place.read(client) for client in clients]
    chosen = [_chosen(client, record, to) for client, record in zip(clients, records, strict=True)]
    for client, record, name in zip(clients, records, chosen, strict=True):
        _try(client, engine, record.entry(name), options)
    done: list[Deployed] = []
    for client, record, name in zip(clients, records, chosen, strict=True):
        try:
            place.write(client, replace(record, active=name))
        except EngineError as exc:
            raise halfway(exc, done) from exc
        done.append(Deployed(client.server.url, corpus, name, record.active, (), ()))
    return done


def planned_rollback(corpus: str, options: DeployOptions, *, to: str | None = None) -> list[tuple[str, list[Request]]]:
    """Return what `rollback` would ask; the records are read, and nothing else is sent.

    Args:
        corpus: Whose ranker.
        options: Which clusters.
        to: Name of the ranker; None is the one that was active before the present one.

    Returns:
        (url, requests in order) of each cluster.

    Raises:
        DataError: There is no earlier ranker, or none of that name.
        EngineError: A cluster refuses, or is not there.
    """
    engine = target_named(options.engine)
    place, plans = engine.records(options, corpus), []
    for client in map(connect, options.clusters):
        record = place.read(client)
        name = _chosen(client, record, to)
        example, trials = _trials(record.entry(name), options)
        tried = [engine.rerank_request(example, asked) for asked in trials]
        writes = place.write_requests(replace(record, active=name))
        plans.append((client.server.url, [place.read_request(), *tried, *writes]))
    return plans


def _earlier(client: Client, record: Record) -> str:
    """Return the ranker that became active before the active one."""
    names = record.names()
    later = names.index(record.active) + 1 if record.active in names else 0
    if not record.active or later >= len(names):
        raise DataError(
            f"{client.server.url} has no earlier ranker of corpus {record.corpus!r} to go back to; active is "
            f"{record.active or 'none'}.",
            hint="Deploy the exported folder of the ranker that you want.",
        )
    return names[later]


def _chosen(client: Client, record: Record, to: str | None) -> str:
    if to is None:
        return _earlier(client, record)
    if to not in record.names():
        raise DataError(
            f"{client.server.url} has no ranker {to!r} of corpus {record.corpus!r}.",
            hint=did_you_mean(to, record.names()),
        )
    return to


def _trials(entry: dict[str, Any], options: DeployOptions) -> tuple[dict[str, Any], list[Asked]]:
    return json.loads(entry["example"]), searches(options, str(entry["index"]))


def _try(client: Client, engine: Target, entry: dict[str, Any], options: DeployOptions) -> None:
    example, trials = _trials(entry, options)
    for asked in trials:
        try:
            reranked(client, engine, example, asked)
        except EngineError as exc:
            raise EngineError(f"{exc.message} {entry['name']!r} was not made active.", hint=exc.hint) from exc
