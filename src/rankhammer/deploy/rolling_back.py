"""Back to a ranker that is still on the clusters; no file of it is needed."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from rankhammer.deploy.deploying import Deployed, halfway
from rankhammer.deploy.record import read_record, read_request, write_record, write_request
from rankhammer.deploy.trying import reranked, rescore_request
from rankhammer.engines.remote.client import connect
from rankhammer.errors import DataError, EngineError, did_you_mean

if TYPE_CHECKING:
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
    clients = [connect(cluster) for cluster in options.clusters]
    records = [read_record(client, options.record_index, corpus) for client in clients]
    targets = [_target(client, record, to) for client, record in zip(clients, records, strict=True)]
    for client, record, target in zip(clients, records, targets, strict=True):
        _try(client, _trials(record, target, options), target)
    done: list[Deployed] = []
    for client, record, target in zip(clients, records, targets, strict=True):
        try:
            write_record(client, options.record_index, replace(record, active=target))
        except EngineError as exc:
            raise halfway(exc, done) from exc
        done.append(Deployed(client.server.url, corpus, target, record.active, (), ()))
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
    read, plans = read_request(options.record_index, corpus), []
    for client in map(connect, options.clusters):
        record = read_record(client, options.record_index, corpus)
        target = _target(client, record, to)
        write = write_request(options.record_index, replace(record, active=target))
        plans.append((client.server.url, [read, *_trials(record, target, options), write]))
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


def _target(client: Client, record: Record, to: str | None) -> str:
    if to is None:
        return _earlier(client, record)
    if to not in record.names():
        raise DataError(
            f"{client.server.url} has no ranker {to!r} of corpus {record.corpus!r}.",
            hint=did_you_mean(to, record.names()),
        )
    return to


def _trials(record: Record, target: str, options: DeployOptions) -> list[Request]:
    entry = record.entry(target)
    example, index = json.loads(entry["example"]), str(entry["index"])
    return [rescore_request(example, index, query, options.n_documents) for query in options.queries]


def _try(client: Client, trials: list[Request], target: str) -> None:
    for search in trials:
        try:
            reranked(client, search)
        except EngineError as exc:
            raise EngineError(f"{exc.message} {target!r} was not made active.", hint=exc.hint) from exc
