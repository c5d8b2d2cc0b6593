"""Reads a counted log back into arrays that click models work on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rankhammer.click_models.base import CountedSerps
from rankhammer.click_models.counts.columnar import from_arrow, in_chunks, unpack_ints, unpack_texts
from rankhammer.click_models.counts.sequences import GAIN_UNIT
from rankhammer.click_models.warm_start import read_start

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from numpy.typing import NDArray


_CHUNK_BYTES = 32 * 2**20
"""Counted bytes in Python at once, and one cluster more: as numbers they take some ten times this."""


@dataclass(frozen=True)
class CountedCorpus:
    """The counted log of some clusters of one corpus.

    Args:
        corpus: Its name.
        serps: The pages, in an order that depends on their content alone.
        cluster_ids: Query cluster id of each cluster, sorted.
        queries: Most frequent typed form of each cluster.
        doc_ids: Document id of each pair.
        start: Parameters of an earlier fit by name, NaN for a pair that it did not have, each of shape (n_pairs,).
    """

    corpus: str
    serps: CountedSerps
    cluster_ids: pa.Array
    queries: pa.Array
    doc_ids: pa.Array
    start: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)


def read_in_chunks(batches: Iterable[pa.RecordBatch]) -> Iterator[CountedCorpus]:
    """Read a partition of any size, some clusters at a time.

    Args:
        batches: Rows of `schemas.COUNTED_SERPS`, perhaps with the columns of `warm_start.add_start`.
    """
    for chunk in in_chunks(batches, _CHUNK_BYTES):
        yield from read_counted(chunk)


def read_counted(counted: pa.Table) -> Iterator[CountedCorpus]:
    """Read the clusters of a table, one corpus at a time, in an order that no shuffle can change.

    Args:
        counted: Rows of `schemas.COUNTED_SERPS`.
    """
    order = pc.sort_indices(counted, [("corpus", "ascending"), ("query_cluster_id", "ascending")])
    table = counted.take(order).combine_chunks()
    runs = table["corpus"].combine_chunks().dictionary_encode()
    edges = np.searchsorted(from_arrow(runs.indices), np.arange(len(runs.dictionary) + 1))
    for place, corpus in enumerate(runs.dictionary.to_pylist()):
        yield _read_corpus(corpus, table.slice(edges[place], edges[place + 1] - edges[place]).combine_chunks())


def _read_corpus(corpus: str, rows: pa.Table) -> CountedCorpus:
    n_docs, doc_ids = unpack_texts(rows["doc_ids"], rows["doc_lengths"])
    n_cells, cell = unpack_ints(rows["cells"])
    serps = CountedSerps(
        pair=np.repeat(np.cumsum(n_docs) - n_docs, n_cells) + cell // 2,
        clicked=cell % 2 == 1,
        length=unpack_ints(rows["page_lengths"])[1],
        weight=unpack_ints(rows["page_weights"])[1].astype(np.float64),
        pair_cluster=np.repeat(np.arange(len(rows)), n_docs),
        gain=unpack_ints(rows["gains"])[1] / GAIN_UNIT if "gains" in rows.column_names else None,
    )
    ids, queries = (rows[name].combine_chunks() for name in ("query_cluster_id", "query"))
    return CountedCorpus(corpus, serps, ids, queries, doc_ids, read_start(rows, serps.pair_cluster, doc_ids))
