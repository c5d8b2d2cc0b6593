"""Queries in an engine's own words: what may stand in them, and the user's query put in its place."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

RAW_ENGINES = ("opensearch", "elasticsearch", "solr")
PLACE = "{{keywords}}"
"""Where the user's query stands in a query body; the plugin's templates call it the same."""

SOLR_PLACE = "${keywords}"


def query_body(query: dict[str, Any]) -> dict[str, Any]:
    """Check a query of OpenSearch or Elasticsearch as far as it can be without the engine.

    Args:
        query: One clause, such as {"match": {...}}.

    Raises:
        ValueError: It is not one clause, is no JSON, names itself, or has another place than {{keywords}}.
    """
    if len(query) != 1 or not isinstance(next(iter(query.values())), dict):
        raise ValueError('a query is one clause, such as {match: {title: "{{keywords}}"}}; put several into a `bool`')
    try:
        text = json.dumps(query, allow_nan=False)
    except (TypeError, ValueError) as exc:
        raise ValueError(f"a query is JSON: {exc}") from exc
    if '"_name"' in text:
        raise ValueError("a query must not have `_name`: the feature's own name is put there")
    for part in _parts(query):
        _require_known_places(part)
    return query


def solr_query(query: str) -> str:
    """Check a query of Solr as far as it can be without it.

    A user's text is safe only where the parser is named and takes all that follows.

    Args:
        query: Local parameters and what they parse, such as {!field f=title}${keywords}.

    Raises:
        ValueError: It names no parser, or the user's text stands elsewhere than at the end.
    """
    if not re.fullmatch(r"\{![A-Za-z][^{}$]*\}[^$]*(\$\{keywords\})?", query):
        raise ValueError(
            f"{query!r} is no query of the form {{!parser ...}}text or {{!parser ...}}{SOLR_PLACE}: the parser comes "
            "first, and the user's text stands at the end alone"
        )
    return query


def has_keywords(query: Any) -> bool:
    """Say whether a query has a place for the user's text."""
    return PLACE in json.dumps(query)


def fill(query: Any, keywords: str) -> Any:
    """Put the user's text into its places.

    Args:
        query: A checked query body, or a part of one.
        keywords: As typed.
    """
    match query:
        case dict():
            return {name: fill(part, keywords) for name, part in query.items()}
        case list():
            return [fill(part, keywords) for part in query]
        case str():
            return query.replace(PLACE, keywords)
    return query


def _parts(query: Any) -> Iterator[Any]:
    """Yield a query and all that is in it."""
    yield query
    inner = query.values() if isinstance(query, dict) else query if isinstance(query, list) else ()
    for part in inner:
        yield from _parts(part)


def _require_known_places(part: Any) -> None:
    if isinstance(part, dict):
        for key in part:
            if "{{" in key:
                raise ValueError(f"{{{{...}}}} may stand in values only, not in the key {key!r}")
    if isinstance(part, str):
        for found in re.findall(r"\{\{.*?\}\}|\{\{", part):
            if found != PLACE:
                raise ValueError(f"{found} has no value; only {PLACE} stands for something, the user's query")
