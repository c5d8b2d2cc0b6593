"""Rows in packs, and back."""

from __future__ import annotations

import pyarrow as pa
import pytest

from rankhammer.feature_sources.remote import checkpoints

ROWS = pa.table({"doc_id": [str(n) for n in range(10)], "grade": range(10), "features": [{"bm25": 0.5}, None] * 5})


@pytest.mark.parametrize("pack_bytes", [1, 100, 2**20])
def test_rows_come_back_from_packs_of_any_size(monkeypatch, pack_bytes):
    monkeypatch.setattr(checkpoints, "_PACK_BYTES", pack_bytes)
    packs = list(checkpoints.pack(ROWS.to_batches(3)))
    assert len(packs) == {1: 4, 100: 2, 2**20: 1}[pack_bytes]
    assert pa.Table.from_batches(checkpoints.unpack(packs, ROWS.column_names)) == ROWS
    assert pa.Table.from_batches(checkpoints.unpack(packs, ["features"])) == ROWS.select(["features"])


def test_no_rows_are_no_packs():
    assert list(checkpoints.pack([])) == []
