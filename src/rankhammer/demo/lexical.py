"""The words of texts as sparse matrices: BM25 for the simulated site's search, term coverage for the hidden truth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from rankhammer.engines.bm25 import Bm25, length_to_byte
from rankhammer.feature_sets.analyzers import analyze

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


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
        """Count the terms of every text, one text a document."""
        tokens = analyze(texts, "english")
        shape = (len(texts), max(len(tokens.terms), 1))
        counts = sparse.coo_matrix((np.ones(len(tokens.term)), (tokens.text, tokens.term)), shape=shape)
        return cls(counts.tocsc(), {term: column for column, term in enumerate(tokens.terms.to_pylist())})

    def query_matrix(self, queries: Sequence[str]) -> sparse.csr_matrix:
        """Return which terms each query has: 1.0 each, shape (n_queries, n_terms); unknown terms are left out."""
        tokens = analyze(queries, "english")
        known = np.array([self.vocabulary.get(term, -1) for term in tokens.terms.to_pylist()], dtype=np.int64)
        column = known[tokens.term]
        row, column = tokens.text[column >= 0], column[column >= 0]
        shape = (len(queries), self.counts.shape[1])
        found = sparse.coo_matrix((np.ones(len(row)), (row, column)), shape=shape).tocsr()
        found.data = np.minimum(found.data, 1.0)
        return found

    def bm25(self, queries: Sequence[str]) -> NDArray[np.float64]:
        """Score every document for every query as the embedded engine does, shape (n_queries, n_documents)."""
        model = Bm25()
        length = np.asarray(self.counts.sum(axis=1)).ravel()
        norm = model.norms(length[length > 0].mean() if length.any() else 1.0)[length_to_byte(length.astype(np.int64))]
        weights = self.counts.copy()
        weights.data = weights.data / (weights.data + norm[weights.indices])
        scores = self.query_matrix(queries) @ sparse.diags(self._idf(model)) @ weights.T
        return np.asarray(scores.todense(), dtype=np.float64)

    def coverage(self, queries: Sequence[str]) -> NDArray[np.float64]:
        """Return the share of each query's terms that each document has, weighted by idf.

        Returns:
            Shares in [0, 1], shape (n_queries, n_documents).
        """
        weighted = self.query_matrix(queries) @ sparse.diags(self._idf(Bm25()))
        present = self.counts.copy()
        present.data = np.ones_like(present.data)
        found, total = weighted @ present.T, np.asarray(weighted.sum(axis=1))
        return np.asarray(found.todense() / np.maximum(total, 1e-12), dtype=np.float64)

    def _idf(self, model: Bm25) -> NDArray[np.float64]:
        """Weigh each term by rarity among the documents that have any, shape (n_terms,)."""
        n_with_text = int((np.diff(self.counts.tocsr().indptr) > 0).sum())
        return model.idf(np.diff(self.counts.indptr).astype(np.int64), n_with_text)
