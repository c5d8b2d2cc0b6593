"""Records as documents of an index of OpenSearch or Elasticsearch.

An index is used, not the cluster's settings: it needs no right beyond writing to one index.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from rankhammer.deploy.record import Record, read_body, someone_else
from rankhammer.deploy.requests import Request

if TYPE_CHECKING:
    from rankhammer.engines.remote.client import Client

_BAD_REQUEST, _NOT_FOUND, _CONFLICT = 400, 404, 409
_MAPPINGS = {"dynamic": False, "properties": {"corpus": {"type": "keyword"}, "active": {"type": "keyword"}}}


@dataclass(frozen=True)
class IndexRecords:
    """One corpus' record; see `base.Records`.

    Args:
        index: That holds the records.
        corpus: Whose record.
    """

    index: str
    corpus: str

    @property
    def path(self) -> str:
        """Path of the document."""
        return f"/{self.index}/_doc/{quote(self.corpus, safe='')}"

    def read_request(self) -> Request:
        """See `base.Records`; it is also what a search application asks."""
        return Request("GET", self.path, note="what is active now", allowed=(_NOT_FOUND,))

    def write_requests(self, record: Record) -> list[Request]:
        """See `base.Records`; the document is written against the version that was read."""
        number, term = record.place or (0, 0)
        guard = f"if_seq_no={number}&if_primary_term={term}" if record.place else "op_type=create"
        note = "from here on the ranker is active"
        write = Request("PUT", f"{self.path}?{guard}", record.body(), note, (_CONFLICT,))
        return [write] if record.place else [self._create_request(), write]

    def read(self, client: Client) -> Record:
        """See `base.Records`."""
        answer = self.read_request().send(client)
        if answer.status == _NOT_FOUND:
            return Record(self.corpus)
        place = (int(answer.body["_seq_no"]), int(answer.body["_primary_term"]))
        hint = "Set record_index in deploy.yml to an index of its own."
        return read_body(f"{client.server.url}{self.path}", self.corpus, answer.body["_source"], place, hint)

    def write(self, client: Client, record: Record) -> None:
        """See `base.Records`."""
        *before, write = self.write_requests(record)
        for request in before:
            request.send(client)
        if write.send(client).status != _CONFLICT:
            return
        # An answer that was lost on its way is asked for again: then the conflict is with ourselves.
        if self.read(client).body() != json.loads(json.dumps(record.body())):
            raise someone_else(client, self.corpus)

    def _create_request(self) -> Request:
        settings = {"number_of_shards": 1, "auto_expand_replicas": "0-1"}
        body = {"settings": settings, "mappings": _MAPPINGS}
        return Request("PUT", f"/{self.index}", body, "where it is not there yet", (_BAD_REQUEST,))
