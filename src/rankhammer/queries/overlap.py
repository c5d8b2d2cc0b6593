"""Clusters of queries that share most of their results: single linkage by Jaccard, without comparing pairs.

Two short lists overlap by more than a threshold only if they share a subset that is large enough for both. So each list
is filed under its subsets, and of the lists under one subset each is linked to the shortest: whatever two of them are
near enough are both near enough to that one. The work grows with the number of lists, however many share a document.
"""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

TOP_RESULTS: Final = 5
"""Results of a query that count."""
MIN_OVERLAP: Final = 0.5
"""Queries join whose lists overlap by more: shared documents / documents of either."""


def overlap_clusters(
    query: NDArray[np.int64], doc: NDArray[np.int64], *, n_queries: int, min_overlap: float = MIN_OVERLAP
) -> NDArray[np.int64]:
    """Put queries together whose result lists overlap, and those that other queries connect.

    Args:
        query: Number of the query of each result, 0 to n_queries - 1, shape (n_results,).
        doc: Number of the document, shape (n_results,). Queries that must never join have no number in common.
        n_queries: How many; one without any result stays alone.
        min_overlap: Jaccard overlap that has to be exceeded, 0 to 1.

    Returns:
        Number of each query's cluster, shape (n_queries,): equal for the queries of one.
    """
    # Not for everybody: every worker that groups queries would import them.
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    results = np.unique(np.stack([query, doc]), axis=1)
    lists = list(_by_length(results[0], results[1], n_queries))
    longest = max((docs.shape[1] for _, docs in lists), default=0)
    edges = [_edges(lists, n_shared, min_overlap) for n_shared in range(1, longest + 1)]
    ends = np.concatenate([np.zeros((2, 0), dtype=np.int64), *edges], axis=1)
    graph = coo_array((np.ones(ends.shape[1], dtype=np.int8), (ends[0], ends[1])), shape=(n_queries, n_queries))
    return np.asarray(connected_components(graph, directed=False)[1], dtype=np.int64)


_Lists = tuple["NDArray[np.int64]", "NDArray[np.int64]"]
"""Queries, shape (n,), and their documents, ascending, shape (n, length)."""


def _by_length(query: NDArray[np.int64], doc: NDArray[np.int64], n_queries: int) -> Iterator[_Lists]:
    """Yield the lists of each length."""
    length = np.bincount(query, minlength=n_queries)
    first = np.cumsum(length) - length
    for n in np.unique(length[length > 0]).tolist():
        queries = np.flatnonzero(length == n)
        yield queries, doc[first[queries][:, None] + np.arange(n)]


def _edges(lists: list[_Lists], n_shared: int, min_overlap: float) -> NDArray[np.int64]:
    """Link lists that have a subset of this size in common to the shortest one with it, shape (2, n_edges)."""
    subsets, queries, lengths = [], [], []
    for numbers, docs in lists:
        length = docs.shape[1]
        # The other list has at least the documents that they share.
        if length >= n_shared and n_shared / length > min_overlap:
            chosen = np.array(list(combinations(range(length), n_shared)))
            subsets.append(docs[:, chosen].reshape(-1, n_shared))
            queries.append(np.repeat(numbers, len(chosen)))
            lengths.append(np.full(len(queries[-1]), length))
    if not subsets:
        return np.zeros((2, 0), dtype=np.int64)
    subset, number, of_length = np.concatenate(subsets), np.concatenate(queries), np.concatenate(lengths)
    order = np.lexsort((of_length, *subset.T))
    subset, number, of_length = subset[order], number[order], of_length[order]
    is_first = np.ones(len(subset), dtype=bool)
    is_first[1:] = (subset[1:] != subset[:-1]).any(axis=1)
    shortest = np.maximum.accumulate(np.where(is_first, np.arange(len(subset)), 0))
    near = n_shared / (of_length + of_length[shortest] - n_shared) > min_overlap
    return np.stack([number[near], number[shortest][near]])
