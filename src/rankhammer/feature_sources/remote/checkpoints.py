"""Batches of answers as they are kept: in Arrow's own bytes, since the JVM needs twice the time for a row's columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.types import StructType

FORMAT = "arrow 1"
"""Is part of a batch's key, so that none is read as another than it is."""

_PACKED = "rows binary"
_PACK_BYTES = 2**20
_WRITTEN = {"compression": "uncompressed", "parquet.block.size": str(16 * 2**20)}
"""Packs are compressed already; small groups let Spark read a large file in parts."""


def pack(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Put rows into packs of about a MiB, each a whole Arrow stream.

    Args:
        batches: Rows of one schema.
    """
    waiting: list[pa.RecordBatch] = []
    for batch in batches:
        waiting.append(batch)
        if sum(part.nbytes for part in waiting) >= _PACK_BYTES:
            yield _pack(waiting)
            waiting = []
    if waiting:
        yield _pack(waiting)


def _pack(batches: Sequence[pa.RecordBatch]) -> pa.RecordBatch:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batches[0].schema, options=pa.ipc.IpcWriteOptions(compression="lz4")) as stream:
        # One batch: each costs the JVM as much as a hundred rows.
        stream.write_batch(pa.concat_batches(batches))
    return pa.RecordBatch.from_arrays([pa.array([sink.getvalue().to_pybytes()], pa.binary())], ["rows"])


def unpack(packs: Iterable[pa.RecordBatch], columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Return the rows that `pack` was given.

    Args:
        packs: What it returned, in any order.
        columns: Which of the rows' columns, in order.
    """
    for batch in packs:
        for packed in batch["rows"]:
            with pa.ipc.open_stream(packed.as_buffer()) as stream:
                yield from (rows.select(columns) for rows in stream)


def keep(rows: DataFrame, answer: Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]], path: str) -> None:
    """Have one batch answered and write it; the folder counts once it has `_SUCCESS`.

    Args:
        rows: What is asked for.
        answer: Turns rows into those that are kept; runs on a worker.
        path: Folder, replaced.
    """
    packed = rows.mapInArrow(lambda batches: pack(answer(batches)), _PACKED)
    packed.write.mode("overwrite").options(**_WRITTEN).parquet(path)


def read_kept(session: SparkSession, paths: Sequence[str], schema: StructType) -> DataFrame:
    """Read batches.

    Args:
        session: Reads them.
        paths: Folders that `keep` wrote.
        schema: Of the rows, or of those columns that are wanted.
    """
    columns = schema.names
    packs = session.read.schema(_PACKED).parquet(*paths)
    return packs.mapInArrow(lambda batches: unpack(batches, columns), schema)
