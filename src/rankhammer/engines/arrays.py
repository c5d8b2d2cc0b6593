"""Named arrays as one block of bytes that can be memory-mapped: nothing is copied or parsed when it is opened."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray


def pack(arrays: Mapping[str, NDArray[Any] | pa.Array]) -> pa.Buffer:
    """Write arrays as an Arrow file with one row of lists.

    Args:
        arrays: Names to one-dimensional numpy arrays, or Arrow arrays of strings.

    Returns:
        The file's bytes.
    """
    columns = {name: _as_one_list(values) for name, values in arrays.items()}
    table = pa.table(columns)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def unpack(source: pa.Buffer | pa.MemoryMappedFile) -> dict[str, Any]:
    """Read what `pack` wrote without copying it.

    Args:
        source: The bytes, or a memory map of a file that holds them.

    Returns:
        Names to read-only numpy arrays, or to Arrow arrays of strings.
    """
    table = pa.ipc.open_file(source).read_all()
    return {name: _from_one_list(table.column(name)) for name in table.column_names}


def _as_one_list(values: NDArray[Any] | pa.Array) -> pa.Array:
    flat = values if isinstance(values, pa.Array) else pa.array(values)
    return pa.LargeListArray.from_arrays(np.array([0, len(flat)], dtype=np.int64), flat)


def _from_one_list(column: pa.ChunkedArray) -> Any:
    flat = column.chunk(0).flatten()
    return flat if pa.types.is_large_string(flat.type) else flat.to_numpy(zero_copy_only=True)
