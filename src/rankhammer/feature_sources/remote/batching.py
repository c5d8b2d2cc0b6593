"""From sorted rows, as they arrive in Arrow batches, to searches that are asked together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rankhammer.feature_sources.remote.base import FeatureSearch

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

QUERY = ("corpus", "query")
PAIR = [*QUERY, "doc_id"]


@dataclass(frozen=True)
class PageRequest:
    """Searches that are asked together, and the rows that they are asked for.

    Args:
        rows: Sorted by PAIR, every column.
        searches: In the rows' order, each document once a search.
        place: Of each row's document among those of all searches; None where every row has one of its own.
    """

    rows: pa.RecordBatch
    searches: tuple[FeatureSearch, ...]
    place: NDArray[np.intp] | None

    def with_features(self, features: pa.StructArray) -> pa.RecordBatch:
        """Return the rows with a column `features`.

        Args:
            features: Of each document of all searches.
        """
        own = features if self.place is None else features.take(pa.array(self.place))
        return self.rows.append_column("features", own)


def requests_of(batches: Iterable[pa.RecordBatch], *, max_docs: int, max_searches: int) -> Iterator[PageRequest]:
    """Cut rows into requests; a query that continues in the next batch is asked once, when its end is there.

    Args:
        batches: Rows that have PAIR and are sorted by it; memory holds one of them and the rows of one query.
        max_docs: Documents of one search at most.
        max_searches: Searches of one request at most.
    """
    for rows in _whole_queries(batches):
        yield from _cut(rows, max_docs, max_searches)


def _whole_queries(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    unfinished: list[pa.RecordBatch] = []
    for batch in filter(len, batches):
        last = int(np.flatnonzero(_begins(batch))[-1])
        begun_here = not unfinished or not _same_query(unfinished[-1], batch)
        if last or begun_here:
            whole = [part for part in (*unfinished, batch.slice(0, last)) if len(part)]
            if whole:
                yield pa.concat_batches(whole)
            unfinished = []
        unfinished.append(batch.slice(last))
    if unfinished:
        yield pa.concat_batches(unfinished)


def _same_query(before: pa.RecordBatch, after: pa.RecordBatch) -> bool:
    return all(before[name][-1] == after[name][0] for name in QUERY)


def _begins(rows: pa.RecordBatch) -> NDArray[np.bool_]:
    """Say which rows are the first of their query."""
    return _differs(rows["corpus"]) | _differs(rows["query"])


def _differs(column: pa.Array) -> NDArray[np.bool_]:
    """Say which values are others than the one before; the first one is."""
    differs = np.ones(len(column), bool)
    differs[1:] = pc.not_equal(column[1:], column[:-1]).to_numpy(zero_copy_only=False)
    return differs


def _cut(rows: pa.RecordBatch, max_docs: int, max_searches: int) -> Iterator[PageRequest]:
    begins = _begins(rows)
    is_first = begins | _differs(rows["doc_id"])
    # Counted from 0 through all rows, and through those of a query.
    document = np.cumsum(is_first) - 1
    in_query = document - document[begins][np.cumsum(begins) - 1]
    starts = np.flatnonzero(is_first & (in_query % max_docs == 0))
    for first in range(0, len(starts), max_searches):
        own = starts[first : first + max_searches]
        after = starts[first + max_searches] if first + max_searches < len(starts) else len(rows)
        part = slice(own[0], after)
        yield _request(rows.slice(own[0], after - own[0]), own - own[0], is_first[part], document[part])


def _request(
    rows: pa.RecordBatch, starts: NDArray[np.intp], is_first: NDArray[np.bool_], document: NDArray[np.intp]
) -> PageRequest:
    place = None if is_first.all() else document - document[0]
    doc_ids = (rows["doc_id"] if place is None else rows["doc_id"].filter(pa.array(is_first))).to_pylist()
    firsts = starts if place is None else place[starts]
    ends = [*firsts[1:], len(doc_ids)]
    queries = rows.select(QUERY).take(pa.array(starts)).to_pylist()
    searches = tuple(
        FeatureSearch(row["corpus"], row["query"], tuple(doc_ids[begin:end]))
        for row, begin, end in zip(queries, firsts, ends, strict=True)
    )
    return PageRequest(rows, searches, place)
