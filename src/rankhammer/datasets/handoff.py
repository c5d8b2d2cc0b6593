"""What makes a folder a finished hand-off: a fingerprint file, written last and checked first."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from functools import reduce
from typing import TYPE_CHECKING

from rankhammer.corpora import joint
from rankhammer.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rankhammer.storage import Storage

MARKER = "_fingerprint.json"
_AGAIN = "kedro run --only-missing-outputs makes whatever is stale or missing anew."


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

    @property
    def corpora(self) -> Sequence[str] | None:
        """The corpora that it speaks of; None: all."""
        return reduce(joint, self.choices.values(), None)

    def difference(self, recorded: Fingerprint) -> str:
        """Name the parts in which a recorded fingerprint differs from this, the expected one."""
        changed = [part for part in self.parts if recorded.parts.get(part) != self.parts[part]]
        return ", ".join(sorted(changed)) or "its inputs"


class Handoff:
    """The marker of one hand-off folder.

    Args:
        storage: Where the folder is.
        path: The folder.
        name: What messages call it until the run names it.
    """

    def __init__(self, storage: Storage, path: str, name: str) -> None:
        self._storage = storage
        self._path = path
        self.name = name
        self.expected: Fingerprint | None = None

    @property
    def recorded(self) -> Fingerprint | None:
        """The fingerprint in the folder, or None where the folder is missing or half-written."""
        path = f"{self._path}/{MARKER}"
        if not self._storage.exists(path):
            return None
        return Fingerprint(**json.loads(self._storage.read(path)))

    def is_current(self) -> bool:
        """Say whether the folder is complete and, inside a run, made of what this run would make it of."""
        recorded = self.recorded
        return recorded is not None and (self.expected is None or recorded.digest == self.expected.digest)

    def require_current(self) -> None:
        """Refuse a folder that is missing, half-written or stale.

        Raises:
            DataError: Says which, why, and which command makes it anew.
        """
        recorded = self.recorded
        if recorded is None:
            raise DataError(
                f"Hand-off {self.name!r} at {self._path} is missing or was not finished.", hint=_AGAIN, name=self.name
            )
        if self.expected is not None and recorded.digest != self.expected.digest:
            raise DataError(
                f"Hand-off {self.name!r} at {self._path} is stale: {self.expected.difference(recorded)} "
                f"changed since node {self.expected.node!r} wrote it.",
                hint=_AGAIN,
                name=self.name,
                node=self.expected.node,
            )

    def probe(self) -> None:
        """Write and remove an empty file beside the marker.

        Raises:
            OSError: The folder cannot be written (on HDFS and S3 the session's own error).
        """
        probe = f"{self._path}/.writable"
        self._storage.write(probe, b"")
        self._storage.delete(probe)

    def made_of(self) -> Fingerprint:
        """Return what is written with the data."""
        return self.expected or Fingerprint(self.name, "unknown", "unknown")

    def begin(self) -> None:
        """Take the marker away before anything is overwritten: from here on the folder is unfinished."""
        self._storage.delete(f"{self._path}/{MARKER}")
        self._storage.abandon_uploads(self._path)

    def finish(self) -> None:
        """Write the marker, last of all."""
        content = json.dumps(asdict(self.made_of()), sort_keys=True, indent=1)
        self._storage.write(f"{self._path}/{MARKER}", content.encode())
