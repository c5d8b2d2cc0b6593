"""What is active: one document a corpus, on the cluster that serves it.

The plugin has no alias for models, so something else has to say which one counts. The record stands on the cluster, not
beside the exported files: it is read by those who search there, is written in one step, travels with a snapshot of the
models that it names, and lets anybody roll back without the files.

An index is used, not the cluster's settings: it needs no right beyond writing to one index.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from rankhammer.deploy.requests import Request
from rankhammer.errors import EngineError

if TYPE_CHECKING:
    from rankhammer.engines.remote.client import Client

_BAD_REQUEST, _NOT_FOUND, _CONFLICT = 400, 404, 409
_MAPPINGS = {"dynamic": False, "properties": {"corpus": {"type": "keyword"}, "active": {"type": "keyword"}}}


@dataclass(frozen=True)
class Record:
    """The rankers of one corpus on one cluster.

    Args:
        corpus: Whose they are.
        active: Name of the one that counts; empty before the first.
        deployments: What is there, as it became active, the latest first: name, store, deployed_at, example and more.
        place: Where the document was read, so that nobody's change is overwritten: (_seq_no, _primary_term).
    """

    corpus: str
    active: str = ""
    deployments: tuple[dict[str, Any], ...] = ()
    place: tuple[int, int] | None = None

    def names(self) -> list[str]:
        """Return the rankers' names, the latest first."""
        return [str(entry["name"]) for entry in self.deployments]

    def entry(self, name: str) -> dict[str, Any]:
        """Return what is known of a ranker that is there."""
        return self.deployments[self.names().index(name)]

    def with_active(self, entry: dict[str, Any], keep: int) -> tuple[Record, list[dict[str, Any]]]:
        """Make a ranker the active one and the latest.

        Args:
            entry: What is known of it.
            keep: How many stay, it included.

        Returns:
            The new record, and the rankers that have no place in it any more.
        """
        others = [other for other in self.deployments if other["name"] != entry["name"]]
        # The one that served until now is the first to roll back to, wherever it stands.
        others.sort(key=lambda other: other["name"] != self.active)
        kept = (entry, *others[: keep - 1])
        return replace(self, active=entry["name"], deployments=kept), others[keep - 1 :]

    def body(self) -> dict[str, Any]:
        """Return the document."""
        return {"corpus": self.corpus, "active": self.active, "deployments": list(self.deployments)}


def read_record(client: Client, index: str, corpus: str) -> Record:
    """Read what is active; an empty record where nothing ever was.

    Raises:
        EngineError: The cluster refuses, or has something else in this place.
    """
    answer = read_request(index, corpus).send(client)
    if answer.status == _NOT_FOUND:
        return Record(corpus)
    found, source = answer.body, answer.body["_source"]
    place = (int(found["_seq_no"]), int(found["_primary_term"]))
    if source.keys() != {"corpus", "active", "deployments"}:
        raise EngineError(
            f"{client.server.url}{_path(index, corpus)} is no record of deployments: it has {sorted(source)}.",
            hint="Set record_index in deploy.yml to an index of its own.",
        )
    return Record(corpus, source["active"], tuple(source["deployments"]), place)


def write_record(client: Client, index: str, record: Record) -> None:
    """Write what is active, in one step.

    Raises:
        EngineError: Somebody else has written since it was read, or the cluster refuses.
    """
    if record.place is None:
        create_request(index).send(client)
    if write_request(index, record).send(client).status != _CONFLICT:
        return
    # An answer that was lost on its way is asked for again: then the conflict is with ourselves.
    if read_record(client, index, record.corpus).body() != json.loads(json.dumps(record.body())):
        raise EngineError(
            f"{client.server.url}: somebody else has deployed a ranker of corpus {record.corpus!r} meanwhile.",
            hint="See what is active now, and run again.",
        )


def read_request(index: str, corpus: str) -> Request:
    """Return the request that reads a record; it is also what a search application asks."""
    return Request("GET", _path(index, corpus), note="what is active now", allowed=(_NOT_FOUND,))


def create_request(index: str) -> Request:
    """Return the request that makes the index of records."""
    settings = {"number_of_shards": 1, "auto_expand_replicas": "0-1"}
    body = {"settings": settings, "mappings": _MAPPINGS}
    return Request("PUT", f"/{index}", body, "where it is not there yet", (_BAD_REQUEST,))


def write_request(index: str, record: Record) -> Request:
    """Return the request that makes a record count."""
    number, term = record.place or (0, 0)
    guard = f"if_seq_no={number}&if_primary_term={term}" if record.place else "op_type=create"
    path = f"{_path(index, record.corpus)}?{guard}"
    return Request("PUT", path, record.body(), "from here on the ranker is active", (_CONFLICT,))


def _path(index: str, corpus: str) -> str:
    return f"/{index}/_doc/{quote(corpus, safe='')}"
