"""Brings a corpus's training matrix from any Hadoop filesystem to every executor, once each."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit
from uuid import uuid4

from rankhammer import spark
from rankhammer.digests import file_digest
from rankhammer.errors import DataError
from rankhammer.training.matrix import has_rows

if TYPE_CHECKING:
    from pathlib import Path

    from pyspark import SparkContext
    from pyspark.sql import DataFrame


@dataclass(frozen=True)
class StagedCorpus:
    """One corpus's files where every worker finds them.

    Args:
        corpus: Whose rows they hold.
        names: Base names for `SparkFiles.get`: the SHA-256 of the content, so a name never means two contents.
        paths: The driver's own copies.
    """

    corpus: str
    names: tuple[str, ...]
    paths: tuple[str, ...]


def stage_matrix(matrix: DataFrame) -> dict[str, StagedCorpus]:
    """Hand the files behind a stored training matrix to Spark's workers.

    Spark serves a path that was added before from its first content, and refuses two files of one base name (one
    task writes the same part name into each of its partitions). A name made from the content meets neither trap.

    Args:
        matrix: schemas.TRAINING_MATRIX as read from Parquet, partitioned by corpus.

    Returns:
        Corpus to its files, in corpus order.

    Raises:
        DataError: The table is empty, or is not read from files.
    """
    context = matrix.sparkSession.sparkContext
    staged = {
        corpus: StagedCorpus(corpus, tuple(path.name for path in paths), tuple(map(str, paths)))
        for corpus, uris in _files(matrix).items()
        if (paths := _stage(context, uris))
    }
    if not staged:
        raise DataError("The training matrix is empty.", hint="Run the folding stage on a log with graded judgments.")
    return staged


def _files(matrix: DataFrame) -> dict[str, list[str]]:
    """Corpus to the URIs of its files, which their folders tell: no job is needed to find them."""
    from pyspark.errors import AnalysisException

    try:
        matrix.select("_metadata.file_path")
    except AnalysisException as exc:
        raise DataError(
            "The training matrix is not read from files, so its workers cannot open it.",
            hint="Keep `training_matrix` in the catalog as a Parquet table.",
        ) from exc
    files = defaultdict(list)
    for uri in matrix.inputFiles():
        files[_corpus_of(uri)].append(uri)
    return {corpus: sorted(files[corpus]) for corpus in sorted(files)}


def _corpus_of(uri: str) -> str:
    """Read the partition's value: Hive's escapes in the folder's name, and the URI's over them."""
    folder = PurePosixPath(urlsplit(uri).path).parent.name
    return unquote(unquote(folder)).partition("=")[2]


def _stage(context: SparkContext, uris: list[str]) -> list[Path]:
    folder = spark.session_folder("staged")
    paths = [path for uri in uris if has_rows(path := _copy(context, uri, folder))]
    for path in paths:
        context.addFile(str(path))
    return paths


def _copy(context: SparkContext, uri: str, folder: Path) -> Path:
    """Copy one file to the driver and name it by its content."""
    arriving = folder / uuid4().hex
    _copy_to_local(context, uri, arriving)
    return arriving.replace(folder / f"{file_digest(arriving)}.parquet")


def _copy_to_local(context: SparkContext, uri: str, target: Path) -> None:
    jvm: Any = context._jvm
    # Through java.net.URI, as Spark gives the path URL-encoded and Hadoop's Path does not decode.
    source = jvm.org.apache.hadoop.fs.Path(jvm.java.net.URI(uri))
    filesystem = source.getFileSystem(context._jsc.hadoopConfiguration())
    # The last argument writes without the checksum file that Hadoop's local filesystem adds.
    filesystem.copyToLocalFile(False, source, jvm.org.apache.hadoop.fs.Path(str(target)), True)
