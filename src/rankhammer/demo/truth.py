"""What the simulated users really want: a hidden utility of query and document, and BM25 for the simulated search."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from rankhammer.analyzers import analyze
from rankhammer.demo.simulate import Pool
from rankhammer.feature_sources.embedded.bm25 import Bm25, length_to_byte

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa
    from numpy.random import Generator
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
        """Count the terms of every text, one text per document."""
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


GRADE_SHARES = (0.58, 0.22, 0.10, 0.06, 0.04)
"""Share of the candidates that get grade 0, 1, 2, 3 and 4."""

_KIND = {"module": 0.35, "class": 0.30, "function": 0.15, "method": 0.0}
_NOISE_SD = 0.10
_TITLE, _BODY, _POPULARITY, _SUMMARY = 0.65, 0.65, 0.9, 0.25


def make_pool(documents: pa.Table, queries: Sequence[str], *, n_candidates: int, rng: Generator) -> Pool:
    """Find the candidates of each query by the site's search, and grade them by the hidden utility.

    Args:
        documents: One corpus as `corpus.read_library` gives it.
        queries: One text an intent.
        n_candidates: Documents a query that the site's search may show.
        rng: Source of the utility's part that no feature can explain.

    Returns:
        Candidates, their BM25 over all text fields, and their grades 0 to 4.
    """
    texts = {name: documents[name].to_pylist() for name in ("title", "summary", "body")}
    joined = [" ".join(parts) for parts in zip(*texts.values(), strict=True)]
    candidates, scores = _top(TextIndex.build(joined).bm25(queries), n_candidates)
    hidden = utility(documents, queries, candidates) + rng.normal(0.0, _NOISE_SD, size=candidates.shape)
    return Pool(candidates=candidates, scores=scores, grades=_grades(hidden, candidates >= 0))


def utility(documents: pa.Table, queries: Sequence[str], candidates: NDArray[np.int64]) -> NDArray[np.float64]:
    """Compute the explainable part of the hidden utility.

    Topic is 1 - (1 - 0.65 t^1.5) (1 - 0.65 c^2) with the coverage t of the query's terms by the title and c by
    summary and body; popularity, kind of object and quality of the summary count more the better the topic fits.

    Args:
        documents: One corpus.
        queries: One text an intent.
        candidates: Row of each candidate in `documents`, -1 for none, shape (n_queries, n_candidates).

    Returns:
        Utility, same shape as `candidates`.
    """
    title, summary, body = (documents[name].to_pylist() for name in ("title", "summary", "body"))
    texts = [f"{first} {rest}" for first, rest in zip(summary, body, strict=True)]
    rows = np.arange(len(queries))[:, None]
    by_title = TextIndex.build(title).coverage(queries)[rows, candidates]
    by_body = TextIndex.build(texts).coverage(queries)[rows, candidates]
    topic = 1.0 - (1.0 - _TITLE * by_title**1.5) * (1.0 - _BODY * by_body**2)
    return np.asarray(topic + (0.3 + 0.7 * topic) * _appeal(documents)[candidates])


def reference_rows(pool: Pool) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int32]]:
    """Flatten a pool's grades.

    Returns:
        Index of the intent, row of the document and grade of every candidate.
    """
    intent, place = np.nonzero(pool.candidates >= 0)
    return intent, pool.candidates[intent, place], pool.grades[intent, place].astype(np.int32)


def _appeal(documents: pa.Table) -> NDArray[np.float64]:
    """What makes a document useful whatever the query, shape (n_documents,)."""
    popularity = np.log1p(documents["popularity"].to_numpy())
    kind = np.array([_KIND[kind] for kind in documents["kind"].to_pylist()])
    quality = np.array([_summary_quality(summary) for summary in documents["summary"].to_pylist()])
    return np.asarray(_POPULARITY * popularity / max(popularity.max(), 1.0) + kind + _SUMMARY * quality)


def _summary_quality(summary: str) -> float:
    """A whole sentence of 20 to 80 characters is best."""
    length = min(len(summary) / 20.0, 80.0 / max(len(summary), 1), 1.0)
    return length * (1.0 if summary.endswith(".") else 0.6)


def _top(scores: NDArray[np.float64], n_candidates: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Take the best documents of each query, ties by row; places without a match are -1 with score minus infinity."""
    order = np.argsort(-scores, axis=1, kind="stable")[:, :n_candidates]
    best = np.take_along_axis(scores, order, axis=1)
    return np.where(best > 0, order, -1), np.where(best > 0, best, -np.inf)


def _grades(hidden: NDArray[np.float64], present: NDArray[np.bool_]) -> NDArray[np.int64]:
    limits = np.quantile(hidden[present], np.cumsum(GRADE_SHARES[:-1]))
    return np.where(present, np.searchsorted(limits, hidden, side="right"), 0)
