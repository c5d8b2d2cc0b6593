"""One pass over the log: distinct result pages and how often each was seen, one row per query cluster.

What leaves a map task is small: each document id once per cluster instead of once per impression, and each distinct
page (documents and clicks) once with a weight. Only that is shuffled, and every click model works from it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rankhammer.click_models.counts.columnar import from_arrow, in_chunks, pack_ints, pack_texts, text_codes, to_arrow
from rankhammer.click_models.counts.pattern_merge import gather_batches
from rankhammer.click_models.counts.sequences import GAIN_UNIT, distinct, factorize, take_ragged, with_gains
from rankhammer.schemas import CLICK_WEIGHTS, COUNTED_SERPS, ddl

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pyspark.sql import DataFrame

    from rankhammer.click_models.types import Bools, Ints


INPUT_COLUMNS = ("corpus", "query_cluster_id", "query", "doc_ids", "clicked")
SHARE_COLUMNS = {
    "corpus": "string",
    "query_cluster_id": "string",
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
"""What one chunk of a log knows of a cluster. Lists as `packing` packs them; cells as in `schemas.COUNTED_SERPS`."""

_CHUNK_BYTES = 64 * 2**20
"""Log bytes counted at once: bounds a map task's Python memory to a few times this."""


def count_serps(serps: DataFrame) -> DataFrame:
    """Count a log by distinct page and bring each query cluster together: the only shuffle of a fit.

    Args:
        serps: `schemas.SERPS`.

    Returns:
        `schemas.COUNTED_SERPS`, sorted by corpus and cluster within each partition. The same log gives the same rows,
        to the last byte, however it was cut or ordered.

    Raises:
        DataError: One cluster has more than some 50 million distinct pages; raised on a worker.
    """
    return merge_shares(count_shares(serps))


def count_shares(serps: DataFrame) -> DataFrame:
    """Count a part of a log, such as a day, where its pages are; nothing is shuffled.

    Args:
        serps: `schemas.SERPS`.

    Returns:
        SHARE_COLUMNS; a cluster may have several rows.
    """
    from pyspark.sql import functions as F

    # A log without weights is counted as if there were none: nothing of them is shuffled.
    weights = [name for name in (CLICK_WEIGHTS,) if name in serps.columns]
    pages = serps.where(F.size("doc_ids") > 0).select(*INPUT_COLUMNS, *weights)
    return pages.mapInArrow(_count_batches, ddl(share_columns(has_weights=bool(weights))))


def share_columns(*, has_weights: bool) -> dict[str, str]:
    """Return the columns of counted parts: SHARE_COLUMNS, and what weighted clicks add to them."""
    return {**SHARE_COLUMNS, **(COUNTED_SERPS.optional if has_weights else {})}


def merge_shares(shares: DataFrame) -> DataFrame:
    """Add counted parts of a log up.

    Args:
        shares: What `count_shares` made of each part.

    Returns:
        As `count_serps` of all parts together, to the last byte.

    Raises:
        DataError: As `count_serps`.
    """
    gains = {name: kind for name, kind in COUNTED_SERPS.optional.items() if name in shares.columns}
    keys = ["corpus", "query_cluster_id"]
    gathered = shares.repartition(*keys).sortWithinPartitions(*keys)
    return gathered.mapInArrow(gather_batches, ddl({**COUNTED_SERPS.columns, **gains}))


def _count_batches(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    yield from map(count_chunk, in_chunks(batches, _CHUNK_BYTES))


def count_chunk(chunk: pa.Table) -> pa.RecordBatch:
    """Count one chunk of a log.

    Args:
        chunk: INPUT_COLUMNS and, where clicks have weights, click_weights; one row per page with at least one document.

    Returns:
        SHARE_COLUMNS (and gains), one row for each (corpus, cluster) in the chunk.
    """
    group, groups = _group(chunk)
    docs = chunk["doc_ids"].combine_chunks()
    length = from_arrow(pc.list_value_length(docs)).astype(np.int64)
    clicked = from_arrow(chunk["clicked"].combine_chunks().flatten())
    local, docs_of_group = _number_documents(docs.flatten(), np.repeat(group, length), len(groups))
    cells = 2 * local + clicked
    gains = _gains(chunk, clicked)
    pages = distinct(with_gains(cells, gains), length, group)
    order = pages.first[np.argsort(group[pages.first], kind="stable")]
    weight = np.bincount(pages.inverse, minlength=len(pages.first))[pages.inverse[order]]
    pages_of_group = np.bincount(group[order], minlength=len(groups))
    cells_of_group = np.bincount(group[order], weights=length[order], minlength=len(groups)).astype(np.int64)
    n_clicks = np.bincount(np.repeat(group, length)[clicked], minlength=len(groups))
    columns = [
        *(chunk[name].combine_chunks().take(to_arrow(groups)) for name in ("corpus", "query_cluster_id")),
        to_arrow(np.bincount(group, minlength=len(groups))),
        to_arrow(n_clicks),
        *_count_queries(chunk["query"], group, len(groups)),
        *pack_texts(*docs_of_group),
        pack_ints(pages_of_group, length[order]),
        pack_ints(pages_of_group, weight),
        pack_ints(cells_of_group, take_ragged(cells, length, order)),
    ]
    names = list(SHARE_COLUMNS)
    if gains is not None:
        columns.append(pack_ints(cells_of_group, take_ragged(gains, length, order)))
        names.append("gains")
    return pa.RecordBatch.from_arrays(columns, names=names)


def _gains(chunk: pa.Table, clicked: Bools) -> Ints | None:
    """Return what each cell's click is worth in thousandths; a page without weights has clicks worth all."""
    if CLICK_WEIGHTS not in chunk.column_names:
        return None
    weights = chunk[CLICK_WEIGHTS].combine_chunks()
    lengths = from_arrow(pc.list_value_length(chunk["doc_ids"].combine_chunks()))
    known = np.repeat(from_arrow(weights.is_valid()), lengths)
    gains = np.where(clicked, GAIN_UNIT, 0).astype(np.int64)
    gains[known] = np.rint(from_arrow(weights.flatten()) * GAIN_UNIT).astype(np.int64)
    return gains


def _group(chunk: pa.Table) -> tuple[Ints, Ints]:
    """Number the (corpus, cluster) of each row; also one row number of each group."""
    corpus = text_codes(chunk["corpus"])
    cluster = text_codes(chunk["query_cluster_id"])
    group, keys = factorize(corpus * (cluster.max() + 1) + cluster)
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
