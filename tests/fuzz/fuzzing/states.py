"""What runs leave for later ones: how each kind is made, read, and made again after damage."""

from __future__ import annotations

import json
import os
import shutil
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from kedro.io import DatasetError

from fuzzing.outcomes import outcome
from rankhammer.datasets import FilesDataset, HistoryDataset, PublishedDataset, StateDataset, TableDataset
from rankhammer.errors import ClusterError, DataError
from rankhammer.storage.lock import OutputLock
from rankhammer.storage.state_files import CHECKSUM

if TYPE_CHECKING:
    from pathlib import Path

    from pyspark.sql import SparkSession

FILES = {"shop/model.json": b'{"trees": [1, 2, 3]}', "shop/manifest.json": b'{"a": 1}', "main/model.json": b"x" * 300}
ROWS = [("main", "a", [1, 2]), ("main", "b", []), ("shop", "c", [3])]


class State(Protocol):
    """One kind."""

    def make(self) -> None:
        """Write it."""
        ...

    def read(self) -> Any:
        """Return what was written, or raise."""
        ...

    def cure(self, error: Exception | None) -> None:
        """Do what the error's hint says: most often, write it again."""
        ...

    written: Any


@dataclass
class Table:
    """A hand-off that is a table."""

    folder: Path
    spark: SparkSession

    def __post_init__(self) -> None:
        self.dataset = TableDataset(filepath=str(self.folder / "table"), save_args={"partitionBy": ["corpus"]})
        self.written = ROWS

    def make(self) -> None:
        self.dataset.save(self.spark.createDataFrame(ROWS, "corpus string, q string, n array<int>").coalesce(1))

    def read(self) -> Any:
        # Another process reads: nothing that this one has opened is taken for the file.
        self.spark.catalog.clearCache()
        return sorted((row["corpus"], row["q"], row["n"]) for row in self.dataset.load().collect())

    def cure(self, error: Exception | None) -> None:
        self.make()


@dataclass
class Folder:
    """A hand-off of small files."""

    folder: Path

    def __post_init__(self) -> None:
        self.dataset = FilesDataset(filepath=str(self.folder / "files"))
        self.written = FILES

    def make(self) -> None:
        self.dataset.save(dict(FILES))

    def read(self) -> Any:
        return FilesDataset(filepath=str(self.folder / "files")).load()

    def cure(self, error: Exception | None) -> None:
        self.make()


@dataclass
class Published:
    """Two published versions; the first one may count where the last pointer is gone, and nothing else may."""

    folder: Path

    def __post_init__(self) -> None:
        self.written = FILES

    def make(self) -> None:
        PublishedDataset(filepath=str(self.folder / "published")).save({"shop/model.json": b"old"})
        PublishedDataset(filepath=str(self.folder / "published")).save(dict(FILES))

    def read(self) -> Any:
        found = PublishedDataset(filepath=str(self.folder / "published")).load()
        # The version before is a whole one, too, and a warning says that it counts.
        return FILES if found == {"shop/model.json": b"old"} else found

    def cure(self, error: Exception | None) -> None:
        if error is not None and "newer version" in str(error):
            # Its hint says to update the installation: done by taking the file of that version away.
            shutil.rmtree(self.folder / "published/pointers")
        PublishedDataset(filepath=str(self.folder / "published")).save(dict(FILES))


@dataclass
class Summary:
    """A small file that is replaced as a whole; one that cannot be read counts as missing."""

    folder: Path

    def __post_init__(self) -> None:
        self.dataset = StateDataset(filepath=str(self.folder / "summary.json"))
        self.written = {"a": 1, "by_stage": {"training": {"run": "x"}}}

    def make(self) -> None:
        self.dataset.save(self.written)

    def read(self) -> Any:
        try:
            found = self.dataset.load()
        except DatasetError as exc:
            raise DataError(str(exc), hint="It counts as missing; the next run writes it.") from exc
        # Without its checksum it is as an earlier version wrote it: what is a JSON object is what it says.
        is_sealed = CHECKSUM in json.loads((self.folder / "summary.json").read_bytes())
        return found if is_sealed else self.written

    def cure(self, error: Exception | None) -> None:
        if (self.folder / "summary.json").is_dir():
            _, refused = outcome(self.make)
            assert "is a folder" in str(refused)
            (self.folder / "summary.json").rmdir()
        self.make()


@dataclass
class History:
    """A record for each run; one that is damaged is left out."""

    folder: Path

    def __post_init__(self) -> None:
        self.dataset = HistoryDataset(filepath=str(self.folder / "history"))
        self.written = [{"id": n} for n in range(3)]

    def make(self) -> None:
        for record in self.written:
            self.dataset.save(record)

    def read(self) -> Any:
        known = [{name: value for name, value in run.items() if name != "number"} for run in self.dataset.load()]
        if any(record not in known for record in self.written):
            raise DataError("a record is left out", hint="Its run is over; the others stand.")
        return [record for record in self.written if record in known]

    def cure(self, error: Exception | None) -> None:
        shutil.rmtree(self.folder / "history")
        self.make()


@dataclass
class Lock:
    """A lock that was given back; whoever comes next takes it, or is told which file is in the way."""

    folder: Path

    def __post_init__(self) -> None:
        self.written = "taken"

    def make(self) -> None:
        self.read()

    def read(self) -> Any:
        lock = OutputLock(str(self.folder / "locked"), heartbeat_s=0.05, expires_s=0.2)
        (self.folder / "locked").mkdir(exist_ok=True)
        lock.acquire()
        lock.release()
        return "taken"

    def cure(self, error: Exception | None) -> None:
        if isinstance(error, ClusterError):
            place = error.values.get("path")
            # Either the file that the hint names, or the time that it says to wait for.
            for path in [place] if place else (self.folder / "locked/.lock").iterdir():
                os.unlink(path) if place else os.utime(path, (0, 0))
            # What stands before it may be this process's own: it is taken for dead after this.
            time.sleep(0.3)


KINDS = {"table": Table, "files": Folder, "published": Published, "summary": Summary, "history": History, "lock": Lock}
