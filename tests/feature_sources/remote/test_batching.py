"""From sorted rows in Arrow batches to searches, and back to rows."""

from __future__ import annotations

import pyarrow as pa
import pytest

from rankhammer.feature_sources.remote.batching import requests_of

ROWS = [
    ("a", "hat", "1"),
    ("a", "hat", "2"),
    ("a", "hat", "2"),
    ("a", "hat", "3"),
    ("a", "shoe", "1"),
    ("b", "shoe", "1"),
    ("b", "shoe", "2"),
]


def table(rows):
    corpora, queries, doc_ids = (list(column) for column in zip(*rows, strict=True))
    columns = {"doc_id": doc_ids, "row": list(range(len(rows))), "query": queries, "corpus": corpora}
    return pa.table(columns)


def cut(batch_size, max_docs=100, max_searches=100, rows=ROWS):
    batches = table(rows).to_batches(batch_size)
    return list(requests_of(batches, max_docs=max_docs, max_searches=max_searches))


def searches(requests):
    return [(found.corpus, found.query, found.doc_ids) for request in requests for found in request.searches]


def answered(requests):
    """Return the rows, each with the pair that its features were made of."""
    found = []
    for request in requests:
        on_progress = [f"{one.corpus} {one.query} {doc}" for one in request.searches for doc in one.doc_ids]
        found += request.with_features(pa.StructArray.from_arrays([pa.array(on_progress)], ["told"])).to_pylist()
    return found


@pytest.mark.parametrize("batch_size", range(1, len(ROWS) + 1))
def test_a_query_is_one_search_wherever_batches_end(batch_size):
    assert searches(cut(batch_size)) == [
        ("a", "hat", ("1", "2", "3")),
        ("a", "shoe", ("1",)),
        ("b", "shoe", ("1", "2")),
    ]


@pytest.mark.parametrize(("max_docs", "max_searches"), [(1, 1), (1, 2), (2, 1), (2, 3), (100, 2), (100, 100)])
@pytest.mark.parametrize("batch_size", [1, 3, 100])
def test_every_row_comes_back_once_with_its_own_pairs_features(max_docs, max_searches, batch_size):
    found = answered(cut(batch_size, max_docs, max_searches))
    assert [row["row"] for row in found] == list(range(len(ROWS)))
    assert [row["features"]["told"] for row in found] == [" ".join(row) for row in ROWS]


def test_a_search_has_so_many_documents_and_a_request_so_many_searches():
    requests = cut(100, max_docs=2, max_searches=2)
    assert searches(requests) == [
        ("a", "hat", ("1", "2")),
        ("a", "hat", ("3",)),
        ("a", "shoe", ("1",)),
        ("b", "shoe", ("1", "2")),
    ]
    # The last query of a batch may go on in the next one, so it waits and is asked alone.
    assert [len(request.searches) for request in requests] == [2, 1, 1]


def test_no_rows_are_no_requests():
    empty = table(ROWS).slice(0, 0).to_batches() or [pa.RecordBatch.from_pylist([], schema=table(ROWS).schema)]
    assert list(requests_of(empty, max_docs=1, max_searches=1)) == []
