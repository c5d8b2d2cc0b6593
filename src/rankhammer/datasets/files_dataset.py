"""A hand-off that is a folder of small files, such as a ranker or an exported model."""

from __future__ import annotations

import json
from itertools import groupby
from operator import itemgetter
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from kedro.io import AbstractDataset

from rankhammer.corpora import is_of
from rankhammer.datasets.handoff import Handoff
from rankhammer.errors import ConfigError
from rankhammer.storage import storage_for

if TYPE_CHECKING:
    from collections.abc import Iterable

_UNFINISHED = "_unfinished.json"


class FilesDataset(AbstractDataset["dict[str, bytes] | Iterable[tuple[str, bytes]]", dict[str, bytes]]):
    """A folder of files, as "<corpus>/..." to content, complete or not there at all.

    A run that works on some corpora (`--params corpora=...`) replaces theirs, and leaves those of the others alone.

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
        """Return the files of the corpora that the last run worked on.

        Raises:
            DataError: The folder is missing, half-written, or stale.
        """
        self.handoff.require_current()
        recorded = self.handoff.recorded
        chosen = recorded.corpora if recorded else None
        return self._read([name for name in self._names() if chosen is None or is_of(name, chosen)])

    def load_all(self) -> dict[str, bytes]:
        """Return every file, also of corpora that earlier runs worked on.

        Raises:
            DataError: As `load`.
        """
        self.handoff.require_current()
        return self._read(self._names())

    def save(self, data: dict[str, bytes] | Iterable[tuple[str, bytes]]) -> None:
        """Replace the folder's content, or that of the corpora that the run works on; the marker comes last.

        Raises:
            ConfigError: A file name is absolute, leaves the folder, or is reserved.
        """
        if isinstance(data, dict):
            for name in data:
                check_name(name)
        self._clear()
        for name, parts in groupby(sorted(data.items()) if isinstance(data, dict) else data, key=itemgetter(0)):
            check_name(name)
            self._storage.write_parts(f"{self._path}/{name}", map(itemgetter(1), parts))
        self.handoff.finish()
        self._storage.delete(f"{self._path}/{_UNFINISHED}")

    def _clear(self) -> None:
        """Delete what is written anew; whole rankers of other corpora stay, also when this run is killed."""
        chosen, half_written = self.handoff.made_of().corpora, self._half_written()
        if chosen is None or half_written is None:
            self.handoff.begin()
            self._storage.delete(self._path)
            return
        replaced = sorted({*chosen, *half_written})
        self._storage.write(f"{self._path}/{_UNFINISHED}", json.dumps(replaced).encode())
        self.handoff.begin()
        for corpus in replaced:
            self._storage.delete(f"{self._path}/{corpus}")

    def _half_written(self) -> list[str] | None:
        """Return the corpora that a run was writing when it was killed; None: nobody knows which."""
        unfinished = f"{self._path}/{_UNFINISHED}"
        if self.handoff.recorded is not None:
            return []
        if not self._storage.exists(unfinished):
            return None
        found: list[str] = json.loads(self._storage.read(unfinished))
        return found

    def _names(self) -> list[str]:
        return [name for name in self._storage.files(self._path) if not _is_reserved(name)]

    def _read(self, names: Iterable[str]) -> dict[str, bytes]:
        return {name: self._storage.read(f"{self._path}/{name}") for name in names}

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
