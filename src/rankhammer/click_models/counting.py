"""One pass over the log: distinct result pages and how often each was seen, one row a query cluster.

What leaves a map task is small: each document id once per cluster instead of once per impression, and each distinct
page (documents and clicks) once with a weight. Only that is shuffled, and every click model works from it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rankhammer.click_models.base import CountedSerps
from rankhammer.click_models.packing import from_arrow, pack_ints, pack_texts, to_arrow, unpack_ints, unpack_texts
from rankhammer.click_models.sequences import distinct, factorize, take_ragged
from rankhammer.click_models.warm_start import read_start

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from numpy.typing import NDArray
    from pyspark.sql import DataFrame

    Ints = NDArray[np.int64]

INPUT_COLUMNS = ("corpus", "query_cluster_id", "part", "query", "doc_ids", "clicked")
COUNTED_COLUMNS = {
    "corpus": "string",
    "query_cluster_id": "string",
    "part": "int",
    "n_serps": "bigint",
    "n_clicks": "bigint",
    "queries": "binary",
    "query_lengths": "binary",
    "query_counts": "binary",
    "doc_ids": "binary",
    "doc_lengths": "binary",
    "page_lengths": "binary",
    "page_weights": "binary",
    "cells": "binary",
}
"""Lists as `packing` packs them. A cell is 2 x (place in doc_ids) + clicked; `page_lengths` cuts cells into pages."""

_CHUNK_BYTES = 64 * 2**20
"""Log bytes counted at once: bounds a map task's Python memory to a few times this."""


@dataclass(frozen=True)
class CountedCorpus:
    """The counted log of one corpus within one partition.

    Args:
        corpus: Its name.
        serps: The pages.
        part: Which part of a split each page belongs to, shape (n_serps,).
        cluster_ids: Query cluster id of each cluster, sorted.
        queries: Most frequent typed form of each cluster; of equally frequent ones the first by text.
        doc_ids: Document id of each pair.
        start: Parameters of an earlier fit by name, NaN for a pair that it did not have, each of shape (n_pairs,).
    """

    corpus: str
    serps: CountedSerps
    part: Ints
    cluster_ids: pa.Array
    queries: pa.Array
    doc_ids: pa.Array
    start: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)


def count_serps(serps: DataFrame) -> DataFrame:
    """Count a log by distinct page and bring each query cluster together: the only shuffle of a fit.

    Args:
        serps: `schemas.SERPS`; an int column `part` may split it (for instance into training and test).

    Returns:
        COUNTED_COLUMNS; several rows may hold shares of one (corpus, cluster, part), all in one partition.
    """
    from pyspark.sql import functions as F

    if "part" not in serps.columns:
        serps = serps.withColumn("part", F.lit(0))
    schema = ", ".join(f"{name} {kind}" for name, kind in COUNTED_COLUMNS.items())
    whole = serps.where(F.size("doc_ids") > 0).select(*INPUT_COLUMNS)
    return whole.mapInArrow(_count_batches, schema).repartition("corpus", "query_cluster_id")


def read_counted(batches: Iterable[pa.RecordBatch]) -> Iterator[CountedCorpus]:
    """Put the rows of one partition together again, one corpus at a time, in an order that no shuffle can change.

    Args:
        batches: Rows of COUNTED_COLUMNS; all rows of a (corpus, cluster) are among them.
    """
    held = [batch for batch in batches if batch.num_rows]
    if not held:
        return
    table = pa.Table.from_batches(held)
    table = table.take(pc.sort_indices(table, [("corpus", "ascending"), ("query_cluster_id", "ascending")]))
    table = table.combine_chunks()
    runs = table["corpus"].combine_chunks().dictionary_encode()
    edges = np.searchsorted(from_arrow(runs.indices), np.arange(len(runs.dictionary) + 1))
    for place, corpus in enumerate(runs.dictionary.to_pylist()):
        yield _merge(corpus, table.slice(edges[place], edges[place + 1] - edges[place]).combine_chunks())


def _count_batches(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    held: list[pa.RecordBatch] = []
    size = 0
    for batch in batches:
        held.append(batch)
        size += batch.nbytes
        if size >= _CHUNK_BYTES:
            yield count_chunk(pa.Table.from_batches(held))
            held, size = [], 0
    if held and any(batch.num_rows for batch in held):
        yield count_chunk(pa.Table.from_batches(held))


def count_chunk(chunk: pa.Table) -> pa.RecordBatch:
    """Count one chunk of a log.

    Args:
        chunk: INPUT_COLUMNS, one row a page with at least one document.

    Returns:
        COUNTED_COLUMNS, one row for each (corpus, cluster, part) in the chunk.
    """
    group, groups = _group(chunk)
    docs = chunk["doc_ids"].combine_chunks()
    length = from_arrow(pc.list_value_length(docs)).astype(np.int64)
    clicked = from_arrow(chunk["clicked"].combine_chunks().flatten())
    local, docs_of_group = _number_documents(docs.flatten(), np.repeat(group, length), len(groups))
    cells = 2 * local + clicked
    pages = distinct(cells, length, group)
    order = pages.first[np.argsort(group[pages.first], kind="stable")]
    weight = np.bincount(pages.inverse, minlength=len(pages.first))[pages.inverse[order]]
    pages_of_group = np.bincount(group[order], minlength=len(groups))
    cells_of_group = np.bincount(group[order], weights=length[order], minlength=len(groups)).astype(np.int64)
    n_clicks = np.bincount(np.repeat(group, length)[clicked], minlength=len(groups))
    columns = [
        *(chunk[name].combine_chunks().take(to_arrow(groups)) for name in ("corpus", "query_cluster_id", "part")),
        to_arrow(np.bincount(group, minlength=len(groups))),
        to_arrow(n_clicks),
        *_count_queries(chunk["query"], group, len(groups)),
        *pack_texts(*docs_of_group),
        pack_ints(pages_of_group, length[order]),
        pack_ints(pages_of_group, weight),
        pack_ints(cells_of_group, take_ragged(cells, length, order)),
    ]
    return pa.RecordBatch.from_arrays(columns, names=list(COUNTED_COLUMNS))


def _group(chunk: pa.Table) -> tuple[Ints, Ints]:
    """Number the (corpus, cluster, part) of each row; also one row number of each group."""
    corpus = _codes(chunk["corpus"])
    cluster = _codes(chunk["query_cluster_id"])
    part = from_arrow(chunk["part"]).astype(np.int64)
    key = (corpus * (cluster.max() + 1) + cluster) * (part.max() + 1) + part
    group, keys = factorize(key)
    rows = np.zeros(len(keys), np.int64)
    rows[group[::-1]] = np.arange(len(group))[::-1]
    return group, rows


def _number_documents(docs: pa.Array, group: Ints, n_groups: int) -> tuple[Ints, tuple[Ints, pa.Array]]:
    """Number each group's documents from 0; also how many each group has, and their ids group by group."""
    encoded = docs.dictionary_encode()
    code = from_arrow(encoded.indices).astype(np.int64)
    n_docs = max(len(encoded.dictionary), 1)
    pair, keys = factorize(group * n_docs + code)
    order = np.argsort(keys, kind="stable")
    owner = keys[order] // n_docs
    per_group = np.bincount(owner, minlength=n_groups)
    local = np.empty(len(keys), np.int64)
    local[order] = np.arange(len(keys)) - (np.cumsum(per_group) - per_group)[owner]
    return local[pair], (per_group, encoded.dictionary.take(to_arrow(keys[order] % n_docs)))


def _count_queries(query: pa.ChunkedArray, group: Ints, n_groups: int) -> tuple[pa.Array, ...]:
    encoded = query.combine_chunks().dictionary_encode()
    n_queries = max(len(encoded.dictionary), 1)
    keys, counts = np.unique(group * n_queries + from_arrow(encoded.indices), return_counts=True)
    per_group = np.bincount(keys // n_queries, minlength=n_groups)
    texts = encoded.dictionary.take(to_arrow(keys % n_queries))
    return *pack_texts(per_group, texts), pack_ints(per_group, counts)


def _codes(column: pa.ChunkedArray) -> Ints:
    codes: Ints = from_arrow(column.combine_chunks().dictionary_encode().indices).astype(np.int64)
    return codes


def _merge(corpus: str, rows: pa.Table) -> CountedCorpus:
    """Merge the shares of one corpus; `rows` are sorted by cluster."""
    clusters = rows["query_cluster_id"].combine_chunks().dictionary_encode()
    cluster = from_arrow(clusters.indices).astype(np.int64)
    n_docs, docs = unpack_texts(rows["doc_ids"], rows["doc_lengths"])
    texts, rank = _sorted_codes(docs)
    keys, share_pair = np.unique(np.repeat(cluster, n_docs) * len(texts) + rank, return_inverse=True)
    n_pages, length = unpack_ints(rows["page_lengths"])
    n_cells, cell = unpack_ints(rows["cells"])
    serps = CountedSerps(
        pair=share_pair[np.repeat(np.cumsum(n_docs) - n_docs, n_cells) + cell // 2],
        clicked=cell % 2 == 1,
        length=length,
        weight=unpack_ints(rows["page_weights"])[1].astype(np.float64),
        pair_cluster=keys // len(texts),
    )
    part = np.repeat(from_arrow(rows["part"]).astype(np.int64), n_pages)
    queries, doc_ids = _most_frequent(rows, cluster), texts.take(to_arrow(keys % len(texts)))
    return CountedCorpus(
        corpus, serps, part, clusters.dictionary, queries, doc_ids, read_start(rows, cluster, texts, keys)
    )


def _sorted_codes(texts: pa.Array) -> tuple[pa.Array, Ints]:
    """Return the distinct texts in text order, and each text's place among them."""
    encoded = texts.dictionary_encode()
    order = pc.sort_indices(encoded.dictionary)
    rank = np.empty(len(order), np.int64)
    rank[from_arrow(order)] = np.arange(len(order))
    return encoded.dictionary.take(order), rank[from_arrow(encoded.indices)]


def _most_frequent(rows: pa.Table, cluster: Ints) -> pa.Array:
    """Return one query a cluster: the most frequent, then the first by text."""
    n_queries, queries = unpack_texts(rows["queries"], rows["query_lengths"])
    texts, rank = _sorted_codes(queries)
    keys, inverse = np.unique(np.repeat(cluster, n_queries) * len(texts) + rank, return_inverse=True)
    counts = np.bincount(inverse, weights=unpack_ints(rows["query_counts"])[1])
    order = np.lexsort((keys, -counts, keys // len(texts)))
    _, first = np.unique(keys[order] // len(texts), return_index=True)
    return texts.take(to_arrow(keys[order][first] % len(texts)))
