"""Records of an engine's indices as lines of JSON: read in parallel, page by page, as they are at one moment.

Each search sees one shard, in the order of `_seq_no`, which is unique within a shard: a page begins right after the
last record of the one before, whatever the engine's own ways to break ties.

References:
    OpenSearch documentation, "Point in Time API", "Paginate results"; Elasticsearch documentation, "Open a point in
    time API", "Paginate search results".
"""

from __future__ import annotations

import json
import math
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rankhammer.digests import hex_digest
from rankhammer.errors import EngineError
from rankhammer.feature_sources.remote.base import require_whole
from rankhammer.feature_sources.remote.index_resolution import count, find_indices, require_records
from rankhammer.search_engines.answer import reading
from rankhammer.search_engines.client import connect
from rankhammer.search_engines.points_in_time import ELASTICSEARCH, OPENSEARCH, point_in_time

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa
    from pyspark.sql import SparkSession

    from rankhammer.feature_sources.remote.index_resolution import FoundIndex
    from rankhammer.feature_sources.remote.options import IndexOptions
    from rankhammer.search_engines.client import Client

APIS = {"opensearch": OPENSEARCH, "elasticsearch": ELASTICSEARCH}
_NOT_FOUND = 404
_ANSWER = "filter_path=pit_id,timed_out,_shards.failed,_shards.failures.reason,hits.hits._source,hits.hits.sort"


@dataclass(frozen=True)
class Slice:
    """What one search after the other reads: a part of one shard of one index.

    Args:
        index: Whose records.
        pit: The point in time.
        number: Of the slice.
        n_slices: Of the index, a multiple of its shards.
    """

    index: FoundIndex
    pit: dict[str, Any]
    number: int
    n_slices: int

    def body(self, options: IndexOptions) -> dict[str, Any]:
        """Return the first search."""
        cut = {"field": "_seq_no", "id": self.number, "max": self.n_slices}
        return {
            "size": options.page_size,
            "pit": dict(self.pit),
            "query": self.index.query,
            "sort": [{"_seq_no": "asc"}],
            "track_total_hits": False,
            "_source": list(options.fields) or True,
            # An engine refuses to cut into one.
            **({"slice": cut} if self.n_slices > 1 else {}),
        }


class IndexReader:
    """Reads indices.

    Args:
        product: Key of APIS.
        options: Which records, and how hard the engine is asked.
    """

    def __init__(self, product: str, options: IndexOptions) -> None:
        self._api = APIS[product]
        self._options = options

    def require_found(self) -> None:
        """Check that the indices are there; reads no record.

        Raises:
            EngineError: The engine is not there, or an index is not.
            ConfigError: There are no such credentials.
        """
        find_indices(connect(self._options), self._options)

    def fingerprint(self) -> str:
        """Return a digest that changes with every write to the records that would be read.

        Raises:
            EngineError: The engine is not there, or an index is not.
            ConfigError: There are no such credentials.
        """
        client = connect(self._options)
        found = [(index.uuid, count(client, index)) for index in find_indices(client, self._options)]
        return hex_digest(repr((self._options.what(), found)))

    def save(self, session: SparkSession, folder: str) -> None:
        """Write the records of one moment as lines of JSON, objects within objects.

        Args:
            session: At most `max_in_flight` of its tasks ask the engine, each one search after the other.
            folder: Where they go; what is there is replaced.

        Raises:
            EngineError: The engine is not there, refuses, lacks an index, or answers in part.
            DataError: An index has no records.
            ConfigError: There are no such credentials.
        """
        options, client = self._options, connect(self._options)
        with ExitStack() as opened:
            found = find_indices(client, options)
            pits = [(index, opened.enter_context(point_in_time(client, self._api, index.name))) for index in found]
            counts = [(index, count(client, index, pit)["n"]) for index, pit in pits]
            require_records(counts, options)
            slices = _slices(pits, options.max_in_flight)
            n_written = _write(session, client, options, slices, folder)
        n_expected = int(sum(n for _, n in counts))
        if n_written != n_expected:
            raise EngineError(
                f"{options.url} gave {n_written} records of {', '.join(options.indices)}, but counted {n_expected}.",
                hint="Records would be missing without a trace. Look at the cluster's health, then run again.",
            )


def _slices(pits: list[tuple[FoundIndex, dict[str, Any]]], max_in_flight: int) -> list[Slice]:
    """Cut every shard into as many parts as it takes to keep all tasks busy."""
    n_parts = math.ceil(max_in_flight / sum(index.n_shards for index, _ in pits))
    return [
        Slice(index, pit, number, n_parts * index.n_shards)
        for index, pit in pits
        for number in range(n_parts * index.n_shards)
    ]


def _write(session: SparkSession, client: Client, options: IndexOptions, slices: list[Slice], folder: str) -> int:
    from pyspark.sql import Observation
    from pyspark.sql import functions as F

    n_tasks = min(options.max_in_flight, len(slices))

    def run(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for number in batch.column(0).to_pylist():
                for part in slices[number::n_tasks]:
                    yield from read_slice(client, options, part)

    written = Observation()
    records = session.range(0, n_tasks, 1, n_tasks).mapInArrow(run, "value string")
    # The action: the only one that asks the engine. Nothing comes back but the number of records.
    records.observe(written, F.count("*").alias("n")).write.mode("overwrite").text(folder)
    return int(written.get["n"])


def read_slice(client: Client, options: IndexOptions, part: Slice) -> Iterator[pa.RecordBatch]:
    """Read one page after the other: one at a time is in memory.

    Args:
        client: Asks the engine.
        options: Size of a page, and which fields.
        part: What to read.

    Yields:
        `value`: one line of JSON a record.

    Raises:
        EngineError: The engine refuses, answers in part, or has forgotten the point in time.
    """
    import pyarrow as pa

    body = part.body(options)
    while True:
        answer = _ask(client, part, body)
        require_whole(answer)
        with reading(f"A search of {client.server.url}, index {part.index.name!r}"):
            hits = answer.get("hits", {}).get("hits", [])
            lines = [_line(hit) for hit in hits]
            after, pit = hits[-1]["sort"] if hits else None, answer.get("pit_id", body["pit"]["id"])
        if lines:
            yield pa.RecordBatch.from_pydict({"value": lines})
        if len(lines) < options.page_size:
            return
        body["search_after"], body["pit"]["id"] = after, pit


def _ask(client: Client, part: Slice, body: dict[str, Any]) -> Any:
    answer = client.ask("POST", f"/_search?allow_partial_search_results=false&{_ANSWER}", body, allowed=(_NOT_FOUND,))
    if answer.status == _NOT_FOUND:
        raise EngineError(
            f"{client.server.url} has forgotten the point in time of {part.index.name!r}: {answer.reason}",
            hint="A node was restarted, or the index was deleted, while it was read. Run again.",
        )
    return answer.body


def _line(hit: dict[str, Any]) -> str:
    """Write a record; one without any of the fields is an empty object, which `filter_path` leaves out."""
    return json.dumps(_stepped(hit.get("_source", {})))


def _stepped(record: dict[str, Any]) -> dict[str, Any]:
    """Write {"a.b": 1} as {"a": {"b": 1}}: an engine takes both for one field."""
    stepped: dict[str, Any] = {}
    for name, value in record.items():
        outer, _, inner = name.partition(".")
        found = {inner: value} if inner else value
        stepped[outer] = _joined(stepped.get(outer), _stepped(found) if isinstance(found, dict) else found)
    return stepped


def _joined(known: Any, found: Any) -> Any:
    if not (isinstance(known, dict) and isinstance(found, dict)):
        return found
    return {**known, **{name: _joined(known.get(name), value) for name, value in found.items()}}
