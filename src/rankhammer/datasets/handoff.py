"""What makes a folder a finished hand-off: a marker, written last and checked first, that vouches for its files."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from functools import reduce
from typing import TYPE_CHECKING, Any

from rankhammer.corpora import intersect
from rankhammer.datasets import vouched_files
from rankhammer.datasets.vouched_files import is_read_by_spark
from rankhammer.errors import DataError
from rankhammer.storage import state_files

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from rankhammer.datasets.vouched_files import Vouched
    from rankhammer.storage.base import Storage

MARKER = "_fingerprint.json"
FORMAT = 2
"""Of markers; those of format 1 said nothing of files."""
_AGAIN = "kedro run --only-missing-outputs makes whatever is stale or missing again."


@dataclass(frozen=True)
class Fingerprint:
    """What a hand-off was made of.

    Args:
        name: The hand-off's catalog name.
        digest: SHA-256 over everything below; equal digests mean equal rows.
        node: The node that writes it.
        parts: Each input of that node (a dataset, a parameter group, the code) to its own digest.
        sources: Each raw input of the run, however far back, to its digest.
        choices: Each node behind it, itself included, that works on chosen corpora, to the choice; None: all.
    """

    name: str
    digest: str
    node: str
    parts: Mapping[str, str] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)
    choices: Mapping[str, Sequence[str] | None] = field(default_factory=dict)

    @classmethod
    def parse(cls, content: Mapping[str, Any] | None) -> Fingerprint | None:
        """Read what `asdict` made of one; None where it is none."""
        known = {one.name: content[one.name] for one in fields(cls) if one.name in content} if content else {}
        is_whole = all(isinstance(known.get(name), str) for name in ("name", "digest", "node"))
        has_maps = all(isinstance(known.get(name, {}), dict) for name in ("parts", "sources", "choices"))
        return cls(**known) if is_whole and has_maps else None

    @property
    def corpora(self) -> Sequence[str] | None:
        """The corpora that it refers to; None: all."""
        return reduce(intersect, self.choices.values(), None)

    def difference(self, recorded: Fingerprint) -> str:
        """Name the parts in which a recorded fingerprint differs from this, the expected one."""
        changed = [part for part in self.parts if recorded.parts.get(part) != self.parts[part]]
        return ", ".join(sorted(changed)) or "its inputs"


@dataclass(frozen=True)
class Marker:
    """What stands in a marker.

    Args:
        fingerprint: What the hand-off was made of.
        files: What its files are; None where an earlier version wrote it, which said nothing of them.
    """

    fingerprint: Fingerprint
    files: Vouched | None


class Handoff:
    """The marker of one hand-off folder.

    Args:
        storage: Where the folder is.
        path: The folder.
        name: What messages call it until the run names it.
        counts: Says of a file (its relative path, and the corpora that the hand-off refers to) whether it is data.
    """

    def __init__(
        self,
        storage: Storage,
        path: str,
        name: str,
        *,
        counts: Callable[[str, Sequence[str] | None], bool] = lambda file, _: is_read_by_spark(file),
    ) -> None:
        self._storage = storage
        self._path = path
        self._counts = counts
        self.name = name
        self.expected: Fingerprint | None = None

    @property
    def recorded(self) -> Fingerprint | None:
        """The fingerprint in the folder, or None where the folder is missing or half-written."""
        marker = self._marker()
        return marker.fingerprint if marker else None

    @property
    def files(self) -> Vouched:
        """What the marker says of the folder's files; nothing where it says nothing."""
        marker = self._marker()
        return (marker.files if marker else None) or {}

    def is_current(self) -> bool:
        """Say whether the folder is complete, as it was written, and made of what a run would make it of."""
        marker = self._marker()
        if marker is None or (self.expected is not None and marker.fingerprint.digest != self.expected.digest):
            return False
        return not self._fault(marker)

    def require_current(self) -> None:
        """Refuse a folder that is missing, half-written, stale, or changed since.

        Raises:
            DataError: Says which, why, and which command makes it again.
        """
        fault = self._fault(self.require_expected())
        if fault:
            raise self.changed(fault)

    def require_expected(self) -> Marker:
        """Refuse a folder that is missing, half-written or stale; its files are not looked at.

        Raises:
            DataError: As `require_current`.
        """
        marker = self._marker()
        if marker is None:
            raise DataError(
                f"Hand-off {self.name!r} at {self._path} is missing or was not finished.", hint=_AGAIN, name=self.name
            )
        if self.expected is not None and marker.fingerprint.digest != self.expected.digest:
            raise DataError(
                f"Hand-off {self.name!r} at {self._path} is stale: {self.expected.difference(marker.fingerprint)} "
                f"changed since node {self.expected.node!r} wrote it.",
                hint=_AGAIN,
                name=self.name,
                node=self.expected.node,
            )
        return marker

    def changed(self, fault: str) -> DataError:
        """Return the error that says of a folder that it is not as it was written."""
        return DataError(
            f"Hand-off {self.name!r} at {self._path} is not as it was written: {fault}.",
            hint=_AGAIN,
            name=self.name,
            fault=fault,
        )

    def fault(self) -> str:
        """Say in which file a finished folder is not as it was written, by one listing; empty where it is."""
        marker = self._marker()
        return self._fault(marker) if marker else ""

    def verify(self) -> list[str]:
        """Say the same of every file of the folder, those of other corpora included, each compared by its checksum."""
        marker = self._marker()
        if marker is None:
            return []
        if marker.files is None:
            return [f"{MARKER} is of an earlier version, and says nothing of the files"]
        return vouched_files.faults(self._storage, self._path, marker.files, self._is_data(None))

    def check_writable(self) -> None:
        """Write and remove an empty file beside the marker.

        Raises:
            OSError: The folder cannot be written (on HDFS and S3 the session's own error).
            ConfigError: A link on the way leads nowhere, or a file stands where a folder has to be.
        """
        trial = f"{self._path}/.writable"
        self._storage.write(trial, b"")
        self._storage.delete(trial)

    def made_of(self) -> Fingerprint:
        """Return what is written with the data."""
        return self.expected or Fingerprint(self.name, "unknown", "unknown")

    def begin(self) -> None:
        """Take the marker away before anything is overwritten: from here on the folder is unfinished."""
        self._storage.delete(f"{self._path}/{MARKER}")
        self._storage.abandon_uploads(self._path)

    def finish(self, contents: Mapping[str, str] | None = None, kept: Vouched | None = None) -> None:
        """Write the marker, last of all; it names each file with its size and checksum.

        Args:
            contents: File to the SHA-256 of its content, where that is known already.
            kept: What the marker before said of files that were not written again.
        """
        files = vouched_files.vouch(self._storage, self._path, self._is_data(None), contents or {}, kept or {})
        content = asdict(self.made_of()) | {state_files.FORMAT: FORMAT, vouched_files.FILES: files}
        self._storage.write(f"{self._path}/{MARKER}", state_files.encode(content))

    def _is_data(self, corpora: Sequence[str] | None) -> Callable[[str], bool]:
        return lambda file: self._counts(file, corpora)

    def _fault(self, marker: Marker) -> str:
        if marker.files is None:
            path = f"{self._path}/{MARKER}"
            state_files.warn_once(path, "is of an earlier version", f"the files of {self.name!r} are read unchecked")
            return ""
        return vouched_files.fault(self._storage, self._path, marker.files, self._is_data(marker.fingerprint.corpora))

    def _marker(self) -> Marker | None:
        path, instead = f"{self._path}/{MARKER}", f"hand-off {self.name!r} counts as not finished"
        content = state_files.read(self._storage, path, newest_format=FORMAT, instead=instead)
        fingerprint = Fingerprint.parse(content)
        if content is None or fingerprint is None:
            if content is not None:
                state_files.warn_once(path, "holds no fingerprint", instead)
            return None
        return Marker(fingerprint, vouched_files.parse(content.get(vouched_files.FILES)))
