"""What clusters by results cost within one normal form: seconds and peak memory, one JSON line a form.

Each form runs in a process of its own. Its queries have five results each, drawn by Zipf's law, so that few documents
are on most lists; every tenth list is a copy of another one with one document changed, as spellings have it. Compared
by pairs, a form of 100,000 queries would need five thousand million comparisons.

    python benchmarks/query_clusters.py
    python benchmarks/query_clusters.py --queries 3500 --documents 1100
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from multiprocessing import get_context

import numpy as np
import pyarrow as pa

from rankhammer.queries.result_clusters import moved_queries

FORMS = ((3_500, 1_100), (30_000, 10_000), (100_000, 1_100), (100_000, 100_000))


def main() -> None:
    """Measure one form, or those of FORMS."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--queries", type=int)
    parser.add_argument("--documents", type=int, default=1_100)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    forms = [(options.queries, options.documents)] if options.queries else FORMS
    for n_queries, n_documents in forms:
        with get_context("spawn").Pool(1) as pool:
            facts = pool.apply(measure, (n_queries, n_documents, options.seed))
        print(json.dumps({"benchmark": "query_clusters", **facts}), flush=True)


def measure(n_queries: int, n_documents: int, seed: int) -> dict[str, float]:
    """Cluster one form, and say what it took."""
    lists = result_lists(n_queries, n_documents, np.random.default_rng(seed))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.perf_counter()
    moved = moved_queries(lists)
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    clusters = len(moved["first_query"].unique()) + 1
    facts = {"queries": n_queries, "documents": n_documents, "clusters": clusters, "seconds": round(seconds, 2)}
    return facts | {"peak_mb": peak // 1024, "peak_mb_before": before // 1024}


def result_lists(n_queries: int, n_documents: int, rng: np.random.Generator) -> pa.Table:
    """Make a form's lists, sorted as Spark hands them over."""
    popularity = 1 / np.arange(10, n_documents + 10)
    docs = rng.choice(n_documents, size=(n_queries, 5), p=popularity / popularity.sum())
    copies = np.arange(1, n_queries, 10)
    docs[copies] = docs[rng.integers(0, copies)]
    docs[copies, rng.integers(0, 5, len(copies))] = rng.integers(0, n_documents, len(copies))
    query = np.repeat(np.arange(n_queries), 5)
    columns = {
        "corpus": pa.array(["main"]).take(pa.array(np.zeros(len(query), dtype=np.int64))),
        "normalized_query": pa.array(["form"]).take(pa.array(np.zeros(len(query), dtype=np.int64))),
        "query": pa.array([f"query {number:07}" for number in range(n_queries)]).take(pa.array(query)),
        "doc_id": pa.array([f"document {number}" for number in range(n_documents)]).take(pa.array(docs.ravel())),
        "n_pages": pa.array(rng.integers(1, 100, n_queries)).take(pa.array(query)),
    }
    return pa.table(columns)


if __name__ == "__main__":
    main()
