"""From judged pairs to feature values over many workers: batches that are kept as they end, and a bounded load."""

from __future__ import annotations

import math
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from rankhammer import spark
from rankhammer.digests import hex_digest
from rankhammer.feature_sources.remote.batching import PAIR, QUERY, requests_of
from rankhammer.feature_sources.remote.checkpoints import FORMAT, keep, read_kept
from rankhammer.feature_sources.remote.concurrency_limit import Pace
from rankhammer.storage.base import storage_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from concurrent.futures import Future

    from pyspark.sql import Column, DataFrame
    from pyspark.sql.types import StructType

    from rankhammer.feature_sources.remote.base import FeatureLogging, FeatureSearch
    from rankhammer.feature_sources.remote.batching import PageRequest
    from rankhammer.feature_sources.remote.options import CollectOptions
    from rankhammer.search_engines.client import Client

_MAX_BATCHES = 10_000
_BATCH, _ROWS = "batch of collecting", "rows.txt"


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
        """Return the rows with the column `features`, null where the engine does not have the document.

        Args:
            rows: Has PAIR; every other column is carried through.
        """
        self.logging.prepare(self.client)
        n_tasks = min(self.options.max_in_flight, spark.tasks_at_once())
        if self.options.progress is None:
            partitioned = _partition_by_query(rows, n_tasks)
            return partitioned.mapInArrow(self._ask(n_tasks), self._schema(rows))
        return self._ask_in_batches(rows, n_tasks)

    def _ask_in_batches(self, rows: DataFrame, n_tasks: int) -> DataFrame:
        content = content_of(rows)
        n_batches = math.ceil(content.n_queries / (n_tasks * self.options.searches_per_batch))
        n_batches = min(_MAX_BATCHES, max(1, n_batches))
        folder = self._own_folder(f"{content.pairs}/{n_batches}")
        is_of_these_rows = _bind_folder(f"{folder}/{_ROWS}", content.rows)
        paths = [f"{folder}/batch={number}" for number in range(n_batches)]
        self._fill(paths, rows.withColumn(_BATCH, _batch(n_batches)), n_tasks)
        if is_of_these_rows:
            return read_kept(rows.sparkSession, paths, self._schema(rows))
        # Their pairs are these, and grades, say, are others: nobody is asked again for that.
        kept = read_kept(rows.sparkSession, paths, self._schema(rows.select(*PAIR)))
        return rows.join(kept.dropDuplicates(PAIR), PAIR, "left")

    def _fill(self, paths: Sequence[str], rows: DataFrame, n_tasks: int) -> None:
        left = [n for n, path in enumerate(paths) if not storage_for(path).exists(f"{path}/_SUCCESS")]
        partitioned = _partition_by_query(rows, n_tasks)
        if len(left) > 1:
            # Every batch reads it: without this, each would deal all rows again.
            partitioned.persist()
        try:
            for number in left:
                # An action per batch: what it brought is kept, whatever happens to the next one.
                keep(partitioned.where(f"`{_BATCH}` = {number}").drop(_BATCH), self._ask(n_tasks), paths[number])
        finally:
            partitioned.unpersist()

    def _own_folder(self, pairs: str) -> str:
        """Return the folder of this very question, and clear away those of earlier ones."""
        root = str(self.options.progress).rstrip("/")
        key = hex_digest(f"{FORMAT}\n{self.logging.key}\n{pairs}", 16)
        for path in storage_for(root).glob(f"{root}/*"):
            if not path.rstrip("/").endswith(key):
                storage_for(path).delete(path)
        return f"{root}/{key}"

    def _ask(self, n_tasks: int) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
        """Return what turns dealt rows into those with features; runs on a worker."""
        n_threads = self.options.max_in_flight // n_tasks
        logging = self.logging

        def run(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            pace = Pace(n_threads, greedy=self.options.pace == "greedy")
            requests = requests_of(batches, max_docs=logging.max_docs, max_searches=logging.max_searches)

            def answer(request: PageRequest) -> pa.RecordBatch:
                return request.with_features(self.features(request.searches, pace))

            with ThreadPoolExecutor(n_threads) as pool:
                yield from in_order(pool, answer, requests, 2 * n_threads)

        return run

    def _schema(self, rows: DataFrame) -> StructType:
        from pyspark.sql.types import FloatType, StructField, StructType

        features = StructType([StructField(name, FloatType()) for name in self.logging.feature_set.names])
        return StructType([*rows.schema.fields, StructField("features", features)])

    def features(self, searches: Sequence[FeatureSearch], pace: Pace) -> pa.StructArray:
        """Ask some searches at once, and return the features of every document, null where there is none.

        Args:
            searches: At most the logging's `max_searches`.
            pace: Of this process.
        """
        found = self.logging.ask(self.client, searches, pace)
        known = np.concatenate([known for known, _ in found])
        numbers = np.concatenate([values.T for _, values in found], axis=1)
        columns = [pa.array(column) for column in numbers]
        return pa.StructArray.from_arrays(columns, list(self.logging.feature_set.names), mask=pa.array(~known))


def in_order(
    pool: ThreadPoolExecutor, answer: Callable[[Any], pa.RecordBatch], requests: Iterable[Any], n_ahead: int
) -> Iterator[pa.RecordBatch]:
    """Yield the answers in order; requests are taken as they are needed, and the pool is never without one.

    Args:
        pool: Asks.
        answer: How.
        requests: What is asked.
        n_ahead: Requests that are under way at most.
    """
    asked: deque[Future[pa.RecordBatch]] = deque()
    for request in requests:
        if len(asked) == n_ahead:
            yield asked.popleft().result()
        asked.append(pool.submit(answer, request))
    while asked:
        yield asked.popleft().result()


@dataclass(frozen=True)
class Content:
    """What tells rows from others, whatever their order.

    Args:
        n_queries: How many there are.
        pairs: A text that the pairs determine.
        rows: A text that all columns determine.
    """

    n_queries: int
    pairs: str
    rows: str


def content_of(rows: DataFrame) -> Content:
    """Sum up rows.

    Args:
        rows: Has PAIR.
    """
    from pyspark.sql import functions as F

    numbers = [number for columns in (PAIR, rows.columns) for number in _sums(F.xxhash64(*columns))]
    # An action: what is kept of an earlier run is of this very question or of another. One row comes back.
    n_queries, *sums = rows.agg(F.count_distinct(_hash()), *numbers).collect()[0]
    return Content(n_queries, f"{n_queries} {sums[:2]}", f"{sums[2:]} {rows.schema.simpleString()}")


def _sums(number: Column) -> list[Column]:
    """Return sums of both halves: that of the whole numbers could be too large."""
    from pyspark.sql import functions as F

    return [F.sum(number.bitwiseAND(F.lit(2**32 - 1))), F.sum(F.shiftrightunsigned(number, 32))]


def _bind_folder(path: str, content: str) -> bool:
    """Say whether a folder is of these rows; it is, when nobody has said so before."""
    storage = storage_for(path)
    if not storage.exists(path):
        storage.write(path, content.encode())
    return storage.read(path).decode() == content


def _partition_by_query(rows: DataFrame, n_tasks: int) -> DataFrame:
    """Put all rows of a query into one partition, side by side, and equal pairs, too."""
    # First by the hash, which is compared in one step and is in the order of batches.
    return rows.repartition(n_tasks, _hash()).sortWithinPartitions(_hash(), *PAIR)


def _batch(n_batches: int) -> Column:
    """Return the number of a query's batch; it grows with the hash."""
    from pyspark.sql import functions as F

    return F.least(F.floor((_hash() / 2.0**64 + 0.5) * n_batches), F.lit(n_batches - 1))


def _hash() -> Column:
    from pyspark.sql import functions as F

    return F.xxhash64(*QUERY)
