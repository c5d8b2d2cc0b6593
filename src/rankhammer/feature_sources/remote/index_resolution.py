"""Which indices a name leads to, and what they hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rankhammer.errors import DataError, EngineError, did_you_mean
from rankhammer.feature_sources.remote.base import require_whole
from rankhammer.search_engines.answer import Response
from rankhammer.search_engines.paths import path
from rankhammer.search_engines.shapes import CatIndex, Count, IndexFacts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from rankhammer.feature_sources.remote.options import IndexOptions
    from rankhammer.search_engines.client import Client

_NOT_FOUND, _FORBIDDEN = 404, 403
_DATES = ("date", "date_nanos")


@dataclass(frozen=True)
class FoundIndex:
    """One concrete index.

    Args:
        name: Its own.
        asked: The name in the options that led to it.
        uuid: Of this very index: one that is made again under the name has another.
        n_shards: Primary shards.
        query: Which of its records are meant.
    """

    name: str
    asked: str
    uuid: str
    n_shards: int
    query: dict[str, Any]


def find_indices(client: Client, options: IndexOptions) -> list[FoundIndex]:
    """Look up the indices behind names, aliases and patterns, in the order of their names.

    Args:
        client: Asks the engine.
        options: Which.

    Raises:
        EngineError: A name leads to nothing, an index keeps no `_source`, or a time range looks at no field of dates.
    """
    found: dict[str, FoundIndex] = {}
    for asked in options.indices:
        answer = client.ask("GET", path(asked), allowed=(_NOT_FOUND,))
        if answer.status == _NOT_FOUND or not answer.body:
            raise _missing(client, asked)
        for name, facts in _facts(answer):
            found.setdefault(name, _found(name, asked, facts, options, client.server.url))
    return list(found.values())


def count(client: Client, index: FoundIndex, pit: Mapping[str, Any] | None = None) -> dict[str, float]:
    """Return how many records an index has, and the last and the sum of their sequence numbers.

    Every write gives a record a higher number, so that the three change with any.

    Args:
        client: Asks the engine.
        index: Which.
        pit: The point in time at which it is meant; None: now.
    """
    numbers = {word: {word: {"field": "_seq_no"}} for word in ("max", "sum")}
    body = {"size": 0, "track_total_hits": True, "query": index.query, "aggs": numbers}
    if pit:
        answer = client.ask("POST", "/_search", {**body, "pit": dict(pit)})
    else:
        answer = client.ask("POST", path(index.name, "_search"), body)
    require_whole(answer.body)
    found = answer.read(Count)
    if missing := numbers.keys() - found.aggregations.keys():
        raise answer.unreadable(f"no aggregation {min(missing)}")
    return {"n": found.hits.total.value, **{word: found.aggregations[word].value or 0 for word in numbers}}


def require_records(counts: Iterable[tuple[FoundIndex, float]], options: IndexOptions) -> None:
    """Refuse a name behind which there is nothing to read.

    Args:
        counts: (index, its number of records) pairs.
        options: Which were asked for.

    Raises:
        DataError: It is named.
    """
    totals = dict.fromkeys(options.indices, 0.0)
    for index, n in counts:
        totals[index.asked] += n
    for asked, n in totals.items():
        if not n:
            between = " between `since` and `until`" if options.time_range() else ""
            raise DataError(
                f"Index {asked!r} of {options.url} has no records{between}.",
                hint="See that it is the one that the application writes to; records without a time are in no range.",
                index=asked,
            )


def _facts(answer: Response) -> list[tuple[str, IndexFacts]]:
    """Return each index of an answer with its facts, in the order of names."""
    if not isinstance(answer.body, dict):
        raise answer.unreadable("no object of indices")
    return [
        (name, Response(answer.status, body, 0.0, answer.where, answer.hide).read(IndexFacts))
        for name, body in sorted(answer.body.items())
    ]


def _found(name: str, asked: str, facts: IndexFacts, options: IndexOptions, url: str) -> FoundIndex:
    settings = facts.settings.index
    time_range = options.time_range()
    _require_source(name, facts, url)
    if time_range:
        _require_dates(name, facts, options, url)
    own_filter = facts.aliases[asked].filter if asked in facts.aliases else None
    clauses = [clause for clause in (time_range, own_filter) if clause]
    query = {"bool": {"filter": clauses}} if clauses else {"match_all": {}}
    return FoundIndex(name, asked, settings.uuid, int(settings.number_of_shards), query)


def _require_source(name: str, facts: IndexFacts, url: str) -> None:
    if facts.mappings.get("_source", {}).get("enabled") is False:
        raise EngineError(
            f"{url}: index {name!r} keeps no `_source`, so its records cannot be read.",
            hint="Make the index again with `_source` enabled; what was not kept is lost.",
            index=name,
        )


def _require_dates(name: str, facts: IndexFacts, options: IndexOptions, url: str) -> None:
    types = dict(_types(facts.mappings))
    kind = types.get(options.time_field)
    if kind not in _DATES:
        dates = [field for field, type_name in types.items() if type_name in _DATES]
        raise EngineError(
            f"{url}: index {name!r} has {options.time_field!r} as {kind or 'no field at all'}; `since` and `until` "
            f"need a field of dates.",
            hint=f"Set `time_field`: {did_you_mean(options.time_field, dates)}",
            index=name,
        )


def _types(mapping: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield every field with its type, objects stepped into by a dot."""
    for name, facts in mapping.get("properties", {}).items():
        yield f"{prefix}{name}", facts.get("type", "object")
        yield from _types(facts, f"{prefix}{name}.")


def _missing(client: Client, asked: str) -> EngineError:
    """Say what there is instead; a user who may read one index may not be told of all."""
    answer = client.ask("GET", "/_cat/indices?format=json&h=index", allowed=(_FORBIDDEN,))
    rows = answer.read_list(CatIndex) if answer.status != _FORBIDDEN else []
    names = sorted(row.index for row in rows if not row.index.startswith("."))
    return EngineError(
        f"{client.server.url} has no index {asked!r}; found {', '.join(names) or 'none that may be listed'}.",
        hint=did_you_mean(asked, names),
        index=asked,
    )
