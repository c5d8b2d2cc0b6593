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
        from pyspark.sql import functions as F

        asked = grouped(rows)
        n_tasks = min(self.options.max_in_flight, rows.sparkSession.sparkContext.defaultParallelism)
        self.logging.prepare(self.client)
        if self.options.progress is None:
            return self._ask(asked, n_tasks)
        n_queries, content = content_of(asked)
        n_batches = min(_MAX_BATCHES, max(1, math.ceil(n_queries / (n_tasks * self.options.searches_per_batch))))
        folder = self._own_folder(f"{content}/{n_queries}/{n_batches}")
        batch = F.pmod(F.xxhash64("corpus", "query"), F.lit(n_batches))
        for number in range(n_batches):
            path = f"{folder}/batch={number}"
            if not storage_for(path).exists(f"{path}/_SUCCESS"):
                # An action a batch: what it brought is kept, whatever happens to the next one.
                self._ask(asked.where(batch == number), n_tasks).write.mode("overwrite").parquet(path)
        return rows.sparkSession.read.parquet(*(f"{folder}/batch={number}" for number in range(n_batches)))

    def _own_folder(self, rows: str) -> str:
        """Return the folder of this very question, and clear away those of earlier ones."""
        root = str(self.options.progress).rstrip("/")
        key = hashlib.sha256(f"{self.logging.key}\n{rows}".encode()).hexdigest()[:16]
        for path in storage_for(root).glob(f"{root}/*"):
            if not path.rstrip("/").endswith(key):
                storage_for(path).delete(path)
        return f"{root}/{key}"

    def requests(self, rows: Iterable[Mapping[str, Any]]) -> Iterator[tuple[Search, ...]]:
        """Cut queries into searches, and searches into requests.

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
                    for found in pool.map(lambda searches: self.answer(searches, pace), requests):
                        yield from found

        return dealt.mapInArrow(run, schema)

    def answer(self, searches: Sequence[Search], pace: Pace) -> list[pa.RecordBatch]:
        """Ask some searches at once: PAIR and `features`, one batch a search.

        Args:
            searches: As many as one request takes.
            pace: Of this process.
        """
        found = self.logging.ask(self.client, searches, pace)
        names = self.logging.feature_set.names
        return [_batch(search, values, names) for search, values in zip(searches, found, strict=True)]


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


def _batch(search: Search, values: Values, names: Sequence[str]) -> pa.RecordBatch:
    known, numbers = values
    n = len(search.doc_ids)
    columns: list[Any] = [pa.array(np.ascontiguousarray(column)) for column in numbers.T]
    features = pa.StructArray.from_arrays(columns, names=list(names), mask=pa.array(~known))
    texts = [pa.array([search.corpus] * n), pa.array([search.query] * n), pa.array(search.doc_ids)]
    return pa.RecordBatch.from_arrays([*texts, features], names=[*PAIR, "features"])
