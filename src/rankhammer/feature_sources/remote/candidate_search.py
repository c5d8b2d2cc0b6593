"""What a search on a real engine shows first: any word of the query in any field that the feature set matches."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import pyarrow as pa

from rankhammer import spark
from rankhammer.feature_sets.dialects.solr_features import plain_field
from rankhammer.feature_sets.dialects.text_queries import text_query
from rankhammer.feature_sources.remote.base import require_whole
from rankhammer.feature_sources.remote.batch_runner import in_order
from rankhammer.feature_sources.remote.concurrency_limit import Pace
from rankhammer.feature_sources.remote.solr_logging import require_whole_answer
from rankhammer.search_engines.answer import reading
from rankhammer.search_engines.paths import path

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pyspark.sql import DataFrame

    from rankhammer.feature_sets import Match
    from rankhammer.feature_sources.remote.options import CollectOptions, SearchOptions, SolrOptions
    from rankhammer.search_engines.client import Client

_FOUND = "corpus string, query string, doc_id string, place int"
_PARAMETERS = (
    "search_type=dfs_query_then_fetch&filter_path=timed_out,_shards.failed,_shards.failures.reason,hits.hits._id"
)


class Searching(Protocol):
    """How one kind of engine is searched; travels to the workers."""

    def where(self, corpus: str) -> str:
        """Return the path of a corpus's search."""
        ...

    def body(self, query: str, n: int) -> dict[str, Any]:
        """Write a search for at most n documents."""
        ...

    def ids(self, body: Any) -> list[str]:
        """Read the documents from an answer, best first.

        Raises:
            EngineError: The answer is partial, or is none.
        """
        ...


@dataclass(frozen=True)
class ElasticSearching:
    """OpenSearch and Elasticsearch: a clause for each match.

    Args:
        options: Where the indices are.
        matches: With the engine's names of fields.
    """

    options: SearchOptions
    matches: tuple[Match, ...]

    def where(self, corpus: str) -> str:
        """See `Searching`."""
        return f"{path(self.options.index_of(corpus), '_search')}?{_PARAMETERS}"

    def body(self, query: str, n: int) -> dict[str, Any]:
        """See `Searching`."""
        clauses = [text_query(one, query) for one in self.matches]
        return {"size": n, "_source": False, "track_total_hits": False, "query": {"bool": {"should": clauses}}}

    def ids(self, body: Any) -> list[str]:
        """See `Searching`."""
        require_whole(body)
        return [hit["_id"] for hit in body.get("hits", {}).get("hits", [])]


@dataclass(frozen=True)
class SolrSearching:
    """Solr: a clause of the simple parser, without operators, for each match.

    Args:
        options: Where the cores are.
        matches: With Solr's names of fields.
    """

    options: SolrOptions
    matches: tuple[Match, ...]

    def where(self, corpus: str) -> str:
        """See `Searching`."""
        return path(self.options.index_of(corpus), "select")

    def body(self, query: str, n: int) -> dict[str, Any]:
        """See `Searching`."""
        key = self.options.id_field
        clauses = {
            f"clause{n}": f"{{!simple qf={plain_field(one)} q.operators='' q.op=OR v=$words}}"
            for n, one in enumerate(self.matches)
        }
        should = " ".join(f"should=${name}" for name in clauses)
        asked = {"q": f"{{!bool {should}}}", "words": query, **clauses}
        return {"params": {**asked, "fl": key, "rows": n, "sort": f"score desc, {key} asc"}}

    def ids(self, body: Any) -> list[str]:
        """See `Searching`."""
        require_whole_answer(body)
        return [str(found[self.options.id_field]) for found in body["response"]["docs"]]


def search_engine(
    queries: DataFrame, n: int, *, client: Client, options: CollectOptions, searching: Searching
) -> DataFrame:
    """Search for each query.

    Args:
        queries: corpus and query, each pair once.
        n: Documents of a query at most.
        client: Travels to the workers.
        options: How hard the engine may be asked.
        searching: How it is asked.

    Returns:
        corpus, query, doc_id and place (from 1), lazily.
    """
    n_tasks = min(options.max_in_flight, spark.tasks_at_once())
    n_threads, greedy = max(1, options.max_in_flight // n_tasks), options.pace == "greedy"

    def one(pair: tuple[str, str], pace: Pace) -> pa.RecordBatch:
        corpus, query = pair
        with pace:
            answer = client.ask("POST", searching.where(corpus), searching.body(query, n), on_busy=pace.refused)
            pace.answered(answer.duration_s, 1)
        with reading(answer.where):
            ids = searching.ids(answer.body)
        places = pa.array(range(1, len(ids) + 1), pa.int32())
        columns = [pa.repeat(corpus, len(ids)), pa.repeat(query, len(ids)), pa.array(ids, pa.string()), places]
        return pa.record_batch(columns, names=["corpus", "query", "doc_id", "place"])

    def run(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        pace = Pace(n_threads, greedy=greedy)
        asked = (pair for batch in batches for pair in zip(*(column.to_pylist() for column in batch), strict=True))
        with ThreadPoolExecutor(n_threads) as pool:
            yield from in_order(pool, lambda pair: one(pair, pace), asked, 2 * n_threads)

    return queries.select("corpus", "query").repartition(n_tasks, "corpus", "query").mapInArrow(run, _FOUND)
