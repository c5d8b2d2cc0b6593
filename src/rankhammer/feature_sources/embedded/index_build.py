"""Builds one index a corpus inside Spark and puts it on every worker's disk; no document reaches the driver."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator  # noqa: TC003 - Spark reads the annotations when it runs the merge
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from rankhammer import spark
from rankhammer.digests import file_digest
from rankhammer.feature_sources.embedded.segments import build_segment, merge_segments

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pyspark.sql import DataFrame

    from rankhammer.feature_sources.embedded.bm25 import Bm25
    from rankhammer.feature_sources.embedded.segments import Channel

CHUNK_BYTES = 8 << 20
"""An index travels in pieces of this size, so that no process but the builder holds it whole."""

_SEGMENT = "corpus string, segment binary"
_CHUNK = "corpus string, chunk int, content binary"


def build_indexes(
    documents: DataFrame, *, channels: Sequence[Channel], numbers: Sequence[str], bm25: Bm25
) -> dict[str, Path]:
    """Build the index of every corpus in `documents`.

    Tokenising runs in parallel over the documents, merging in one task per corpus. The driver writes the finished
    indexes to its disk, 8 MiB at a time.

    Args:
        documents: corpus, doc_id, the text fields of `channels` and the number fields.
        channels: What to index.
        numbers: Number fields to keep.
        bm25: Constants.

    Returns:
        Corpus to a file on the driver whose name is the hash of its content.
    """
    from pyspark.sql import functions as F

    from rankhammer.casts import quoted

    fields = dict.fromkeys(channel.field for channel in channels)
    segments = (
        documents.select(
            "corpus",
            F.xxhash64("doc_id").alias("doc_key"),
            *(F.col(quoted(field)).alias(f"text/{field}") for field in fields),
            *(F.col(quoted(field)).cast("double").alias(f"number/{field}") for field in numbers),
        )
        .repartition("corpus", "doc_key")
        .sortWithinPartitions("corpus")
        .mapInArrow(_segment_builder(channels, numbers), _SEGMENT)
    )
    chunks = segments.groupBy("corpus").applyInArrow(_merger(channels, bm25), _CHUNK).repartition("corpus", "chunk")
    return _write_files(chunks)


def ship(documents: DataFrame, files: Mapping[str, Path]) -> dict[str, str]:
    """Send index files to the workers.

    A file that was sent before in this session is not sent again: its name is its content's hash.

    Returns:
        Corpus to the file's name under `SparkFiles`.
    """
    context = documents.sparkSession.sparkContext
    sent = {Path(path).name for path in context.listFiles}
    for path in files.values():
        if path.name not in sent:
            context.addFile(str(path))
            sent.add(path.name)
    return {corpus: path.name for corpus, path in files.items()}


def _segment_builder(
    channels: Sequence[Channel], numbers: Sequence[str]
) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    def build(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Make one segment of each batch and corpus; runs on the workers."""
        for batch in batches:
            for corpus in pc.unique(batch.column("corpus")).to_pylist():
                mine = batch.filter(pc.equal(batch.column("corpus"), corpus))
                segment = build_segment(
                    mine.column("doc_key").to_numpy(zero_copy_only=False),
                    {channel.field: mine.column(f"text/{channel.field}").to_pylist() for channel in channels},
                    {field: _as_doubles(mine.column(f"number/{field}")) for field in numbers},
                    channels,
                )
                yield pa.record_batch({"corpus": [corpus], "segment": pa.array([segment.to_pybytes()], pa.binary())})

    return build


def _as_doubles(column: pa.Array) -> Any:
    return pc.fill_null(column, float("nan")).to_numpy(zero_copy_only=False)


def _merger(
    channels: Sequence[Channel], bm25: Bm25
) -> Callable[[tuple[pa.Scalar, ...], Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    def merge(key: tuple[pa.Scalar, ...], batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Put one corpus's segments together; runs on one worker."""
        segments = [segment.as_buffer() for batch in batches for segment in batch.column("segment")]
        index = merge_segments(segments, channels, bm25)
        for number, start in enumerate(range(0, index.size, CHUNK_BYTES)):
            content = index.slice(start, min(CHUNK_BYTES, index.size - start)).to_pybytes()
            yield pa.record_batch(
                [pa.array([key[0].as_py()]), pa.array([number], pa.int32()), pa.array([content], pa.binary())],
                names=["corpus", "chunk", "content"],
            )

    return merge


def _write_files(chunks: DataFrame) -> dict[str, Path]:
    """Write each corpus's chunks where they belong in its file, in whatever order they come."""
    finished = spark.session_folder("indexes")
    names: dict[str, Path] = {}
    with tempfile.TemporaryDirectory(dir=finished) as folder:
        # The action that builds the indexes; one partition at a time comes back, a few chunks of 8 MiB.
        for row in chunks.toLocalIterator():
            path = names.setdefault(row["corpus"], Path(folder, str(len(names))))
            with path.open("r+b" if path.exists() else "wb") as file:
                file.seek(row["chunk"] * CHUNK_BYTES)
                file.write(row["content"])
        return {corpus: _named_by_content(path, finished) for corpus, path in names.items()}


def _named_by_content(path: Path, folder: Path) -> Path:
    return path.replace(folder / f"rankhammer-index-{file_digest(path, 32)}.arrow")
