"""A hand-off that is a folder of small files, such as a ranker or an exported model."""

from __future__ import annotations

from itertools import groupby
from operator import itemgetter
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from kedro.io import AbstractDataset

from rankhammer.datasets.handoff import Handoff
from rankhammer.errors import ConfigError
from rankhammer.storage import storage_for

if TYPE_CHECKING:
    from collections.abc import Iterable


class FilesDataset(AbstractDataset["dict[str, bytes] | Iterable[tuple[str, bytes]]", dict[str, bytes]]):
    """A folder of files, as relative path to content, complete or not there at all.

    Small ones are saved as a dict. Large ones are saved as they are made: pairs of a path and the next part of its
    content, the parts of a file one after the other.

    Examples:
        YAML:

        >>> # ranker:
        >>> #   type: rankhammer.datasets.FilesDataset
        >>> #   filepath: s3a://bucket/ranker

        Python:

        >>> dataset = FilesDataset(filepath="data/06_models/ranker")
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        """Describe the folder; nothing is opened.

        Args:
            filepath: Folder: a local path or a URI (hdfs, s3a, file).
            metadata: For plugins such as kedro-viz.
        """
        self._path = filepath.rstrip("/")
        self._storage = storage_for(filepath)
        self.metadata = metadata
        self.handoff = Handoff(self._storage, self._path, PurePosixPath(self._path).name)

    def load(self) -> dict[str, bytes]:
        """Return every file of the folder.

        Raises:
            DataError: The folder is missing, half-written, or stale.
        """
        self.handoff.require_current()
        names = [name for name in self._storage.files(self._path) if not _is_reserved(name)]
        return {name: self._storage.read(f"{self._path}/{name}") for name in names}

    def save(self, data: dict[str, bytes] | Iterable[tuple[str, bytes]]) -> None:
        """Replace the folder's content, the marker last.

        Raises:
            ConfigError: A file name is absolute, leaves the folder, or is reserved.
        """
        if isinstance(data, dict):
            for name in data:
                check_name(name)
        self.handoff.begin()
        self._storage.delete(self._path)
        for name, parts in groupby(sorted(data.items()) if isinstance(data, dict) else data, key=itemgetter(0)):
            check_name(name)
            self._storage.write_parts(f"{self._path}/{name}", map(itemgetter(1), parts))
        self.handoff.finish()

    def _exists(self) -> bool:
        return self.handoff.is_current()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._path}


def check_name(name: str) -> None:
    """Refuse a name that leads out of the folder or is kept for markers.

    Args:
        name: Relative path within a folder of files.

    Raises:
        ConfigError: It cannot be used.
    """
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or _is_reserved(name):
        raise ConfigError(f"{name!r} cannot be the name of a published file.", hint="Use plain relative paths.")


def _is_reserved(name: str) -> bool:
    """Say whether a name is kept for markers and unfinished files."""
    return PurePosixPath(name).name.startswith(("_", "."))
