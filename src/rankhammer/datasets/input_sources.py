"""What stands behind an input: files, or a search engine's indices."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from pydantic import Field, ValidationError

from rankhammer import spark
from rankhammer.engines.remote.index_options import IndexOptions
from rankhammer.engines.remote.index_reading import APIS, IndexReader
from rankhammer.errors import ConfigError
from rankhammer.storage import storage_for

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pyspark.sql import DataFrame


class InputSource(Protocol):
    """The verbs that an input needs."""

    def require_found(self) -> None:
        """Check that there is something to load; reads none of it."""
        ...

    def read(self) -> DataFrame:
        """Return it with its own column names."""
        ...

    def fingerprint(self) -> str:
        """Return a text that changes when the content does, or which part of it is read."""
        ...


@dataclass(frozen=True)
class Files:
    """Files of a format that Spark reads.

    Args:
        path: File, folder or pattern: a local path or a URI; None where an input is not given.
        file_format: Spark's name of it.
        load_args: Reader options.
    """

    path: str | None
    file_format: str
    load_args: Mapping[str, Any]

    def require_found(self) -> None:
        """See `InputSource`.

        Raises:
            ConfigError: The path is not given or leads to nothing.
        """
        if self.path is None or not storage_for(self.path).glob(self.path):
            raise ConfigError(
                f"Input {self.path or 'path: null'} does not exist.",
                hint="`rankhammer demo` makes the demo's input; your own goes into conf/local/globals.yml.",
                path=self.path,
            )

    def read(self) -> DataFrame:
        """See `InputSource`; lazily."""
        return spark.session().read.format(self.file_format).options(**self.load_args).load(self.path)

    def fingerprint(self) -> str:
        """See `InputSource`. Local files are read once (1 GB/s); HDFS and S3 are asked for their own checksums."""
        digest = hashlib.sha256(repr(self.load_args).encode())
        storage = storage_for(self.path or "")
        for root in storage.glob(self.path) if self.path else ():
            for name in storage.files(root):
                if not name.rsplit("/", 1)[-1].startswith(("_", ".")):
                    digest.update(f"{name}={storage.stamp(f'{root}/{name}'.rstrip('/'))}\n".encode())
        return digest.hexdigest()


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

    def require_found(self) -> None:
        """See `InputSource`; asks the engine."""
        self._reader.require_found()

    def read(self) -> DataFrame:
        """See `InputSource`; asks the engine when it is called for the first time."""
        if self._taken is None:
            self._taken = self._take()
        return spark.session().read.json(self._taken)

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


def open_source(path: str | None, file_format: str, load_args: Mapping[str, Any]) -> InputSource:
    """Choose what stands behind an input; nothing is opened.

    Args:
        path: Of files, or the address of an engine.
        file_format: Spark's name of it, or the engine's.
        load_args: Reader options of files; which indices of an engine.

    Raises:
        ConfigError: An option is wrong.
    """
    if path is None or file_format not in APIS:
        return Files(path, file_format, load_args)
    return Indices(path, file_format, load_args)


def _options(url: str, load_args: Mapping[str, Any]) -> IndexInput:
    try:
        return IndexInput.model_validate({**load_args, "url": url})
    except ValidationError as exc:
        fault = exc.errors(include_input=False)[0]
        place = ".".join(map(str, fault["loc"]))
        raise ConfigError(
            f"Input {url if place != 'url' else 'of an engine'}: {place}: {fault['msg']}.",
            hint=f"`path` is the engine's address; `load_args` may hold {', '.join(IndexInput.model_fields)}.",
        ) from None
