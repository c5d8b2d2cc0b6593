"""What runs leave for the next one: a small JSON file, and one file for each run."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from kedro.io import AbstractDataset, DatasetError

from rankhammer.datasets.entry_options import checks_options
from rankhammer.datasets.preview_code import previews
from rankhammer.errors import ClusterError
from rankhammer.storage import state_files
from rankhammer.storage.append_log import AppendOnlyLog
from rankhammer.storage.base import storage_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kedro_datasets._typing import TablePreview

_ATTEMPTS = 20


class StateDataset(AbstractDataset[dict[str, Any], dict[str, Any]]):
    """A JSON object in a file that is replaced as a whole, and counts as missing where it cannot be read.

    Examples:
        YAML:

        >>> # run_summary:
        >>> #   type: rankhammer.datasets.StateDataset
        >>> #   filepath: data/08_reporting/run_summary.json
    """

    @checks_options
    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        """Describe the file; nothing is opened.

        Args:
            filepath: A local path or a URI (hdfs, s3a, file).
            metadata: For plugins such as kedro-viz.
        """
        self._path = filepath
        self._storage = storage_for(filepath)
        self.metadata = metadata

    def load(self) -> dict[str, Any]:
        """Return the content.

        Raises:
            DatasetError: There is no file, or none that can be used.
        """
        found = state_files.read(self._storage, self._path, instead="it counts as missing")
        if found is None:
            raise DatasetError(f"{self._path} is not there, or cannot be used.")
        return found

    def save(self, data: dict[str, Any]) -> None:
        """Replace the content."""
        self._storage.write(self._path, state_files.encode(state_files.sealed(data)))

    def _exists(self) -> bool:
        return self._storage.exists(self._path)

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._path}


class HistoryDataset(AbstractDataset[dict[str, Any], list[dict[str, Any]]]):
    """A folder with a file for each run: each is written once, and none is changed or deleted.

    Examples:
        YAML:

        >>> # run_history:
        >>> #   type: rankhammer.datasets.HistoryDataset
        >>> #   filepath: hdfs:///apps/rankhammer/history
    """

    @checks_options
    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        """Describe the folder; nothing is opened.

        Args:
            filepath: Folder: a local path or a URI (hdfs, s3a, file).
            metadata: For plugins such as kedro-viz.
        """
        self._path = filepath.rstrip("/")
        self._files = AppendOnlyLog(storage_for(filepath), self._path)
        self.metadata = metadata

    def load(self) -> list[dict[str, Any]]:
        """Return every record, the newest first, each with its `number`; one that cannot be read is left out."""
        return list(self.newest_first())

    def newest_first(self) -> Iterator[dict[str, Any]]:
        """Yield the records one by one; each is read when it is asked for."""
        for number in reversed(self._files.numbers()):
            entry = self._files.read(number)
            if entry.fault:
                state_files.warn_once(self._files.path(number), entry.fault, "that run is left out")
            else:
                yield {**entry.content, "number": number}

    def save(self, data: dict[str, Any]) -> None:
        """Add a record; several runs may do so at once.

        Raises:
            ClusterError: Others were faster each time.
        """
        record = state_files.sealed(data)
        for _ in range(_ATTEMPTS):
            if self._files.append(record, after=max(self._files.numbers(), default=0)):
                return
        raise ClusterError(
            f"{self._path}: another run added its record each of {_ATTEMPTS} times.",
            hint="See that its files are no older ones of a higher number, and run again.",
        )

    def preview(self, nrows: int = 20) -> TablePreview:
        """Return the newest runs for kedro-viz, as `rankhammer runs` lists them.

        Args:
            nrows: Runs to show.
        """
        return previews().of_runs(islice(self.newest_first(), nrows))

    def _exists(self) -> bool:
        return bool(self._files.numbers())

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._path}
