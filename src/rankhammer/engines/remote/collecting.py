"""From judged pairs to feature values over many workers: batches that are kept as they end, and a bounded load."""

from __future__ import annotations

import hashlib
import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from rankhammer.engines.remote.base import Search
from rankhammer.engines.remote.pace import Pace
from rankhammer.storage import storage_for

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from pyspark.sql import DataFrame

    from rankhammer.engines.remote.base import FeatureLogging, Values
    from rankhammer.engines.remote.client import Client
    from rankhammer.engines.remote.options import CollectOptions

PAIR = ["corpus", "query", "doc_id"]
_MAX_BATCHES = 10_000


@dataclass(frozen=True)
class Collector:
    """Asks an engine for a feature set.

    Args:
        client: Travels to the workers.
        options: How hard the engine may be asked.
        logging: How it is asked.
    """

    client: Client
    options: CollectOptions
    logging: FeatureLogging

    def collect(self, rows: DataFrame) -> DataFrame:
        """Return PAIR and `features` of every pair, null where the engine does not have the document.

        Args:
            rows: Has PAIR.
        """
        asked = grouped(rows)
        n_tasks = min(self.options.max_in_flight, rows.sparkSession.sparkContext.defaultParallelism)
        self.logging.prepare(self.client)
        if self.options.progress is None:
            return self._ask(asked, n_tasks)
        # Every batch reads it: without this, each would group all rows anew.
        asked.persist()
        try:
            return rows.sparkSession.read.parquet(*self._ask_in_batches(asked, n_tasks))
        finally:
            asked.unpersist()

    def _ask_in_batches(self, asked: DataFrame, n_tasks: int) -> list[str]:
        from pyspark.sql import functions as F

        n_queries, content = content_of(asked)
        n_batches = min(_MAX_BATCHES, max(1, math.ceil(n_queries / (n_tasks * self.options.searches_per_batch))))
        folder = self._own_folder(f"{content}/{n_queries}/{n_batches}")
        batch = F.pmod(F.xxhash64("corpus", "query"), F.lit(n_batches))
        paths = [f"{folder}/batch={number}" for number in range(n_batches)]
        for number, path in enumerate(paths):
            if not storage_for(path).exists(f"{path}/_SUCCESS"):
                # An action a batch: what it brought is kept, whatever happens to the next one.
                self._ask(asked.where(batch == number), n_tasks).write.mode("overwrite").parquet(path)
        return paths

    def _own_folder(self, rows: str) -> str:
        """Return the folder of this very question, and clear away those of earlier ones."""
        root = str(self.options.progress).rstrip("/")
        key = hashlib.sha256(f"{self.logging.key}\n{rows}".encode()).hexdigest()[:16]
        for path in storage_for(root).glob(f"{root}/*"):
            if not path.rstrip("/").endswith(key):
                storage_for(path).delete(path)
        return f"{root}/{key}"

    def requests(self, rows: Iterable[Mapping[str, Any]]) -> Iterator[tuple[Search, ...]]:
        """Cut queries into searches, and searches into groups that are asked together.

        Args:
            rows: corpus, query, doc_ids.
        """
        most = self.logging.max_docs
        searches = (
            Search(row["corpus"], row["query"], tuple(row["doc_ids"][first : first + most]))
            for row in rows
            for first in range(0, len(row["doc_ids"]), most)
        )
        while group := tuple(islice(searches, self.logging.max_searches)):
            yield group

    def _ask(self, asked: DataFrame, n_tasks: int) -> DataFrame:
        from pyspark.sql import functions as F

        n_threads = max(1, self.options.max_in_flight // n_tasks)
        fields = ", ".join(f"`{name}`: float" for name in self.logging.feature_set.names)
        schema = f"corpus string, query string, doc_id string, features struct<{fields}>"
        dealt = asked.repartition(n_tasks, F.xxhash64("query", "corpus"))

        def run(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            pace = Pace(n_threads, greedy=self.options.pace == "greedy")
            with ThreadPoolExecutor(n_threads) as pool:
                for batch in batches:
                    requests = self.requests(batch.to_pylist())
                    yield from pool.map(lambda searches: self.answer(searches, pace), requests)

        return dealt.mapInArrow(run, schema)

    def answer(self, searches: Sequence[Search], pace: Pace) -> pa.RecordBatch:
        """Ask some searches at once, and return PAIR and `features`.

        Args:
            searches: At most the logging's `max_searches`.
            pace: Of this process.
        """
        return _batch(searches, self.logging.ask(self.client, searches, pace), self.logging.feature_set.names)


def grouped(rows: DataFrame) -> DataFrame:
    """Return corpus, query and `doc_ids`, sorted: one row a query.

    Args:
        rows: Has PAIR.
    """
    from pyspark.sql import functions as F

    return rows.groupBy("corpus", "query").agg(F.sort_array(F.collect_set("doc_id")).alias("doc_ids"))


def content_of(asked: DataFrame) -> tuple[int, int]:
    """Return how many queries there are, and a number that their content determines.

    Args:
        asked: What `grouped` returned.
    """
    from pyspark.sql import functions as F

    content = F.sum(F.xxhash64("corpus", "query", "doc_ids").cast("decimal(38,0)"))
    # An action: what is kept of an earlier run is of this very question or of another. One row comes back.
    n_queries, found = asked.agg(F.count("*"), content).collect()[0]
    return n_queries, int(found or 0)


def _batch(searches: Sequence[Search], found: Sequence[Values], names: Sequence[str]) -> pa.RecordBatch:
    known = np.concatenate([known for known, _ in found])
    numbers = np.concatenate([values.T for _, values in found], axis=1)
    features = pa.StructArray.from_arrays([pa.array(column) for column in numbers], list(names), mask=pa.array(~known))
    search = pa.array(np.repeat(np.arange(len(searches)), [len(one.doc_ids) for one in searches]))
    corpus = pa.array([one.corpus for one in searches]).take(search)
    query = pa.array([one.query for one in searches]).take(search)
    doc_id = pa.array([doc_id for one in searches for doc_id in one.doc_ids])
    return pa.RecordBatch.from_arrays([corpus, query, doc_id, features], names=[*PAIR, "features"])
