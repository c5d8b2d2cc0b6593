"""Numbers and texts of a query cluster as plain bytes: Spark moves them without looking at each one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rankhammer.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from rankhammer.click_models.types import Ints


_MAX_BYTES = 2**31 - 1


def to_arrow(values: NDArray[Any]) -> pa.Array:
    """Wrap numbers or truth values without a copy; `pa.array` would first import pandas, a second on every worker."""
    if values.dtype == np.bool_:
        bits = np.packbits(values, bitorder="little")
        return pa.Array.from_buffers(pa.bool_(), len(values), [None, pa.py_buffer(bits)])
    held = np.ascontiguousarray(values)
    return pa.Array.from_buffers(pa.from_numpy_dtype(held.dtype), len(held), [None, pa.py_buffer(held)])


def from_arrow(values: pa.Array | pa.ChunkedArray) -> NDArray[Any]:
    """Undo `to_arrow`, without a copy of numbers; for values without nulls. `to_numpy` would import pandas."""
    held = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    if not len(held):
        return np.zeros(0, held.type.to_pandas_dtype())
    inside = slice(held.offset, held.offset + len(held))
    content = held.buffers()[1]
    if held.type == pa.bool_():
        bits = np.frombuffer(content, np.uint8)
        return np.unpackbits(bits, count=inside.stop, bitorder="little")[inside].astype(bool)
    return np.frombuffer(content, held.type.to_pandas_dtype())[inside]


def texts_to_arrow(texts: Sequence[str]) -> pa.Array:
    """Make an array of a few texts; `pa.array` would import pandas."""
    encoded = [text.encode() for text in texts]
    offsets = _offsets(np.array([len(text) for text in encoded], np.int64))
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(b"".join(encoded))]
    return pa.Array.from_buffers(pa.string(), len(texts), buffers)


def text_codes(column: pa.ChunkedArray) -> Ints:
    """Number the distinct texts of a column in the order they come, shape (n_rows,)."""
    codes: Ints = from_arrow(column.combine_chunks().dictionary_encode().indices).astype(np.int64)
    return codes


def in_chunks(batches: Iterable[pa.RecordBatch], n_bytes: int) -> Iterator[pa.Table]:
    """Put a partition's batches together until they have some size; what a task holds is bounded by it.

    Args:
        batches: Of one schema.
        n_bytes: Size from which a chunk is whole; the last one may be smaller.

    Yields:
        Tables with at least one row, in order.
    """
    held: list[pa.RecordBatch] = []
    size = 0
    for batch in batches:
        if batch.num_rows:
            held.append(batch)
            size += batch.nbytes
        if size >= n_bytes:
            yield pa.Table.from_batches(held)
            held, size = [], 0
    if held:
        yield pa.Table.from_batches(held)


def pack_ints(per_row: Ints, values: Ints) -> pa.Array:
    """Cut `values` into rows of 32-bit integers.

    Args:
        per_row: How many values each row has.
        values: All rows end to end, each below 2^31.

    Returns:
        One binary value per row.
    """
    return _binary(_offsets(4 * per_row), pa.py_buffer(values.astype(np.int32)))


def unpack_ints(column: pa.ChunkedArray) -> tuple[Ints, Ints]:
    """Undo `pack_ints`: (how many values each row has, all values end to end)."""
    held = column.combine_chunks()
    n_bytes = from_arrow(pc.binary_length(held)).astype(np.int64)
    content = _content(held, int(n_bytes.sum()))
    return n_bytes // 4, np.frombuffer(content, np.int32).astype(np.int64)


def pack_texts(per_row: Ints, texts: pa.Array) -> tuple[pa.Array, pa.Array]:
    """Cut texts into rows.

    Args:
        per_row: How many texts each row has.
        texts: All rows end to end, without nulls.

    Returns:
        (UTF-8 of each row end to end, packed byte length of each text).
    """
    n_bytes = from_arrow(pc.binary_length(texts)).astype(np.int64)
    ends = np.concatenate([[0], np.cumsum(n_bytes)])
    offsets = _offsets(np.diff(ends[np.concatenate([[0], np.cumsum(per_row)])]))
    return _binary(offsets, pa.py_buffer(_content(texts, int(ends[-1])))), pack_ints(per_row, n_bytes)


def unpack_texts(content: pa.ChunkedArray, lengths: pa.ChunkedArray) -> tuple[Ints, pa.Array]:
    """Undo `pack_texts`: (how many texts each row has, all texts end to end)."""
    per_row, n_bytes = unpack_ints(lengths)
    held = _content(content.combine_chunks(), int(n_bytes.sum()))
    buffers = [None, pa.py_buffer(_offsets(n_bytes)), pa.py_buffer(held)]
    return per_row, pa.Array.from_buffers(pa.string(), len(n_bytes), buffers)


def _offsets(lengths: Ints) -> NDArray[np.int32]:
    ends = np.concatenate([[0], np.cumsum(lengths)])
    if ends[-1] > _MAX_BYTES:
        raise DataError(
            f"The distinct result pages of one query cluster, or its documents, take {ends[-1]} bytes; the most that a "
            f"row can hold is {_MAX_BYTES}.",
            hint="Leave this query out of the log, or thin its pages: a tenth of so many says as much.",
        )
    return ends.astype(np.int32)


def _binary(offsets: NDArray[np.int32], content: pa.Buffer) -> pa.Array:
    return pa.Array.from_buffers(pa.binary(), len(offsets) - 1, [None, pa.py_buffer(offsets), content])


def _content(values: pa.Array, n_bytes: int) -> memoryview:
    """Return the bytes of a text or binary array, which may be a slice of a longer one."""
    _, offsets, content = values.buffers()
    if not n_bytes:
        return memoryview(b"")
    first = int(np.frombuffer(offsets, np.int32)[values.offset])
    return memoryview(content)[first : first + n_bytes]
