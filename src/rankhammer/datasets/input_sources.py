"""What stands behind an input: files, or a search engine's indices."""

from __future__ import annotations

import hashlib
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

from pydantic import Field, ValidationError

from rankhammer import spark
from rankhammer.credentials import LOGIN
from rankhammer.datasets.file_checks import check_files
from rankhammer.datasets.file_reading import FilesReader
from rankhammer.datasets.input_files import list_input_files
from rankhammer.datasets.input_samples import distinct_texts, read_sample
from rankhammer.datasets.known_options import require_known_options
from rankhammer.errors import ConfigError
from rankhammer.feature_sources.remote.index_reading import APIS, IndexReader
from rankhammer.feature_sources.remote.options import IndexOptions
from rankhammer.storage.base import storage_for
from rankhammer.validation_text import describe_fault, hint_for

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pyspark.sql import DataFrame
    from pyspark.sql.types import StructType

    from rankhammer.datasets.input_files import InputFile
    from rankhammer.datasets.input_samples import InputSample


_LOOKED_AT = 2000
"""Rows of an input that are looked at before a run."""


class InputSource(Protocol):
    """The verbs that an input needs."""

    def require_found(self) -> None:
        """Check that there is something to load; reads none of it but files' first bytes."""
        ...

    def read(self) -> DataFrame:
        """Return it with its own column names; the first call finds them out, by a job or by reading it all."""
        ...

    def sample(self) -> InputSample | None:
        """Return its first rows, read without Spark; None where that cannot be done."""
        ...

    def texts(self, column: str) -> tuple[set[str], bool]:
        """Return the distinct texts of one of its own columns, and whether these are all; without Spark."""
        ...

    def fingerprint(self) -> str:
        """Return a text that changes when the content does, or which part of it is read."""
        ...


class Files:
    """Files of a format that Spark reads.

    Args:
        path: File, folder or pattern: a local path or a URI; None where an input is not given.
        file_format: Spark's name of it.
        load_args: Reader options.
        keeps_unparsed: Whether a line that does not parse comes as a row of nulls; else it is an error.
    """

    def __init__(
        self, path: str | None, file_format: str, load_args: Mapping[str, Any], *, keeps_unparsed: bool = False
    ) -> None:
        self._path, self._format, self._load_args = path, file_format.lower(), load_args
        self._keeps_unparsed = keeps_unparsed
        self._checked: list[InputFile] | None = None

    def require_found(self) -> None:
        """See `InputSource`.

        Raises:
            ConfigError: The path is not given or leads to nothing, or the format's reader has no such option.
            DataError: A file is not what the format says.
        """
        if self._path is None:
            raise ConfigError(
                "Input path: null does not exist.",
                hint="`rankhammer demo` makes the demo's input; your own goes into conf/local/globals.yml.",
            )
        require_known_options(self._path, self._format, self._load_args)
        files = list_input_files(self._path, self._load_args)
        check_files(files, self._format, self._load_args)
        self._checked = files

    def read(self) -> DataFrame:
        """See `InputSource`; lazily.

        Raises:
            SchemaError: The files' columns do not go together.
            DataError: A file is not what the format says.
        """
        return self._reader.read()

    def sample(self) -> InputSample | None:
        """See `InputSource`.

        Raises:
            ConfigError: The path leads to nothing.
            SchemaError: A header names a column twice.
        """
        if self._checked is None:
            self.require_found()
        return read_sample(self._checked or (), self._format, self._load_args, max_rows=_LOOKED_AT)

    def texts(self, column: str) -> tuple[set[str], bool]:
        """See `InputSource`; files of another machine are not read for it."""
        files = self._checked or ()
        if any("://" in file.root for file in files):
            return set(), False
        return distinct_texts(files, self._format, self._load_args, column)

    def fingerprint(self) -> str:
        """See `InputSource`. Local files are read once (1 GB/s); HDFS and S3 are asked for their own checksums."""
        digest = hashlib.sha256(repr(self._load_args).encode())
        for file in list_input_files(self._path, self._load_args) if self._path is not None else ():
            digest.update(f"{file.name}={file.storage.stamp(file.path)}\n".encode())
        return digest.hexdigest()

    @cached_property
    def _reader(self) -> FilesReader:
        if self._checked is None:
            self.require_found()
        return FilesReader(str(self._path), self._checked or (), self._format, self._load_args, self._keeps_unparsed)


class IndexInput(IndexOptions):
    """Which records are read, and where they are kept."""

    snapshots: str = Field(min_length=1, description="folder for what was read; only the latest is kept")


class Indices:
    """Indices of OpenSearch or Elasticsearch: read once, as they are at one moment, into a folder of JSON lines.

    Every action of Spark then sees the same records, and the engine is asked once. Records that were not written to
    since the last run are not read again.

    Args:
        url: Of the engine.
        product: Key of `APIS`.
        load_args: The other fields of `IndexInput`.

    Raises:
        ConfigError: An option is wrong.
    """

    def __init__(self, url: str, product: str, load_args: Mapping[str, Any]) -> None:
        options = _options(url, load_args)
        self._reader = IndexReader(product, options)
        self._snapshots = options.snapshots.rstrip("/")
        self._taken: str | None = None
        self._columns: StructType | None = None

    def require_found(self) -> None:
        """See `InputSource`; asks the engine."""
        self._reader.require_found()

    def read(self) -> DataFrame:
        """See `InputSource`; asks the engine when it is called for the first time."""
        if self._taken is None:
            self._taken = self._take()
        table = spark.session().read.json(self._taken, schema=self._columns)
        self._columns = table.schema
        return table

    def sample(self) -> InputSample | None:
        """See `InputSource`: the engine is asked for records once, when a stage reads them."""
        return None

    def texts(self, column: str) -> tuple[set[str], bool]:  # noqa: ARG002 - see `InputSource`
        """See `InputSource`."""
        return set(), False

    def fingerprint(self) -> str:
        """See `InputSource`; asks the engine."""
        return self._reader.fingerprint()

    def _take(self) -> str:
        folder = f"{self._snapshots}/{self._reader.fingerprint()[:16]}"
        storage = storage_for(folder)
        for path in storage.glob(f"{self._snapshots}/*"):
            if not path.rstrip("/").endswith(folder.rsplit("/", 1)[-1]):
                storage.delete(path)
        if not storage.exists(f"{folder}/_SUCCESS"):
            self._reader.save(spark.session(), folder)
        return folder


def open_source(
    path: str | None, file_format: str, load_args: Mapping[str, Any], *, keeps_unparsed: bool = False
) -> InputSource:
    """Choose what stands behind an input; nothing is opened.

    Args:
        path: Of files, or the address of an engine.
        file_format: Spark's name of it, or the engine's.
        load_args: Reader options of files; which indices of an engine.
        keeps_unparsed: Whether a line of a file that does not parse comes as a row of nulls; else it is an error.

    Raises:
        ConfigError: An option is wrong.
    """
    if path is None or file_format not in APIS:
        return Files(path, file_format, _as_written(file_format, load_args), keeps_unparsed=keeps_unparsed)
    return Indices(path, file_format, load_args)


def _as_written(file_format: str, load_args: Mapping[str, Any]) -> Mapping[str, Any]:
    """Leave the texts of a CSV as they are, to be cast by what they mean: a type that Spark infers makes 7 of 007."""
    if file_format != "csv":
        return load_args
    return {name: value for name, value in load_args.items() if name.lower() != "inferschema"}


def _options(url: str, load_args: Mapping[str, Any]) -> IndexInput:
    try:
        named = {"credentials" if name == LOGIN else name: value for name, value in load_args.items()}
        return IndexInput.model_validate({**named, "url": url})
    except ValidationError as exc:
        about_url = exc.errors(include_input=False)[0]["loc"] == ("url",)
        known = f"`path` is the engine's address; `load_args` may hold {', '.join(IndexInput.model_fields)}."
        raise ConfigError(
            f"Input {'of an engine' if about_url else url}: {describe_fault(exc)}.",
            hint=f"{hint_for(exc, IndexInput)} {known}".strip(),
        ) from None
