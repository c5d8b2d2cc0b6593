"""Records as parameter sets of a Solr collection, which searches name by `useParams`.

Two sets are written by one request: what a search needs, which is the alias that Solr lacks for models, and the record.

References:
    Apache Solr Reference Guide 8.11, "Request Parameters API".
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rankhammer.deploy.record import Record, read_body, someone_else
from rankhammer.deploy.requests import Request

if TYPE_CHECKING:
    from rankhammer.engines.remote.client import Client

_SERVED = ("rq", "rerank_docs")
"""Parameters of an example search that are the ranker's; the others are the user's."""


@dataclass(frozen=True)
class SolrRecords:
    """One corpus' record; see `base.Records`.

    Args:
        collection: Collection or core that has the rankers.
        corpus: Whose record.
    """

    collection: str
    corpus: str

    @property
    def name(self) -> str:
        """Name of the parameter set that a search uses: Solr takes letters, digits, `_`, `.` and `-`."""
        return "rankhammer_" + re.sub(r"[^\w.-]|[^\x00-\x7f]", lambda found: f"-{ord(found[0]):x}-", self.corpus)

    def read_request(self) -> Request:
        """See `base.Records`."""
        return Request("GET", f"/{self.collection}/config/params/{self.name}.record", note="what is active now")

    def write_requests(self, record: Record) -> list[Request]:
        """See `base.Records`; Solr has no guard against others, so the record is looked at right before."""
        example: dict[str, Any] = json.loads(record.entry(record.active)["example"])
        served = {name: example["params"][name] for name in _SERVED}
        sets = {self.name: served, f"{self.name}.record": {"record": json.dumps(record.body())}}
        note = f"from here on searches with useParams={self.name} use the ranker"
        return [self.read_request(), Request("POST", f"/{self.collection}/config/params", {"set": sets}, note)]

    def read(self, client: Client) -> Record:
        """See `base.Records`."""
        request = self.read_request()
        found = request.send(client).body["response"].get("params", {}).get(f"{self.name}.record")
        if found is None:
            return Record(self.corpus)
        where = f"{client.server.url}{request.path}"
        body = json.loads(found["record"]) if "record" in found else found
        return read_body(where, self.corpus, body, (int(found[""]["v"]),), "Delete that parameter set.")

    def write(self, client: Client, record: Record) -> None:
        """See `base.Records`."""
        if self.read(client).place != record.place:
            raise someone_else(client, self.corpus)
        self.write_requests(record)[-1].send(client)
