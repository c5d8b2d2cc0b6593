"""An index as it was at one moment: opened, kept while it is read, and closed whatever happens."""

from __future__ import annotations

import logging
import math
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rankhammer.errors import EngineError
from rankhammer.search_engines.paths import path

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rankhammer.search_engines.client import Client, Server

_GONE = 404
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class PointInTimeApi:
    """How a product spells it.

    Args:
        open_path: Opens one; {index} and {keep_alive} are filled in.
        opened: Key of its id in the answer.
        close_path: Closes it.
        closed: Key of its id in that request's body.
    """

    open_path: str
    opened: str
    close_path: str
    closed: str


OPENSEARCH = PointInTimeApi(
    "{index}/_search/point_in_time?keep_alive={keep_alive}&allow_partial_pit_creation=false",
    "pit_id",
    "/_search/point_in_time",
    "pit_id",
)
ELASTICSEARCH = PointInTimeApi("{index}/_pit?keep_alive={keep_alive}", "id", "/_pit", "id")


@contextmanager
def point_in_time(client: Client, api: PointInTimeApi, index: str) -> Iterator[dict[str, Any]]:
    """Keep an index as it is now, for searches that give the entry `pit`; each of them renews it.

    Args:
        client: Asks the engine.
        api: The product's.
        index: One concrete index.

    Yields:
        The entry.

    Raises:
        EngineError: The engine refuses, or not all shards are there.
    """
    keep_alive = _keep_alive(client.server)
    answer = client.ask("POST", api.open_path.format(index=path(index), keep_alive=keep_alive))
    found = answer.body.get(api.opened) if isinstance(answer.body, dict) else None
    if not isinstance(found, str):
        raise answer.unreadable(f"no {api.opened}")
    try:
        yield {"id": found, "keep_alive": keep_alive}
    except BaseException:
        _close_quietly(client, api, found)
        raise
    _close(client, api, found)


def _keep_alive(server: Server) -> str:
    """Outlast the longest wait between two searches: all patience with a busy engine, and one late answer."""
    return f"{math.ceil(server.patience_s + 2 * server.timeout_s)}s"


def _close(client: Client, api: PointInTimeApi, found: str) -> None:
    client.ask("DELETE", api.close_path, {api.closed: found}, allowed=(_GONE,))


def _close_quietly(client: Client, api: PointInTimeApi, found: str) -> None:
    """After an error: where the engine is out of reach, too, it closes the point in time by itself."""
    try:
        _close(client.without_retries(), api, found)
    except EngineError as exc:
        logger.debug("A point in time stays open until its keep-alive ends: %s", exc.message)
