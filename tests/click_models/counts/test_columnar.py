from __future__ import annotations

import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest

from rankhammer.click_models.counts.columnar import (
    from_arrow,
    pack_ints,
    pack_texts,
    texts_to_arrow,
    to_arrow,
    unpack_ints,
    unpack_texts,
)


def chunked(values: pa.Array) -> pa.ChunkedArray:
    return pa.chunked_array([values.slice(0, 1), values.slice(1)])


@pytest.mark.parametrize(
    "values",
    [np.arange(5), np.array([1.5, 2.5]), np.zeros(0, np.int32), np.array([True, False, True] * 5), np.arange(6)[::2]],
)
def test_numbers_come_back_as_they_were(values):
    wrapped = to_arrow(values)
    assert wrapped.to_pylist() == values.tolist()
    assert from_arrow(wrapped).tolist() == values.tolist()
    assert from_arrow(wrapped.slice(1)).tolist() == values[1:].tolist()
    assert from_arrow(wrapped).dtype == values.dtype


def test_rows_of_integers_come_back_as_they_were():
    packed = pack_ints(np.array([2, 0, 1]), np.array([7, 8, 9]))
    per_row, values = unpack_ints(chunked(packed))
    assert (per_row.tolist(), values.tolist()) == ([2, 0, 1], [7, 8, 9])
    assert unpack_ints(pa.chunked_array([packed.slice(2)]))[1].tolist() == [9]


def test_rows_of_texts_come_back_as_they_were():
    texts = pa.array(["unused", "a", "", "größe", "漢字"]).slice(1)
    content, lengths = pack_texts(np.array([1, 0, 3]), texts)
    per_row, found = unpack_texts(chunked(content), chunked(lengths))
    assert (per_row.tolist(), found.to_pylist()) == ([1, 0, 3], ["a", "", "größe", "漢字"])


def test_texts_become_an_array():
    assert texts_to_arrow(["ü", "", "b"]).to_pylist() == ["ü", "", "b"]
    assert texts_to_arrow([]).to_pylist() == []


def test_a_worker_does_not_import_pandas_to_fit():
    """It costs every Python worker half a second; pyarrow imports it behind `pa.array` and `to_numpy`."""
    code = """
import sys
import pyarrow as pa
from rankhammer.click_models.counts.pattern_reader import read_counted
from rankhammer.click_models.counts.pattern_counts import INPUT_COLUMNS, count_chunk
from rankhammer.click_models.dbn import Dbn, DbnOptions
from rankhammer.click_models.fitting import fit_pairs
from rankhammer.click_models.counts.pattern_merge import gather
with pa.ipc.open_stream(sys.stdin.buffer) as stream:
    shares = pa.Table.from_batches([count_chunk(stream.read_all())])
[found] = read_counted(pa.Table.from_batches([gather(shares)]))
model = Dbn(DbnOptions())
assert fit_pairs(model, found, model.fit_corpus(found.serps)).num_rows == 2
assert "pandas" not in sys.modules
"""
    table = pa.table(
        {
            "corpus": ["m"],
            "query_cluster_id": ["q"],
            "query": ["q"],
            "doc_ids": [["a", "b"]],
            "clicked": [[True, False]],
        }
    )
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    done = subprocess.run([sys.executable, "-c", code], input=sink.getvalue().to_pybytes(), capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
