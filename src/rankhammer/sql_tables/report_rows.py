"""Reports as one table: a row for each value that stands in one of them."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

NAME = "report_values"
COLUMNS = {"report": "string", "path": "string", "number": "double", "text": "string"}
"""`path` is made of the keys and places on the way to the value, with / between them."""


def rows(report: str, content: Any) -> Iterator[tuple[str, str, float | None, str | None]]:
    """Yield the values of a report, in its order.

    Args:
        report: Its name.
        content: As JSON holds it.

    Yields:
        (report, path, number, text); a truth value is a text, and null is neither.
    """
    for path, value in _leaves(content, ""):
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        text = None if value is None or is_number else str(value).lower() if isinstance(value, bool) else str(value)
        yield report, path, float(value) if is_number else None, text


def parquet(reports: Mapping[str, Any]) -> bytes:
    """Write reports as a file of Parquet.

    Args:
        reports: Name to content.
    """
    import pyarrow as pa
    from pyarrow.parquet import write_table

    found = [row for name in sorted(reports) for row in rows(name, reports[name])]
    columns = list(zip(*found, strict=True)) or [(), (), (), ()]
    types = {"string": pa.string(), "double": pa.float64()}
    made = {name: pa.array(values, types[kind]) for (name, kind), values in zip(COLUMNS.items(), columns, strict=True)}
    written = io.BytesIO()
    write_table(pa.table(made), written)
    return written.getvalue()


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(inner, f"{path}/{key}".lstrip("/"))
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from _leaves(inner, f"{path}/{place}".lstrip("/"))
    else:
        yield path, value
