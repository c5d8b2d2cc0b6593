"""From what the chunks of a log know of each query cluster to one row per cluster, the same however the log was cut."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rankhammer.click_models.counts.columnar import (
    from_arrow,
    in_chunks,
    pack_ints,
    pack_texts,
    text_codes,
    to_arrow,
    unpack_ints,
    unpack_texts,
)
from rankhammer.click_models.counts.sequences import add_up, distinct, take_ragged, with_gains
from rankhammer.schemas import COUNTED_SERPS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rankhammer.click_models.types import Ints


_CHUNK_BYTES = 32 * 2**20
"""Counted bytes put together at once, and one cluster more: bounds a task's Python memory to some twenty times this."""


def gather_batches(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Put the shares of each cluster together.

    Args:
        batches: `counting.SHARE_COLUMNS`, sorted by corpus and cluster; all shares of a cluster are among them.

    Yields:
        `schemas.COUNTED_SERPS`, in the same order.
    """
    for shares in _whole_clusters(batches):
        yield gather(shares)


def gather(shares: pa.Table) -> pa.RecordBatch:
    """Put the shares of whole clusters together.

    Args:
        shares: `counting.SHARE_COLUMNS`, sorted by corpus and cluster.

    Returns:
        `schemas.COUNTED_SERPS`. Documents are sorted by id and pages by content, so that neither the order of the
        log nor how it was cut can be seen.
    """
    first, cluster = _runs(shares)
    n_docs, docs = unpack_texts(shares["doc_ids"], shares["doc_lengths"])
    texts, rank = sorted_codes(docs)
    keys, share_pair = np.unique(np.repeat(cluster, n_docs) * len(texts) + rank, return_inverse=True)
    docs_of_cluster = np.bincount(keys // len(texts), minlength=len(first))
    n_cells, cell = unpack_ints(shares["cells"])
    pair = share_pair[np.repeat(np.cumsum(n_docs) - n_docs, n_cells) + cell // 2]
    before = (np.cumsum(docs_of_cluster) - docs_of_cluster)[np.repeat(cluster, n_cells)]
    columns = [
        *(shares[name].combine_chunks().take(to_arrow(first)) for name in ("corpus", "query_cluster_id")),
        _most_frequent(shares, cluster),
        *(_sums(shares[name], cluster) for name in ("n_serps", "n_clicks")),
        *pack_texts(docs_of_cluster, texts.take(to_arrow(keys % len(texts)))),
        *_pages(shares, cluster, 2 * (pair - before) + cell % 2),
    ]
    return pa.RecordBatch.from_arrays(columns, names=COUNTED_SERPS.names_in(shares.column_names))


def _whole_clusters(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    """Cut a sorted stream between clusters, every _CHUNK_BYTES or so."""
    last: list[pa.Table] = []
    for chunk in in_chunks(batches, _CHUNK_BYTES):
        table = pa.concat_tables([*last, chunk])
        begin_of_last = int(_runs(table)[0][-1])
        if begin_of_last:
            yield table.slice(0, begin_of_last)
        last = [table.slice(begin_of_last)]
    yield from last


def _runs(shares: pa.Table) -> tuple[Ints, Ints]:
    """Return the first row of each (corpus, cluster) of a sorted table, and each row's number among them."""
    codes = [text_codes(shares[name]) for name in ("corpus", "query_cluster_id")]
    begins = np.ones(len(shares), bool)
    begins[1:] = np.any([code[1:] != code[:-1] for code in codes], axis=0)
    return np.flatnonzero(begins), np.cumsum(begins) - 1


def _sums(column: pa.ChunkedArray, cluster: Ints) -> pa.Array:
    return to_arrow(np.bincount(cluster, weights=from_arrow(column)).astype(np.int64))


def _pages(shares: pa.Table, cluster: Ints, cells: Ints) -> tuple[pa.Array, ...]:
    """Merge equal pages: packed lengths, weights, cells (and gains) of the distinct ones, by cluster and content."""
    n_pages, length = unpack_ints(shares["page_lengths"])
    owner = np.repeat(cluster, n_pages)
    gains = unpack_ints(shares["gains"])[1] if "gains" in shares.column_names else None
    kinds = distinct(with_gains(cells, gains), length, owner)
    weight = add_up(kinds.inverse, unpack_ints(shares["page_weights"])[1].astype(np.float64), len(kinds.first))
    order = np.lexsort((kinds.hash, owner[kinds.first]))
    chosen = kinds.first[order]
    pages_of = np.bincount(owner[chosen], minlength=int(cluster[-1]) + 1)
    cells_of = np.bincount(owner[chosen], weights=length[chosen], minlength=len(pages_of)).astype(np.int64)
    per_cell = (cells,) if gains is None else (cells, gains)
    return (
        pack_ints(pages_of, length[chosen]),
        pack_ints(pages_of, weight[order].astype(np.int64)),
        *(pack_ints(cells_of, take_ragged(values, length, chosen)) for values in per_cell),
    )


def sorted_codes(texts: pa.Array) -> tuple[pa.Array, Ints]:
    """Return the distinct texts in text order, and each text's place among them."""
    encoded = texts.dictionary_encode()
    order = pc.sort_indices(encoded.dictionary)
    rank = np.empty(len(order), np.int64)
    rank[from_arrow(order)] = np.arange(len(order))
    return encoded.dictionary.take(order), rank[from_arrow(encoded.indices)]


def _most_frequent(shares: pa.Table, cluster: Ints) -> pa.Array:
    """Return one query a cluster: the most frequent, then the first by text."""
    n_queries, queries = unpack_texts(shares["queries"], shares["query_lengths"])
    texts, rank = sorted_codes(queries)
    keys, inverse = np.unique(np.repeat(cluster, n_queries) * len(texts) + rank, return_inverse=True)
    counts = np.bincount(inverse, weights=unpack_ints(shares["query_counts"])[1])
    order = np.lexsort((keys, -counts, keys // len(texts)))
    _, first = np.unique(keys[order] // len(texts), return_index=True)
    return texts.take(to_arrow(keys[order][first] % len(texts)))
