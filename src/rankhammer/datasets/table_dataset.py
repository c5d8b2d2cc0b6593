"""A hand-off between stages: a Spark table as Parquet on any Hadoop filesystem."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from kedro.io import AbstractVersionedDataset, Version

from rankhammer import spark
from rankhammer.datasets.entry_options import checks_options
from rankhammer.datasets.handoff import Handoff
from rankhammer.datasets.preview_code import previews
from rankhammer.datasets.vouched_files import COLUMNS
from rankhammer.storage import state_files
from rankhammer.storage.base import remove_unfinished, split_scheme, storage_for

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kedro_datasets._typing import TablePreview
    from pyspark.sql import DataFrame, DataFrameReader

_PAGE_CHECKSUMS = {"parquet.page.write-checksum.enabled": "true", "parquet.page.verify-checksum.enabled": "true"}
"""Each page of a Parquet file has a CRC-32, which is compared when it is read; other formats ignore this."""


class TableDataset(AbstractVersionedDataset["DataFrame", "DataFrame"]):
    """A Spark table that a stage writes and the next one reads, complete or not there at all.

    Examples:
        YAML:

        >>> # serps:
        >>> #   type: rankhammer.datasets.TableDataset
        >>> #   filepath: hdfs://namenode:8020/rankhammer/serps
        >>> #   save_args: {partitionBy: [corpus]}

        Python:

        >>> dataset = TableDataset(filepath="s3a://bucket/serps")
    """

    @checks_options
    def __init__(
        self,
        *,
        filepath: str,
        file_format: str = "parquet",
        load_args: dict[str, Any] | None = None,
        save_args: dict[str, Any] | None = None,
        version: Version | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """Describe the table; nothing is opened.

        Args:
            filepath: Folder: a local path or a URI whose scheme and authority are kept (hdfs, s3a, file).
            file_format: Spark's name of the format.
            load_args: Reader options.
            save_args: Writer options; `partitionBy` lists partition columns.
            version: Kedro's version, for `versioned: true`.
            metadata: For plugins such as kedro-viz.
        """
        self._prefix, path = split_scheme(filepath)
        storage = storage_for(filepath)
        super().__init__(
            filepath=PurePosixPath(path),
            version=version,
            exists_function=lambda name: storage.exists(self._prefix + name),
            glob_function=lambda pattern: [split_scheme(found)[1] for found in storage.glob(self._prefix + pattern)],
        )
        self._storage = storage
        self._file_format = file_format
        self._load_args = load_args or {}
        self._save_args = save_args or {}
        self.metadata = metadata
        self.handoff = Handoff(storage, self._uri(PurePosixPath(path)), PurePosixPath(path).name)

    def load(self) -> DataFrame:
        """Return the table, lazily.

        Raises:
            DataError: It is missing, half-written, or made of something else than this run would make it of.
        """
        uri = self._uri(self._get_load_path())
        self._handoff_at(uri).require_current()
        table = self._with_known_columns(spark.session().read.format(self._file_format), uri)
        opened = table.options(**_PAGE_CHECKSUMS | self._load_args).load(uri)
        return opened.select(*_saved_order(opened.columns, self._save_args.get("partitionBy", ())))

    def save(self, data: DataFrame) -> None:
        """Write the table and then its marker; this is where Spark does a stage's work.

        What is interrupted is removed: it would only take room. A folder behind a link stays where the link leads.
        """
        uri = self._uri(self._get_save_path())
        handoff = self._handoff_at(uri)
        handoff.begin()
        try:
            self._write(data, self._storage.resolve(uri))
            handoff.finish()
        except Exception:
            remove_unfinished(self._storage, [uri])
            raise

    def _write(self, data: DataFrame, uri: str) -> None:
        if data.isLocal() and data.isEmpty():
            # What is known to be empty needs no file and no job; neither question asks for one of a local table.
            self._storage.delete(uri)
        else:
            self._write_rows(data, uri)
        self._storage.write(f"{uri}/{COLUMNS}", data.schema.json().encode())

    def _write_rows(self, data: DataFrame, uri: str) -> None:
        options = _PAGE_CHECKSUMS | self._save_args
        by = options.pop("partitionBy", ())
        writer = in_few_files(data, by).write.format(self._file_format).mode("overwrite").partitionBy(*by)
        writer.options(**options).save(uri)

    def _with_known_columns(self, reader: DataFrameReader, uri: str) -> DataFrameReader:
        """Say which columns there are, where they were written down: else Spark asks the files, by a job."""
        from pyspark.sql.types import StructType

        instead = "Spark asks the files for their columns"
        known = state_files.read(self._storage, f"{uri}/{COLUMNS}", keys=("type", "fields"), instead=instead)
        return reader if known is None else reader.schema(StructType.fromJson(known))

    def preview(self, nrows: int = 10) -> TablePreview:
        """Return counts, sizes and the first rows for kedro-viz; Spark is not started.

        Args:
            nrows: Rows to show.
        """
        return previews().of_table(self._uri(self._get_load_path()), nrows=nrows)

    def sizes(self) -> dict[str, int] | None:
        """Return rows, columns and bytes (`file_size`) of a table on this machine; None where there is none."""
        found: dict[str, int] | None = previews().sizes_of_table(self._uri(self._get_load_path()))
        return found

    def _exists(self) -> bool:
        return self._handoff_at(self._uri(self._get_load_path())).is_current()

    def _describe(self) -> dict[str, Any]:
        return {
            "filepath": self._prefix + str(self._filepath),
            "file_format": self._file_format,
            "load_args": self._load_args,
            "save_args": self._save_args,
            "version": self._version,
        }

    def _uri(self, path: PurePosixPath) -> str:
        return self._prefix + str(path)

    def _handoff_at(self, uri: str) -> Handoff:
        """Return the marker of the folder in use: with `versioned: true` each version has its own."""
        handoff = Handoff(self._storage, uri, self.handoff.name)
        handoff.expected = self.handoff.expected
        return handoff


def in_few_files(table: DataFrame, by: Sequence[str]) -> DataFrame:
    """Bring rows together, where Spark plans as it goes: else each of many tasks writes a small file into each folder.

    A file then holds about `spark.sql.adaptive.advisoryPartitionSizeInBytes`, at the price of one more shuffle. Without
    adaptive planning there are as few tasks as `spark.sql.shuffle.partitions` says, and this would only cost time.

    Args:
        table: To be written.
        by: Columns that have folders.
    """
    is_adaptive = spark.session().conf.get("spark.sql.adaptive.enabled") == "true"
    return table.hint("rebalance", *by) if is_adaptive else table


def _saved_order(columns: list[str], partition_columns: list[str]) -> list[str]:
    """Spark reads partition columns last; every hand-off starts with them (its corpus)."""
    return [*partition_columns, *(column for column in columns if column not in partition_columns)]
