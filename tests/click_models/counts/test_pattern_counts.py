from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from rankhammer.click_models.counts import columnar, pattern_merge
from rankhammer.click_models.counts import pattern_reader as reading
from rankhammer.click_models.counts.pattern_counts import count_chunk
from rankhammer.click_models.counts.pattern_merge import gather_batches
from rankhammer.click_models.counts.pattern_reader import read_counted, read_in_chunks
from rankhammer.errors import DataError

ROWS = [
    ("main", "q", "Q", ["a", "b"], [True, False]),
    ("main", "q", "q", ["a", "b"], [True, False]),
    ("main", "q", "q", ["b", "c", "a"], [False, False, False]),
    ("main", "r", "r", ["a"], [True]),
    ("shop", "q", "q", ["z"], [False]),
]


def chunk(rows):
    names = ("corpus", "query_cluster_id", "query", "doc_ids", "clicked")
    kinds = (pa.string(), pa.string(), pa.string(), pa.list_(pa.string()), pa.list_(pa.bool_()))
    columns = [pa.array(column, kind) for column, kind in zip(zip(*rows, strict=True), kinds, strict=True)]
    return pa.table(columns, names=list(names))


def counted(*chunks):
    """The log's counted clusters, as Spark brings the shares of all chunks to one task."""
    shares = pa.Table.from_batches([count_chunk(chunk(rows)) for rows in chunks])
    ordered = shares.sort_by([("corpus", "ascending"), ("query_cluster_id", "ascending")])
    return pa.Table.from_batches(list(gather_batches(ordered.to_batches())))


def described(table):
    """Everything a counted log says, free of its numbering."""
    found = {}
    for counted in read_counted(table):
        docs, clusters = counted.doc_ids.to_pylist(), counted.cluster_ids.to_pylist()
        serps = counted.serps
        pages = {}
        for row, start in enumerate(serps.start):
            cells = slice(start, start + serps.length[row])
            cluster = clusters[serps.pair_cluster[serps.pair[start]]]
            page = (
                cluster,
                tuple((docs[p], bool(c)) for p, c in zip(serps.pair[cells], serps.clicked[cells], strict=True)),
            )
            pages[page] = pages.get(page, 0) + serps.weight[row]
        pairs = [(clusters[c], d) for c, d in zip(serps.pair_cluster, docs, strict=True)]
        found[counted.corpus] = (pages, pairs, dict(zip(clusters, counted.queries.to_pylist(), strict=True)))
    return found


def test_equal_pages_are_counted_once_with_a_weight():
    pages, pairs, queries = described(counted(ROWS))["main"]
    assert pages == {
        ("q", (("a", True), ("b", False))): 2,
        ("q", (("b", False), ("c", False), ("a", False))): 1,
        ("r", (("a", True),)): 1,
    }
    assert pairs == [("q", "a"), ("q", "b"), ("q", "c"), ("r", "a")]
    assert queries == {"q": "q", "r": "r"}


def test_how_the_log_is_cut_changes_no_byte():
    assert counted(ROWS[4:], ROWS[2:4], ROWS[1:2], ROWS[:1]).equals(counted(ROWS))


def test_equal_pages_of_two_chunks_are_one_page():
    [row] = counted(ROWS[:1], ROWS[1:2]).to_pylist()
    assert np.frombuffer(row["page_weights"], np.int32).tolist() == [2]


def test_a_long_partition_is_put_together_piece_by_piece(monkeypatch):
    whole = counted(*([row] for row in ROWS))
    monkeypatch.setattr(pattern_merge, "_CHUNK_BYTES", 1)
    monkeypatch.setattr(reading, "_CHUNK_BYTES", 1)
    shares = [count_chunk(chunk([row])) for row in ROWS]
    pieces = list(gather_batches(shares))
    assert len(pieces) == 3
    assert pa.Table.from_batches(pieces).equals(whole)
    assert [len(found.cluster_ids) for found in read_in_chunks(pieces)] == [1, 1, 1]


def test_equally_frequent_queries_go_by_text():
    _, _, queries = described(counted([("m", "q", text, ["a"], [True]) for text in ("q b", "q a")]))["m"]
    assert queries == {"q": "q a"}


def test_a_row_holds_the_pages_and_clicks_of_its_cluster():
    found = counted(ROWS[:1], ROWS[1:]).to_pylist()
    assert [(row["corpus"], row["query_cluster_id"], row["n_serps"], row["n_clicks"]) for row in found] == [
        ("main", "q", 3, 2),
        ("main", "r", 1, 1),
        ("shop", "q", 1, 0),
    ]


def test_a_slice_of_a_longer_table_is_counted_alone():
    assert count_chunk(chunk(ROWS).slice(3)).equals(count_chunk(chunk(ROWS[3:])))


def test_an_empty_partition_has_no_corpus():
    assert list(read_in_chunks([])) == []
    assert list(gather_batches([])) == []


def test_a_cluster_too_large_for_a_row_is_refused(monkeypatch):
    monkeypatch.setattr(columnar, "_MAX_BYTES", 19)
    with pytest.raises(DataError, match="one query cluster"):
        count_chunk(chunk(ROWS[:1] + ROWS[2:3]))


def test_positions_and_last_clicks_restart_on_each_page(pages):
    serps = pages([([0, 1, 2], "010"), ([2], "0"), ([1, 0], "11")])
    assert serps.position.tolist() == [1, 2, 3, 1, 1, 2]
    assert serps.last_click.tolist() == [2, 0, 2]
    assert serps.select(np.array([False, True, True])).last_click.tolist() == [0, 2]


def weighted(*rows):
    table = chunk([row[:-1] for row in rows])
    return table.append_column("click_weights", pa.array([row[-1] for row in rows], pa.list_(pa.float64())))


def test_pages_that_differ_in_what_clicks_are_worth_are_two_and_each_cell_keeps_its_worth():
    bought = ("main", "q", "q", ["a", "b"], [True, False], [1.0, 0.0])
    looked = ("main", "q", "q", ["a", "b"], [True, False], [0.2, 0.0])
    unknown = ("main", "q", "q", ["a", "b"], [True, False], None)
    shares = [count_chunk(weighted(bought, looked, bought)), count_chunk(weighted(unknown, looked))]
    (found,) = read_counted(pa.Table.from_batches(gather_batches(shares)))
    serps = found.serps
    worth = serps.per_pair(serps.worth * serps.cell_weight)
    assert sorted(serps.weight.tolist()) == [2.0, 3.0]
    assert worth.tolist() == pytest.approx([3 * 1.0 + 2 * 0.2, 0.0])
    assert serps.select(serps.weight == 2).worth.max() == pytest.approx(0.2)
