"""The documents that a query finds: any term in any field, best first by the sum of the fields' BM25."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rankhammer.analyzers import analyze_words, split_words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from rankhammer.feature_sources.embedded.index import CorpusIndex
    from rankhammer.feature_sources.embedded.segments import Channel


@dataclass(frozen=True)
class Found:
    """Documents of some queries, best first.

    Args:
        query: Number of the query, ascending, shape (n_found,).
        doc: Number of the document, shape (n_found,).
        place: From 1 within the query, shape (n_found,).
    """

    query: NDArray[np.int64]
    doc: NDArray[np.int64]
    place: NDArray[np.int64]


def search(index: CorpusIndex, queries: Sequence[str], channels: Sequence[Channel], n: int) -> Found:
    """Find the best documents of each query.

    Args:
        index: The corpus.
        queries: As typed.
        channels: The fields that are searched.
        n: Documents of a query at most.

    Returns:
        Documents that hold a term of the query; equal scores in the order of their keys.
    """
    words = split_words(queries)
    of_query: list[tuple[list[NDArray[np.int64]], list[NDArray[np.float64]]]] = [([], []) for _ in queries]
    for channel in channels:
        tokens = analyze_words(words, channel.analyzer)
        term = index.find_terms(tokens.terms, channel.analyzer)[tokens.term]
        lists = _Lists(index, channel, np.unique(term[term >= 0]))
        for query, one in zip(tokens.text[term >= 0].tolist(), term[term >= 0].tolist(), strict=True):
            docs, scores = lists.of(one)
            of_query[query][0].append(docs)
            of_query[query][1].append(scores)
    # Query by query, as a matrix of all queries and documents would not fit; what each takes is numpy's.
    best = [_best(index, docs, scores, n) for docs, scores in of_query]
    sizes = [len(docs) for docs in best]
    place = np.concatenate([np.arange(1, size + 1) for size in sizes]) if sizes else np.zeros(0, np.int64)
    query = np.repeat(np.arange(len(queries)), sizes)
    return Found(query, np.concatenate([np.zeros(0, np.int64), *best]), place)


class _Lists:
    """The documents and scores of some terms of a field: one pass over its postings, which stand by document.

    Args:
        index: The corpus.
        channel: The field.
        terms: Numbers of the terms, ascending, each once.
    """

    def __init__(self, index: CorpusIndex, channel: Channel, terms: NDArray[np.int64]) -> None:
        idf, term_of = index.array(channel, "idf"), index.array(channel, "term")
        is_asked = np.zeros(len(idf) + 1, dtype=bool)
        is_asked[terms] = True
        posting = np.flatnonzero(is_asked[term_of])
        posting = posting[np.argsort(term_of[posting], kind="stable")]
        docs = np.searchsorted(index.array(channel, "begin"), posting, side="right") - 1
        term = term_of[posting]
        self._docs = docs.astype(np.int64)
        self._scores = idf[term] * index.weight(channel, docs, index.array(channel, "tf")[posting])
        self._ends = dict(
            zip(
                terms.tolist(),
                zip(np.searchsorted(term, terms), np.searchsorted(term, terms, "right"), strict=True),
                strict=True,
            )
        )

    def of(self, term: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return a term's documents and what it scores for each."""
        begin, end = self._ends[term]
        return self._docs[begin:end], self._scores[begin:end]


def _best(
    index: CorpusIndex, docs: Sequence[NDArray[np.int64]], scores: Sequence[NDArray[np.float64]], n: int
) -> NDArray[np.int64]:
    """Add up what each document scores, and return the best n."""
    if not docs:
        return np.zeros(0, np.int64)
    found, which = np.unique(np.concatenate(docs), return_inverse=True)
    total = np.bincount(which, weights=np.concatenate(scores))
    order = np.lexsort((index.keys_of(found), -total))[:n]
    best: NDArray[np.int64] = found[order]
    return best
