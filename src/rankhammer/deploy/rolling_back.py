"""Back to a ranker that is still on the clusters; no file of it is needed."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from rankhammer.deploy.deploying import Deployed, halfway, searches
from rankhammer.deploy.smoke_test import reranked
from rankhammer.deploy.targets import target_named
from rankhammer.errors import DataError, EngineError, did_you_mean
from rankhammer.search_engines.answer import reading
from rankhammer.search_engines.client import connect

if TYPE_CHECKING:
    from rankhammer.deploy.active_ranker import ActiveRanker
    from rankhammer.deploy.base import EngineTarget, SampleSearch
    from rankhammer.deploy.options import DeployOptions
    from rankhammer.deploy.requests import EngineRequest
    from rankhammer.search_engines.client import Client


def rollback(corpus: str, options: DeployOptions, *, to: str | None = None) -> list[Deployed]:
    """Make an earlier ranker active again on every cluster, when it still reranks on all of them.

    Args:
        corpus: Whose ranker.
        options: Which clusters.
        to: Name of the ranker; None is the one that was active before the present one.

    Returns:
        One entry per cluster, in order.

    Raises:
        DataError: There is no earlier ranker, or none of that name.
        EngineError: A cluster refuses, or the ranker does not work there; nothing is changed anywhere unless it is
            the last step that fails, which the message says.
    """
    engine = target_named(options.engine)
    place = engine.store(options, corpus)
    clients = [connect(cluster) for cluster in options.clusters]
    store = [place.read(client) for client in clients]
    chosen = [_chosen(client, active, to) for client, active in zip(clients, store, strict=True)]
    for client, active, name in zip(clients, store, chosen, strict=True):
        _try(client, engine, active.entry(name), options)
    done: list[Deployed] = []
    for client, active, name in zip(clients, store, chosen, strict=True):
        try:
            place.write(client, replace(active, active=name))
        except EngineError as exc:
            raise halfway(exc, done) from exc
        done.append(Deployed(client.server.url, corpus, name, active.active, (), ()))
    return done


def planned_rollback(
    corpus: str, options: DeployOptions, *, to: str | None = None
) -> list[tuple[str, list[EngineRequest]]]:
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
    place, plans = engine.store(options, corpus), []
    for client in map(connect, options.clusters):
        active = place.read(client)
        name = _chosen(client, active, to)
        example, trials = _trials(active.entry(name), options)
        tried = [engine.rerank_request(example, sample) for sample in trials]
        writes = place.write_requests(replace(active, active=name))
        plans.append((client.server.url, [place.read_request(), *tried, *writes]))
    return plans


def _earlier(client: Client, active: ActiveRanker) -> str:
    """Return the ranker that became active before the active one."""
    names = active.names()
    later = names.index(active.active) + 1 if active.active in names else 0
    if not active.active or later >= len(names):
        raise DataError(
            f"{client.server.url} has no earlier ranker of corpus {active.corpus!r} to go back to; active is "
            f"{active.active or 'none'}.",
            hint="Deploy the exported folder of the ranker that you want.",
        )
    return names[later]


def _chosen(client: Client, active: ActiveRanker, to: str | None) -> str:
    if to is None:
        return _earlier(client, active)
    if to not in active.names():
        raise DataError(
            f"{client.server.url} has no ranker {to!r} of corpus {active.corpus!r}.",
            hint=did_you_mean(to, active.names()),
        )
    return to


def _trials(entry: dict[str, Any], options: DeployOptions) -> tuple[dict[str, Any], list[SampleSearch]]:
    with reading(f"The record of {entry['name']!r}"):
        return dict(json.loads(entry["example"])), searches(options, str(entry["index"]))


def _try(client: Client, engine: EngineTarget, entry: dict[str, Any], options: DeployOptions) -> None:
    example, trials = _trials(entry, options)
    for sample in trials:
        try:
            reranked(client, engine, example, sample)
        except EngineError as exc:
            raise EngineError(f"{exc.message} {entry['name']!r} was not made active.", hint=exc.hint) from exc
