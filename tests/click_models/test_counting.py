from __future__ import annotations

import numpy as np
import pyarrow as pa

from rankhammer.click_models.counting import count_chunk, read_counted

ROWS = [
    ("main", "q", 0, "Q", ["a", "b"], [True, False]),
    ("main", "q", 0, "q", ["a", "b"], [True, False]),
    ("main", "q", 0, "q", ["b", "c", "a"], [False, False, False]),
    ("main", "r", 1, "r", ["a"], [True]),
    ("shop", "q", 0, "q", ["z"], [False]),
]


def chunk(rows):
    names = ("corpus", "query_cluster_id", "part", "query", "doc_ids", "clicked")
    kinds = (pa.string(), pa.string(), pa.int32(), pa.string(), pa.list_(pa.string()), pa.list_(pa.bool_()))
    columns = [pa.array(column, kind) for column, kind in zip(zip(*rows, strict=True), kinds, strict=True)]
    return pa.table(columns, names=list(names))


def described(batches):
    """Everything a counted log says, free of its numbering."""
    found = {}
    for counted in read_counted(batches):
        docs, clusters = counted.doc_ids.to_pylist(), counted.cluster_ids.to_pylist()
        serps = counted.serps
        pages = {}
        for row, start in enumerate(serps.start):
            cells = slice(start, start + serps.length[row])
            cluster = clusters[serps.pair_cluster[serps.pair[start]]]
            page = (
                cluster,
                int(counted.part[row]),
                tuple((docs[p], bool(c)) for p, c in zip(serps.pair[cells], serps.clicked[cells], strict=True)),
            )
            pages[page] = pages.get(page, 0) + serps.weight[row]
        pairs = [(clusters[c], d) for c, d in zip(serps.pair_cluster, docs, strict=True)]
        found[counted.corpus] = (pages, pairs, dict(zip(clusters, counted.queries.to_pylist(), strict=True)))
    return found


def test_equal_pages_are_counted_once_with_a_weight():
    pages, pairs, queries = described([count_chunk(chunk(ROWS))])["main"]
    assert pages == {
        ("q", 0, (("a", True), ("b", False))): 2,
        ("q", 0, (("b", False), ("c", False), ("a", False))): 1,
        ("r", 1, (("a", True),)): 1,
    }
    assert pairs == [("q", "a"), ("q", "b"), ("q", "c"), ("r", "a")]
    assert queries == {"q": "q", "r": "r"}


def test_how_the_log_is_cut_does_not_matter():
    whole = described([count_chunk(chunk(ROWS))])
    cut = described([count_chunk(chunk(rows)) for rows in (ROWS[4:], ROWS[2:4], ROWS[1:2], ROWS[:1])])
    assert cut == whole


def test_equally_frequent_queries_go_by_text():
    _, _, queries = described([count_chunk(chunk([("m", "q", 0, text, ["a"], [True]) for text in ("q b", "q a")]))])[
        "m"
    ]
    assert queries == {"q": "q a"}


def test_a_row_holds_the_pages_and_clicks_of_its_cluster():
    counted = count_chunk(chunk(ROWS)).to_pylist()
    assert [(row["corpus"], row["query_cluster_id"], row["n_serps"], row["n_clicks"]) for row in counted] == [
        ("main", "q", 3, 2),
        ("main", "r", 1, 1),
        ("shop", "q", 1, 0),
    ]


def test_a_slice_of_a_longer_table_is_counted_alone():
    assert described([count_chunk(chunk(ROWS).slice(3))]) == described([count_chunk(chunk(ROWS[3:]))])


def test_an_empty_partition_has_no_corpus():
    assert list(read_counted([])) == []


def test_positions_and_last_clicks_restart_on_each_page(pages):
    serps = pages([([0, 1, 2], "010"), ([2], "0"), ([1, 0], "11")])
    assert serps.position.tolist() == [1, 2, 3, 1, 1, 2]
    assert serps.last_click.tolist() == [2, 0, 2]
    assert serps.select(np.array([False, True, True])).last_click.tolist() == [0, 2]
