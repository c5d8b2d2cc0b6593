"""A hand-off that is a folder of small files, such as a ranker or an exported model."""

from __future__ import annotations

import hashlib
from itertools import groupby
from operator import itemgetter
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from kedro.io import AbstractDataset

from rankhammer.corpora import belongs_to, folder_of
from rankhammer.datasets import vouched_files
from rankhammer.datasets.entry_options import checks_options
from rankhammer.datasets.handoff import Handoff
from rankhammer.datasets.preview_code import previews
from rankhammer.digests import hex_digest
from rankhammer.errors import ConfigError
from rankhammer.storage import state_files
from rankhammer.storage.base import local_path, remove_unfinished, storage_for

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from kedro_datasets._typing import TablePreview

    from rankhammer.datasets.vouched_files import Vouched

_UNFINISHED = "_unfinished.json"


class FilesDataset(AbstractDataset["dict[str, bytes] | Iterable[tuple[str, bytes]]", dict[str, bytes]]):
    """A folder of files, as "<folder of the corpus>/..." to content, complete or not there at all.

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

    @checks_options
    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        """Describe the folder; nothing is opened.

        Args:
            filepath: Folder: a local path or a URI (hdfs, s3a, file).
            metadata: For plugins such as kedro-viz.
        """
        # A file: URI is decoded, and names of corpora may hold what looks encoded.
        self._path = local_path(filepath).rstrip("/")
        self._storage = storage_for(filepath)
        self.metadata = metadata
        self.handoff = Handoff(self._storage, self._path, PurePosixPath(self._path).name, counts=_counts)

    def load(self) -> dict[str, bytes]:
        """Return the files of the corpora that the last run worked on.

        Raises:
            DataError: The folder is missing, half-written, changed since, or stale.
        """
        self.handoff.require_current()
        recorded = self.handoff.recorded
        chosen = recorded.corpora if recorded else None
        return self._read([name for name in self._names() if chosen is None or belongs_to(name, chosen)])

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
        replaced, kept = self._clear()
        try:
            self.handoff.finish(self._write(data), kept)
        except Exception:
            places = [self._path] if replaced is None else [f"{self._path}/{folder_of(one)}" for one in replaced]
            remove_unfinished(self._storage, places)
            raise
        self._storage.delete(f"{self._path}/{_UNFINISHED}")

    def _write(self, data: dict[str, bytes] | Iterable[tuple[str, bytes]]) -> dict[str, str]:
        """Write files as they come; return the SHA-256 of each."""
        contents: dict[str, str] = {}
        for name, parts in groupby(sorted(data.items()) if isinstance(data, dict) else data, key=itemgetter(0)):
            check_name(name)
            content = hashlib.sha256()
            self._storage.write_parts(f"{self._path}/{name}", _hashed(map(itemgetter(1), parts), content))
            contents[name] = content.hexdigest()
        return contents

    def _clear(self) -> tuple[list[str] | None, Vouched]:
        """Delete what is written again; whole rankers of other corpora stay, also when this run is killed.

        Returns:
            The corpora that are written again (None: all), and what is known of the files of the others.
        """
        chosen, half_written = self.handoff.made_of().corpora, self._half_written()
        if chosen is None or half_written is None:
            self.handoff.begin()
            self._storage.delete(self._path)
            return None, {}
        replaced = sorted({*chosen, *half_written[0]})
        kept = {name: facts for name, facts in half_written[1].items() if not belongs_to(name, replaced)}
        self._storage.write(
            f"{self._path}/{_UNFINISHED}", state_files.encode({"replaced": replaced, vouched_files.FILES: kept})
        )
        self.handoff.begin()
        for corpus in replaced:
            self._storage.delete(f"{self._path}/{folder_of(corpus)}")
        return replaced, kept

    def _half_written(self) -> tuple[list[str], Vouched] | None:
        """Return the corpora that a run was writing when it was killed, and what is known of the other files.

        None: nobody knows.
        """
        if self.handoff.recorded is not None:
            return [], self.handoff.files
        path, keys = f"{self._path}/{_UNFINISHED}", ("replaced", vouched_files.FILES)
        found = state_files.read(self._storage, path, keys=keys, instead="all corpora are written again")
        kept = vouched_files.parse(found[vouched_files.FILES]) if found else None
        return None if found is None or kept is None else (list(found["replaced"]), kept)

    def _names(self) -> list[str]:
        return [name for name in self._storage.files(self._path) if not _is_reserved(name)]

    def _read(self, names: Iterable[str]) -> dict[str, bytes]:
        """Read files, and compare each with what was written.

        Raises:
            DataError: One has another content.
        """
        vouched, files = self.handoff.files, {}
        for name in names:
            files[name] = self._storage.read(f"{self._path}/{name}")
            expected = vouched.get(name, {}).get("content")
            if expected is not None and hex_digest(files[name]) != expected:
                raise self.handoff.changed(f"{name} has another content than was written")
        return files

    def preview(self) -> TablePreview:
        """Return the files and their sizes for kedro-viz."""
        return previews().of_files(self._path)

    def _exists(self) -> bool:
        return self.handoff.is_current()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._path}


def _counts(name: str, corpora: Sequence[str] | None) -> bool:
    return not _is_reserved(name) and (corpora is None or belongs_to(name, corpora))


def _hashed(parts: Iterable[bytes], content: hashlib._Hash) -> Iterator[bytes]:
    for part in parts:
        content.update(part)
        yield part


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
