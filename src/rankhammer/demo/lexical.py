"""The words of texts as sparse matrices: BM25 for the simulated site's search, term coverage for the hidden truth."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import snowballstemmer
from scipy import sparse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_STOP_WORDS = """
a an and are as at be but by can for from has have if in into is it its no not of on or that the their then
there these they this to was what which will with
"""
STOP_WORDS = frozenset(_STOP_WORDS.split())
"""Words too common to search for."""

_TOKEN = re.compile(r"\w+")
_STEMMER = snowballstemmer.stemmer("english")


def terms(text: str) -> list[str]:
    """Split a text into stems, without stop words."""
    return [_stem(word) for word in _TOKEN.findall(text.lower()) if word not in STOP_WORDS]


@dataclass(frozen=True)
class TextIndex:
    """The term counts of one text field.

    Args:
        counts: Term frequencies, CSC, shape (n_documents, n_terms).
        vocabulary: Term to its column.
    """

    counts: sparse.csc_matrix
    vocabulary: dict[str, int]

    @classmethod
    def build(cls, texts: Sequence[str]) -> TextIndex:
        """Count the terms of every text."""
        vocabulary: dict[str, int] = {}
        columns = [[vocabulary.setdefault(term, len(vocabulary)) for term in terms(text)] for text in texts]
        rows = np.repeat(np.arange(len(texts)), [len(found) for found in columns])
        flat = np.array([column for found in columns for column in found], dtype=np.int64)
        shape = (len(texts), max(len(vocabulary), 1))
        return cls(sparse.coo_matrix((np.ones(len(flat)), (rows, flat)), shape=shape).tocsc(), vocabulary)

    def query_matrix(self, queries: Sequence[str]) -> sparse.csr_matrix:
        """Return which terms each query has: 1.0 each, shape (n_queries, n_terms); unknown terms are left out."""
        found = [
            sorted({self.vocabulary[term] for term in terms(query) if term in self.vocabulary}) for query in queries
        ]
        rows = np.repeat(np.arange(len(queries)), [len(columns) for columns in found])
        flat = np.array([column for columns in found for column in columns], dtype=np.int64)
        return sparse.csr_matrix((np.ones(len(flat)), (rows, flat)), shape=(len(queries), self.counts.shape[1]))

    def idf(self) -> NDArray[np.float64]:
        """Return ln(1 + (N - n + 0.5) / (n + 0.5)) of each term, n documents of N having it, shape (n_terms,)."""
        n_documents, n_having = self.counts.shape[0], np.diff(self.counts.indptr)
        return np.asarray(np.log1p((n_documents - n_having + 0.5) / (n_having + 0.5)))

    def bm25(self, queries: Sequence[str], *, k1: float = 1.2, b: float = 0.75) -> NDArray[np.float64]:
        """Score every document for every query.

        Returns:
            Scores, shape (n_queries, n_documents): sum of idf * tf / (tf + k1 * (1 - b + b * length / mean length)).

        References:
            Robertson and Zaragoza, The Probabilistic Relevance Framework: BM25 and Beyond, 2009.
        """
        length = np.asarray(self.counts.sum(axis=1)).ravel()
        norm = k1 * (1.0 - b + b * length / max(length.mean(), 1.0))
        weights = self.counts.copy()
        weights.data = weights.data / (weights.data + norm[weights.indices])
        scores = self.query_matrix(queries) @ sparse.diags(self.idf()) @ weights.T
        return np.asarray(scores.todense(), dtype=np.float64)

    def coverage(self, queries: Sequence[str]) -> NDArray[np.float64]:
        """Return the share of each query's terms that each document has, weighted by idf.

        Returns:
            Shares in [0, 1], shape (n_queries, n_documents).
        """
        weighted = self.query_matrix(queries) @ sparse.diags(self.idf())
        present = self.counts.copy()
        present.data = np.ones_like(present.data)
        found, total = weighted @ present.T, np.asarray(weighted.sum(axis=1))
        return np.asarray(found.todense() / np.maximum(total, 1e-12), dtype=np.float64)


@lru_cache(maxsize=65536)
def _stem(word: str) -> str:
    return str(_STEMMER.stemWord(word))
