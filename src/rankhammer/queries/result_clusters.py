"""Clusters within a normal form: queries that mostly found the same documents, by the lists that the log holds.

A form lumps together what has nothing but its terms in common, such as queries of stop words alone. The id of a cluster
comes from its content: that of the form for the cluster that has the form's first query in the order of texts, and for
each other one the head of the SHA-256 of the form and the cluster's own first query. So it stays the same in every run,
and while queries are added behind the first ones.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import Window
from pyspark.sql import functions as F

from rankhammer.queries.overlap import MIN_OVERLAP, TOP_RESULTS, overlap_clusters

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray
    from pyspark.sql import DataFrame

MAX_QUERIES = 100_000
"""Queries of a form that are compared, the most frequent ones: some 300 MB. The others stay alone."""
ID_LENGTH = 16
"""Hexadecimal digits: 64 bits, so that ten million queries share an id with a chance of 3 in a million."""
_FORM = ("corpus", "normalized_query")
_MOVED = "corpus string, query string, first_query string"
_logger = logging.getLogger(__name__)


def split_by_results(serps: DataFrame, *, lists: DataFrame | None = None, max_queries: int = MAX_QUERIES) -> DataFrame:
    """Give each cluster of a form its own `query_cluster_id`.

    Two queries of a form are of one cluster if their lists overlap by more than MIN_OVERLAP (Jaccard), or if others
    connect them. A list is the first TOP_RESULTS documents that an engine shows for the query, or, where it has none,
    those that its pages showed most often in these places. A query without documents stays alone.

    Args:
        serps: Has corpus, query, normalized_query, query_cluster_id and doc_ids.
        lists: `schemas.RESULT_LISTS`; None: the pages alone count.
        max_queries: Queries of a form that are compared; see `count_cut_forms`.

    Returns:
        The same rows and columns.
    """
    shown = _several_queries(_result_lists(serps))
    listed = shown if lists is None else _as_listed(shown, lists)
    # A form is in one partition; sorted, it takes no more memory than its own.
    sorted_lists = listed.sortWithinPartitions(*_FORM, "query", "doc_id")
    moved = sorted_lists.mapInArrow(lambda batches: _move_forms(batches, max_queries), _MOVED)
    own_id = F.substring(F.sha2(F.concat_ws("\n", "normalized_query", "first_query"), 256), 1, ID_LENGTH)
    cluster = F.when(F.col("first_query").isNull(), F.col("query_cluster_id")).otherwise(own_id)
    joined = serps.join(moved, ["corpus", "query"], "left").withColumn("query_cluster_id", cluster)
    return joined.select(*serps.columns)


def count_cut_forms(serps: DataFrame, *, max_queries: int = MAX_QUERIES) -> dict[str, dict[str, int]]:
    """Count the forms that have more queries than are compared, and warn of them.

    Args:
        serps: Has corpus, query and normalized_query.
        max_queries: As in `split_by_results`.

    Returns:
        Corpus to `forms` and to `queries`, those that stay alone; corpora without such forms are left out.
    """
    sizes = serps.groupBy(*_FORM).agg(F.count_distinct("query").alias("n")).where(F.col("n") > max_queries)
    by_corpus = sizes.groupBy("corpus").agg(
        F.count("*").alias("forms"), F.sum(F.col("n") - max_queries).alias("queries")
    )
    # An action: at most one row per corpus.
    found = sorted(by_corpus.collect(), key=lambda row: row["corpus"])
    for row in found:
        _logger.warning(
            "Corpus %r: %d normal forms have more than %d queries; the %d rarest of them are clusters of their own.",
            *(row["corpus"], row["forms"], max_queries, row["queries"]),
        )
    return {row["corpus"]: {"forms": row["forms"], "queries": row["queries"]} for row in found}


def find_clusters(table: DataFrame, log: DataFrame) -> DataFrame:
    """Give queries from elsewhere, such as graded ones, the clusters that they have in a log.

    Args:
        table: Has corpus, query and normalized_query.
        log: Has corpus, query, normalized_query and query_cluster_id, with the same normal forms.

    Returns:
        The same rows, with `query_cluster_id`: the cluster of the query as it is typed; of a query that the log lacks
        the only cluster of its form; null where the form has several, or none.
    """
    typed = log.groupBy("corpus", "query").agg(F.min("query_cluster_id").alias("_typed"))
    ids = F.min("query_cluster_id"), F.max("query_cluster_id")
    forms = log.groupBy(*_FORM).agg(F.when(ids[0] == ids[1], ids[0]).alias("_only"))
    joined = table.drop("query_cluster_id").join(typed, ["corpus", "query"], "left").join(forms, [*_FORM], "left")
    return joined.withColumn("query_cluster_id", F.coalesce("_typed", "_only")).drop("_typed", "_only")


def _result_lists(serps: DataFrame) -> DataFrame:
    """Return one row per (query, document of its list), at most TOP_RESULTS; a null document where there is none."""
    shown = serps.select(
        *_FORM, "query", F.posexplode_outer(F.slice("doc_ids", 1, TOP_RESULTS)).alias("place", "doc_id")
    )
    counted = shown.groupBy(*_FORM, "query", "doc_id").agg(
        F.count("*").alias("n_shown"),
        F.sum("place").alias("places"),
        F.count_if(F.coalesce("place", F.lit(0)) == 0).alias("n_first"),
    )
    # All that follows is by form, and needs no other shuffle.
    query = Window.partitionBy(*_FORM, "query")
    best = query.orderBy(F.desc("n_shown"), "places", "doc_id")
    ranked = counted.repartition(*_FORM).withColumns(
        {"rank": F.row_number().over(best), "n_pages": F.sum("n_first").over(query)}
    )
    return ranked.where(F.col("rank") <= TOP_RESULTS).select(*_FORM, "query", "doc_id", "n_pages")


def _as_listed(shown: DataFrame, lists: DataFrame) -> DataFrame:
    """Put an engine's list where a query's own stands, if it has one: of each query, the documents that stand first."""
    first = Window.partitionBy("corpus", "query").orderBy("place", "doc_id")
    top = lists.withColumn("rank", F.row_number().over(first)).where(F.col("rank") <= TOP_RESULTS)
    found = top.groupBy("corpus", "query").agg(F.array_sort(F.collect_set("doc_id")).alias("listed"))
    own = shown.groupBy(*_FORM, "query").agg(
        F.max("n_pages").alias("n_pages"), F.array_sort(F.collect_set("doc_id")).alias("own")
    )
    joined = own.join(found, ["corpus", "query"], "left").withColumn("docs", F.coalesce("listed", "own"))
    listed = joined.select(*_FORM, "query", F.explode_outer("docs").alias("doc_id"), "n_pages")
    return listed.repartition(*_FORM)


def _several_queries(lists: DataFrame) -> DataFrame:
    """Leave out forms of a single query, as most are."""
    form = Window.partitionBy(*_FORM)
    spread = lists.withColumns({"_first": F.min("query").over(form), "_last": F.max("query").over(form)})
    return spread.where(F.col("_first") != F.col("_last")).drop("_first", "_last")


def _move_forms(batches: Iterable[pa.RecordBatch], max_queries: int) -> Iterator[pa.RecordBatch]:
    for table in _whole_forms(batches):
        yield from moved_queries(table, max_queries=max_queries).to_batches()


def _whole_forms(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    """Cut a sorted run of batches where forms end."""
    waiting: list[pa.RecordBatch] = []
    for batch in batches:
        if not batch.num_rows:
            continue
        begins = np.flatnonzero(_changes(batch, _FORM))
        before = waiting[-1].slice(waiting[-1].num_rows - 1) if waiting else None
        if before is not None and not _same_form(before, batch):
            yield pa.Table.from_batches(waiting)
            waiting = []
        if len(begins) > 1:
            yield pa.Table.from_batches([*waiting, batch.slice(0, begins[-1])])
            waiting = []
        waiting.append(batch.slice(begins[-1]))
    if waiting:
        yield pa.Table.from_batches(waiting)


def _same_form(last: pa.RecordBatch, batch: pa.RecordBatch) -> bool:
    return all(last[name][0].equals(batch[name][0]) for name in _FORM)


def _changes(table: pa.Table | pa.RecordBatch, names: Iterable[str]) -> NDArray[np.bool_]:
    """Tell where a row differs from the one before it; the first row does."""
    changes = np.zeros(table.num_rows, dtype=bool)
    changes[:1] = True
    for name in names:
        column = table[name]
        differs = pc.not_equal(column.slice(1), column.slice(0, max(table.num_rows - 1, 0)))
        changes[1:] |= np.asarray(differs.to_numpy(zero_copy_only=False) if isinstance(differs, pa.Array) else differs)
    return changes


def moved_queries(lists: pa.Table, *, max_queries: int = MAX_QUERIES) -> pa.Table:
    """Find the queries that are not in the cluster of their form's first query.

    Args:
        lists: corpus, normalized_query, query, doc_id, n_pages; whole forms, sorted by the first three.
        max_queries: Queries of a form that are compared.

    Returns:
        Their corpus, query, and the first query of their cluster.
    """
    is_new = _changes(lists, (*_FORM, "query"))
    row = np.flatnonzero(is_new)
    query = np.cumsum(is_new) - 1
    form = (np.cumsum(_changes(lists, _FORM)) - 1)[row]
    n_pages = lists["n_pages"].to_numpy()[row]
    compared = _most_frequent(form, n_pages, max_queries)[query] & lists["doc_id"].is_valid().to_numpy()
    docs = lists["doc_id"].combine_chunks().dictionary_encode()
    number = pc.fill_null(docs.indices, 0).to_numpy(zero_copy_only=False).astype(np.int64)
    # A document of another form is another one: queries of two forms never join.
    number += form[query] * np.int64(max(len(docs.dictionary), 1))
    cluster = overlap_clusters(query[compared], number[compared], n_queries=len(row), min_overlap=MIN_OVERLAP)
    _, first, which = np.unique(cluster, return_index=True, return_inverse=True)
    first_of_form = np.flatnonzero(np.diff(form, prepend=-1))[form]
    moved = np.flatnonzero(first[which] != first_of_form)
    return pa.table(
        {
            "corpus": lists["corpus"].take(row[moved]),
            "query": lists["query"].take(row[moved]),
            "first_query": lists["query"].take(row[first[which][moved]]),
        }
    )


def _most_frequent(form: NDArray[np.int64], n_pages: NDArray[np.int64], max_queries: int) -> NDArray[np.bool_]:
    """Tell which queries are among the most frequent ones of their form; of equal ones the first in order."""
    order = np.lexsort((np.arange(len(form)), -n_pages, form))
    starts = np.flatnonzero(np.diff(form, prepend=-1))
    kept = np.zeros(len(form), dtype=bool)
    kept[order[np.arange(len(form)) - starts[form] < max_queries]] = True
    return kept
