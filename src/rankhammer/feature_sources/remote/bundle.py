"""An engine out of reach: searches are written to a folder, asked where the engine is, and answers brought back."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from rankhammer.digests import hex_digest
from rankhammer.errors import DataError, EngineError
from rankhammer.feature_sources.remote.base import FeatureSearch
from rankhammer.feature_sources.remote.batching import PAIR
from rankhammer.feature_sources.remote.concurrency_limit import Pace
from rankhammer.storage.base import storage_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from pyspark.sql import DataFrame

    from rankhammer.feature_sources.remote.batch_runner import Collector

MANIFEST, SEARCHES, ANSWERS, COMPLETE = "bundle.json", "searches", "answers", "_SUCCESS"
_VERSION = 1


@dataclass(frozen=True)
class Bundle:
    """A folder with one question, and the answers once they are there.

    Args:
        folder: Path or URI.
        facts: Says of the question whatever the answering side needs: source, options, feature set, corpora.
        key: Differs whenever the same pairs could get other values.
    """

    folder: str
    facts: dict[str, Any]
    key: str

    def collect(self, rows: DataFrame) -> DataFrame:
        """Return the rows with the column `features`, as the answers that were brought back have them.

        Args:
            rows: Has PAIR; every other column is carried through.

        Raises:
            EngineError: There are none to this question; the searches are written now.
        """
        asked = _grouped(rows)
        n_queries, content = _content_of(asked)
        name = hex_digest(f"{self.key}\n{n_queries}\n{content}", 16)
        root = f"{self.folder.rstrip('/')}/{name}"
        storage = storage_for(root)
        if storage.exists(f"{root}/{ANSWERS}/{COMPLETE}"):
            return rows.join(rows.sparkSession.read.parquet(f"{root}/{ANSWERS}"), PAIR, "left")
        if not storage.exists(f"{root}/{MANIFEST}"):
            asked.write.mode("overwrite").json(f"{root}/{SEARCHES}")
            facts = {"bundle_version": _VERSION, "n_queries": n_queries, **self.facts}
            # Last: a folder with a manifest has all searches.
            storage.write(f"{root}/{MANIFEST}", json.dumps(facts, indent=1).encode())
        raise EngineError(
            f"{n_queries} queries are written to {root}: the answers are not there yet.",
            hint=f"Take it to where the engine is, run `rankhammer collect-bundle {name} --url <engine>` there, bring "
            "it back to the same place, and run again.",
        )


def read_facts(folder: Path) -> dict[str, Any]:
    """Read what a bundle says of itself.

    Raises:
        DataError: The folder is no bundle, or one of another version.
    """
    try:
        facts: dict[str, Any] = json.loads((folder / MANIFEST).read_bytes())
    except (OSError, ValueError) as exc:
        raise DataError(f"{folder} is no bundle: it has no {MANIFEST}.", hint="Name the folder itself.") from exc
    if facts.get("bundle_version") != _VERSION:
        raise DataError(
            f"{folder} is a bundle of version {facts.get('bundle_version')}; this is {_VERSION}.",
            hint="Use the same version of Rankhammer on both sides.",
        )
    return facts


def answer(folder: Path, collector: Collector, on_progress: Callable[[int], None]) -> int:
    """Ask every search of a bundle; parts that an earlier call answered are kept.

    Args:
        folder: The bundle.
        collector: Asks the engine; it is prepared already.
        on_progress: Called with the number of queries whenever a part is done.

    Returns:
        Number of parts that were asked now.
    """
    answers, n_asked = folder / ANSWERS, 0
    answers.mkdir(exist_ok=True)
    for part, rows in enumerate(_parts(folder / SEARCHES, collector.options.searches_per_batch)):
        path = answers / f"part-{part:06d}.parquet"
        if not path.exists():
            unfinished = path.with_suffix(".unfinished")
            pq.write_table(pa.Table.from_batches(_ask(collector, rows)), unfinished)
            unfinished.replace(path)
            n_asked += 1
        on_progress(len(rows))
    (answers / COMPLETE).touch()
    return n_asked


def _ask(collector: Collector, rows: list[dict[str, Any]]) -> list[pa.RecordBatch]:
    n_threads, logging = collector.options.max_in_flight, collector.logging
    pace = Pace(n_threads, greedy=collector.options.pace == "greedy")
    requests = _requests(rows, max_docs=logging.max_docs, max_searches=logging.max_searches)
    with ThreadPoolExecutor(n_threads) as pool:
        return list(pool.map(lambda searches: _answers(searches, collector.features(searches, pace)), requests))


def _requests(
    rows: Iterable[Mapping[str, Any]], *, max_docs: int, max_searches: int
) -> Iterator[tuple[FeatureSearch, ...]]:
    """Cut queries into searches, and searches into groups that are asked together."""
    searches = (
        FeatureSearch(row["corpus"], row["query"], tuple(row["doc_ids"][first : first + max_docs]))
        for row in rows
        for first in range(0, len(row["doc_ids"]), max_docs)
    )
    while group := tuple(islice(searches, max_searches)):
        yield group


def _answers(searches: Sequence[FeatureSearch], features: pa.StructArray) -> pa.RecordBatch:
    pairs = [(search.corpus, search.query, doc_id) for search in searches for doc_id in search.doc_ids]
    keys = [pa.array(column, pa.string()) for column in zip(*pairs, strict=True)]
    return pa.RecordBatch.from_arrays([*keys, features], names=[*PAIR, "features"])


def _parts(folder: Path, size: int) -> Iterator[list[dict[str, Any]]]:
    """Yield the queries in the same parts whenever they are read."""
    queries = _queries(folder)
    while part := list(islice(queries, size)):
        yield part


def _queries(folder: Path) -> Iterator[dict[str, Any]]:
    for path in sorted(folder.glob("part-*.json")):
        with path.open(encoding="utf-8") as lines:
            yield from map(json.loads, lines)


def _grouped(rows: DataFrame) -> DataFrame:
    """Return corpus, query and `doc_ids`, sorted: one row per query."""
    from pyspark.sql import functions as F

    return rows.groupBy("corpus", "query").agg(F.sort_array(F.collect_set("doc_id")).alias("doc_ids"))


def _content_of(asked: DataFrame) -> tuple[int, int]:
    """Return how many queries there are, and a number that their content determines."""
    from pyspark.sql import functions as F

    content = F.sum(F.xxhash64("corpus", "query", "doc_ids").cast("decimal(38,0)"))
    # An action: answers are those to this very question or to another. One row comes back.
    n_queries, found = asked.agg(F.count("*"), content).collect()[0]
    return n_queries, int(found or 0)
