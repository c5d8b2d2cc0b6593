"""Rows as files of each format, in whatever state; values that a format cannot hold are written as near as it can."""

from __future__ import annotations

import csv
import gzip
import io
import json
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.orc as orc
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from collections.abc import Sequence

Rows = "Sequence[dict[str, Any]]"
LOAD_ARGS: dict[str, dict[str, Any]] = {
    "csv": {"header": True, "multiLine": True, "escape": '"'},
    "json": {},
    "parquet": {},
    "orc": {},
    "text": {"lineSep": "\n"},
}


def encoded(rows: Sequence[dict[str, Any]], columns: Sequence[str], file_format: str) -> bytes:
    """Return the content of one file.

    Args:
        rows: Column to value.
        columns: In which order.
        file_format: Spark's name.
    """
    if file_format == "json":
        return "".join(f"{json.dumps(_nested(row, columns), default=repr)}\n" for row in rows).encode()
    if file_format == "text":
        return "".join(f"{_text(row['value'])}\n" for row in rows).encode("utf-8", "surrogatepass")
    if file_format == "csv":
        return _csv(rows, columns)
    nested = [_nested(row, columns) for row in rows]
    names = list(dict.fromkeys(name.partition(".")[0] for name in columns))
    return _columnar(pa.table({name: _array([row.get(name) for row in nested]) for name in names}), file_format)


def zipped(content: bytes) -> bytes:
    """Return a gzip file without a date."""
    return gzip.compress(content, mtime=0)


def _csv(rows: Sequence[dict[str, Any]], columns: Sequence[str]) -> bytes:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow(["" if row.get(name) is None else _text(row[name]) for name in columns])
    return buffer.getvalue().encode("utf-8", "surrogatepass")


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _nested(row: dict[str, Any], columns: Sequence[str]) -> dict[str, Any]:
    """Put `a.b` into a struct a, but where the whole of it is not there."""
    found: dict[str, Any] = {}
    for name in columns:
        *outer, last = name.split(".")
        inner = found
        for part in outer:
            inner = inner.setdefault(part, {})
        inner[last] = row.get(name)
    return found


def _columnar(table: pa.Table, file_format: str) -> bytes:
    buffer = io.BytesIO()
    (pq if file_format == "parquet" else orc).write_table(table, buffer)
    return buffer.getvalue()


def _array(values: list[Any]) -> pa.Array:
    """Return a column of one type: that of the values where they have one, else text."""
    try:
        found = pa.array(values)
        # ORC has no such type.
        return found.cast(pa.string()) if pa.types.is_time(found.type) else found
    except (pa.ArrowException, UnicodeError, OverflowError, TypeError, ValueError):
        texts = [None if value is None else _bytes(value) for value in values]
        return pa.array(texts, pa.binary()).view(pa.string())


def _bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass")
