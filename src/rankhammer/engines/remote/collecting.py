"""From judged pairs to feature values over many workers: batches that are kept as they end, and a bounded load."""

from __future__ import annotations

import hashlib
import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from rankhammer.engines.remote.named_queries import MAX_DOCS, PARAMETERS, read_answer, search_body
from rankhammer.engines.remote.pace import Pace
from rankhammer.storage import storage_for

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray
    from pyspark.sql import DataFrame

    from rankhammer.engines.remote.client import Client
    from rankhammer.engines.remote.options import SearchOptions
    from rankhammer.feature_sets import FeatureSet

PAIR = ["corpus", "query", "doc_id"]
_MAX_BATCHES = 10_000


@dataclass(frozen=True)
class Search:
    """One question: a query and some documents of one corpus."""

    corpus: str
    query: str
    doc_ids: tuple[str, ...]


@dataclass(frozen=True)
class Collector:
    """Asks an engine for a feature set.

    Args:
        client: Travels to the workers.
        options: How hard the engine may be asked.
        feature_set: What to ask.
    """

    client: Client
    options: SearchOptions
    feature_set: FeatureSet

    def collect(self, rows: DataFrame) -> DataFrame:
        """Return PAIR and `features` of every pair, null where the engine does not have the document.

        Args:
            rows: Has PAIR.
        """
        from pyspark.sql import functions as F

        asked = rows.groupBy("corpus", "query").agg(F.sort_array(F.collect_set("doc_id")).alias("doc_ids"))
        n_tasks = self._n_tasks(rows)
        if self.options.progress is None:
            return self._ask(asked, n_tasks)
        # An action: how many batches there are, and which rows they are of. One row comes back.
        facts = asked.agg(F.count("*"), F.sum(F.xxhash64("corpus", "query", "doc_ids").cast("decimal(38,0)"))).collect()
        n_queries, content = facts[0]
        n_batches = min(_MAX_BATCHES, max(1, math.ceil(n_queries / (n_tasks * self.options.searches_per_batch))))
        folder = self._own_folder(f"{content}/{n_queries}/{n_batches}")
        batch = F.pmod(F.xxhash64("corpus", "query"), F.lit(n_batches))
        for number in range(n_batches):
            path = f"{folder}/batch={number}"
            if not storage_for(path).exists(f"{path}/_SUCCESS"):
                # An action a batch: what it brought is kept, whatever happens to the next one.
                self._ask(asked.where(batch == number), n_tasks).write.mode("overwrite").parquet(path)
        return rows.sparkSession.read.parquet(*(f"{folder}/batch={number}" for number in range(n_batches)))

    def _n_tasks(self, rows: DataFrame) -> int:
        return min(self.options.max_in_flight, rows.sparkSession.sparkContext.defaultParallelism)

    def _own_folder(self, rows: str) -> str:
        """Return the folder of this very question, and clear away those of earlier ones."""
        root = str(self.options.progress).rstrip("/")
        asked = (self.options.url, self.options.index, self.options.text_field, rows)
        key = hashlib.sha256("\n".join([*asked, self.feature_set.version]).encode()).hexdigest()[:16]
        for path in storage_for(root).glob(f"{root}/*"):
            if not path.rstrip("/").endswith(key):
                storage_for(path).delete(path)
        return f"{root}/{key}"

    def _ask(self, asked: DataFrame, n_tasks: int) -> DataFrame:
        from pyspark.sql import functions as F

        n_threads = max(1, self.options.max_in_flight // n_tasks)
        fields = ", ".join(f"`{name}`: float" for name in self.feature_set.names)
        schema = f"corpus string, query string, doc_id string, features struct<{fields}>"
        dealt = asked.repartition(n_tasks, F.xxhash64("query", "corpus"))

        def run(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            pace = Pace(n_threads, greedy=self.options.pace == "greedy")
            with ThreadPoolExecutor(n_threads) as pool:
                for batch in batches:
                    yield from pool.map(lambda search: self._answer(search, pace), _searches(batch))

        return dealt.mapInArrow(run, schema)

    def _answer(self, search: Search, pace: Pace) -> pa.RecordBatch:
        path = f"/{self.options.index_of(search.corpus)}/_search?search_type=dfs_query_then_fetch&{PARAMETERS}"
        body = search_body(self.feature_set, search.query, search.doc_ids, field_of=self.options.field_of)
        with pace:
            answer = self.client.ask("POST", path, body, on_busy=pace.refused)
            pace.answered(answer.duration_s, len(search.doc_ids))
        known, values = read_answer(answer.body, self.feature_set, search.query, search.doc_ids)
        return _batch(search, known, values, self.feature_set.names)


def _searches(batch: pa.RecordBatch) -> Iterator[Search]:
    for row in batch.to_pylist():
        for first in range(0, len(row["doc_ids"]), MAX_DOCS):
            yield Search(row["corpus"], row["query"], tuple(row["doc_ids"][first : first + MAX_DOCS]))


def _batch(
    search: Search, known: NDArray[np.bool_], values: NDArray[np.float32], names: Sequence[str]
) -> pa.RecordBatch:
    n = len(search.doc_ids)
    columns: list[Any] = [pa.array(np.ascontiguousarray(column)) for column in values.T]
    features = pa.StructArray.from_arrays(columns, names=list(names), mask=pa.array(~known))
    texts = [pa.array([search.corpus] * n), pa.array([search.query] * n), pa.array(search.doc_ids)]
    return pa.RecordBatch.from_arrays([*texts, features], names=[*PAIR, "features"])
