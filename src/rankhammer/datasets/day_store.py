"""What ingestion made of each day of a log: kept by day, so that a new day costs itself alone."""

from __future__ import annotations

import json
import logging
from datetime import date
from typing import TYPE_CHECKING, Any, Never

from kedro.io import AbstractDataset, DatasetError

from rankhammer import spark
from rankhammer.datasets.entry_options import checks_options
from rankhammer.datasets.handoff import Fingerprint, Handoff
from rankhammer.datasets.table_dataset import in_few_files
from rankhammer.schemas import ddl
from rankhammer.storage.base import storage_for

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pyspark.sql import DataFrame

    Derived = tuple[str, Mapping[str, str], Callable[[DataFrame], DataFrame]]

PAGES, COUNTS = "pages", "counts"
"""Tables of a day: its result pages, and their counted click patterns."""
_FACTS = "facts.json"
_DAY = "day="
logger = logging.getLogger(__name__)
_WRITER = "ingest"


class DayStore:
    """A folder with one folder a day: its tables, its counts, and a marker that is written last.

    Args:
        path: A local path or a URI.
        made_of: A text that differs whenever the code or the configuration behind every day does.
    """

    def __init__(self, path: str, made_of: str = "") -> None:
        self.path, self.made_of = path, made_of
        self._storage = storage_for(path)

    def is_current(self, day: date, key: str) -> bool:
        """Say whether a day is there, whole, and made of what `key` stands for."""
        return self._handoff(day, key).is_current()

    def write(
        self,
        day: date,
        key: str,
        tables: Mapping[str, DataFrame],
        facts: Mapping[str, Any],
        derived: Mapping[str, Derived] | None = None,
    ) -> None:
        """Write a day; it is there when its marker is, which comes last.

        Args:
            day: Which one.
            key: Digest of all that it is made of.
            tables: By name; each is written by Spark.
            facts: Small values that JSON knows.
            derived: Tables that are made of one that was written, which is read again for them.
        """
        handoff, folder = self._handoff(day, key), self._folder(day)
        handoff.begin()
        self._storage.delete(folder)
        for name, table in tables.items():
            in_few_files(table, ()).write.parquet(f"{folder}/{name}")
        for name, (source, columns, make) in (derived or {}).items():
            make(self.read(source, [day], columns)).write.parquet(f"{folder}/{name}")
        self._storage.write(f"{folder}/{_FACTS}", json.dumps(facts, sort_keys=True).encode())
        handoff.finish()

    def facts(self, day: date) -> dict[str, Any]:
        """Return what `write` was given beside the tables."""
        found: dict[str, Any] = json.loads(self._storage.read(f"{self._folder(day)}/{_FACTS}"))
        return found

    def read(self, name: str, days: Sequence[date], columns: Mapping[str, str]) -> DataFrame:
        """Return one table of some days, lazily.

        Args:
            name: Of the table.
            days: Each is there; at least one.
            columns: Name to Spark type, in order.
        """
        folders = [f"{self._folder(day)}/{name}" for day in days]
        return spark.session().read.schema(ddl(columns)).parquet(*folders)

    def read_counts(self, summary: Mapping[str, Any], columns: Mapping[str, str]) -> DataFrame | None:
        """Return the counted click patterns of all days, lazily; None where they are not those of the pages.

        Args:
            summary: What ingestion says of the days; empty where the log is not in a folder a day.
            columns: Name to Spark type, in order.
        """
        from pyspark.sql import functions as F

        if not summary.get("adds_up"):
            return None
        keys = {date.fromisoformat(day): key for day, key in summary["days"].items()}
        if not all(self.is_current(day, key) for day, key in keys.items()):
            logger.warning("Days of %s have changed since `serps` was written: its pages are counted.", self.path)
            return None
        return self.read(COUNTS, [*keys], columns).where(F.col("corpus").isin(summary["corpora"]))

    def leave_before(self, first: date) -> list[str]:
        """Remove days before one, and return them."""
        names = [path.rstrip("/").rpartition("/")[2] for path in self._storage.glob(f"{self.path}/{_DAY}*")]
        old = [name for name in names if name.removeprefix(_DAY) < first.isoformat()]
        for name in old:
            self._storage.delete(f"{self.path}/{name}")
        return [name.removeprefix(_DAY) for name in old]

    def _folder(self, day: date) -> str:
        return f"{self.path}/{_DAY}{day.isoformat()}"

    def _handoff(self, day: date, key: str) -> Handoff:
        handoff = Handoff(self._storage, self._folder(day), f"{day} of ingested_days")
        handoff.expected = Fingerprint(handoff.name, key, _WRITER, {"key": key})
        return handoff


class DayStoreDataset(AbstractDataset[Never, DayStore]):
    """The days that ingestion has finished: filled by the node that reads it, and read by the one that counts.

    Examples:
        YAML:

        >>> # ingested_days:
        >>> #   type: rankhammer.datasets.DayStoreDataset
        >>> #   filepath: hdfs:///apps/rankhammer/primary/ingested_days
    """

    @checks_options
    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        """Describe the folder; nothing is opened.

        Args:
            filepath: Folder: a local path or a URI (hdfs, s3a, file).
            metadata: For plugins such as kedro-viz.
        """
        self._path = filepath.rstrip("/")
        self.made_of = ""
        """Digest of code and configuration behind every day, set before a run."""
        self.metadata = metadata

    @property
    def path(self) -> str:
        """The folder, as it was given."""
        return self._path

    def load(self) -> DayStore:
        """Return the folder; nothing is read yet, and it need not exist."""
        return DayStore(self._path, self.made_of)

    def save(self, data: Never) -> None:  # noqa: ARG002 - Kedro's signature
        """Refuse: the node writes to the folder that `load` gave it.

        Raises:
            DatasetError: Always.
        """
        raise DatasetError(f"{self._path} is filled by the node that reads it, and is no node's output.")

    def _exists(self) -> bool:
        return True

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._path}
