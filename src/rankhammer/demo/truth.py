"""What the simulated users really want: a hidden utility of query and document that no single feature gives."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rankhammer.demo.lexical import TextIndex
from rankhammer.demo.simulate import Pool

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa
    from numpy.random import Generator
    from numpy.typing import NDArray

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
