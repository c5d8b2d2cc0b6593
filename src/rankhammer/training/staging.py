"""Brings a corpus's training matrix from any Hadoop filesystem to every executor, once each."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit
from uuid import uuid4

from pyspark.sql import functions as F

from rankhammer import spark
from rankhammer.errors import DataError
from rankhammer.training.distributed_rows import DistributedCorpus
from rankhammer.training.matrix import has_rows, rows_digest
from rankhammer.training.slots import count_slots, has_moving_executors

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pyspark import SparkContext
    from pyspark.sql import DataFrame


@dataclass(frozen=True)
class StagedCorpus:
    """One corpus's files where every worker finds them.

    Args:
        corpus: Whose rows they hold.
        names: Base names for `SparkFiles.get`: the SHA-256 of the rows, so a name never means two contents.
        paths: The driver's own copies.
        distributed: The rows in Spark, where several tasks train its models together; no worker gets files then.
    """

    corpus: str
    names: tuple[str, ...]
    paths: tuple[str, ...]
    distributed: DistributedCorpus | None = None

    @property
    def n_workers(self) -> int:
        """Tasks that train a model of it together."""
        return self.distributed.n_workers if self.distributed else 1


@dataclass(frozen=True)
class Workers:
    """Which corpora's models are trained by several tasks together.

    Args:
        number: Tasks that train one model; None: as many as can run at once.
        from_rows: Rows from which a corpus is trained so.
    """

    number: int | None = None
    from_rows: int = 0

    def of_corpus(self, context: SparkContext, uris: Sequence[str]) -> int:
        """Return how many tasks train a model of a corpus; 1: each model in a task of its own.

        Where executors come and go, tasks cannot begin together, and nothing is distributed unasked.

        Args:
            context: The session's.
            uris: Of the corpus's files, whose footers tell how many rows there are.
        """
        if self.number is None and has_moving_executors(context):
            return 1
        if self.number == 1 or (self.from_rows and count_rows(context, uris) < self.from_rows):
            return 1
        return self.number or count_slots(context)


ONE_TASK = Workers(1)


def stage_matrix(matrix: DataFrame, workers: Workers = ONE_TASK) -> dict[str, StagedCorpus]:
    """Hand the files behind a stored training matrix to Spark's workers.

    Spark serves a path that was added before from its first content, and refuses two files of one base name (one
    task writes the same part name into each of its partitions). A name made from the content meets neither trap.

    Args:
        matrix: schemas.TRAINING_MATRIX as read from Parquet, partitioned by corpus.
        workers: Which corpora stay in Spark, since several tasks train each of their models.

    Returns:
        Corpus to its files, in corpus order.

    Raises:
        DataError: The table is empty, or is not read from files.
    """
    context = matrix.sparkSession.sparkContext
    staged = {}
    for corpus, uris in _files(matrix).items():
        n_workers = workers.of_corpus(context, uris)
        if n_workers > 1:
            # Spark gives each file that it writes a new name, so they tell this content from any other.
            names = tuple(PurePosixPath(urlsplit(uri).path).name for uri in uris)
            rows = matrix.where(F.col("corpus") == corpus)
            staged[corpus] = StagedCorpus(corpus, names, (), DistributedCorpus(corpus, rows, n_workers))
        elif paths := _stage(context, uris):
            staged[corpus] = StagedCorpus(corpus, tuple(path.name for path in paths), tuple(map(str, paths)))
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


def count_rows(context: SparkContext, uris: Sequence[str]) -> int:
    """Return the rows of Parquet files on any Hadoop filesystem; the footers alone are read, without a job.

    Args:
        context: The session's.
        uris: Of the files.
    """
    jvm: Any = context._jvm
    hadoop = context._jsc.hadoopConfiguration()
    n_rows = 0
    for uri in uris:
        path = jvm.org.apache.hadoop.fs.Path(jvm.java.net.URI(uri))
        source = jvm.org.apache.parquet.hadoop.util.HadoopInputFile.fromPath(path, hadoop)
        reader = jvm.org.apache.parquet.hadoop.ParquetFileReader.open(source)
        try:
            n_rows += reader.getRecordCount()
        finally:
            reader.close()
    return n_rows


def _copy(context: SparkContext, uri: str, folder: Path) -> Path:
    """Copy one file to the driver and name it by its content."""
    arriving = folder / uuid4().hex
    _copy_to_local(context, uri, arriving)
    staged = folder / f"{rows_digest(arriving)}.parquet"
    if staged.exists():
        # Workers may have it: other bytes of the same rows never come under its name.
        arriving.unlink()
        return staged
    return arriving.replace(staged)


def _copy_to_local(context: SparkContext, uri: str, target: Path) -> None:
    jvm: Any = context._jvm
    # Through java.net.URI, as Spark gives the path URL-encoded and Hadoop's Path does not decode.
    source = jvm.org.apache.hadoop.fs.Path(jvm.java.net.URI(uri))
    filesystem = source.getFileSystem(context._jsc.hadoopConfiguration())
    # The last argument writes without the checksum file that Hadoop's local filesystem adds.
    filesystem.copyToLocalFile(False, source, jvm.org.apache.hadoop.fs.Path(str(target)), True)
