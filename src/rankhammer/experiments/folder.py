"""The folder of an experiment in storage: by it, the groups of an experiment and whoever asks for them meet.

Layout::

    spec.json                       what runs
    lease.json                      who keeps it alive; a group ends where this has not changed for long
    submitted/<role>.json           application of each role's newest group
    attempts/<n>/groups/<role>.json state of a group and of its instances
    attempts/<n>/coordinator.json   address of the instance with rank 0
    attempts/<n>/ended.json         how an attempt ended
    training_ended.json             training has ended; what runs beside it may leave
    outcome.json                    how the experiment ended
    files/checkpoints, files/metrics, files/...   what instances write
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from py4j.protocol import Py4JError

from rankhammer.errors import DataError, RankhammerError, did_you_mean
from rankhammer.experiments.roles import Experiment, read_experiment
from rankhammer.storage.base import storage_for

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rankhammer.storage.base import Storage

WAITING, RUNNING, DONE, FAILED, LOST, ENDED = "waiting", "running", "done", "failed", "lost", "ended"
"""States of an instance and of a group; `ended` is what another one's end has ended."""
OVER = frozenset({DONE, FAILED, LOST, ENDED})
FILES = "files"
STORAGE_ERRORS = (RankhammerError, Py4JError, OSError, ValueError)
"""What a storage that fails for a while raises."""


@dataclass
class Instance:
    """One instance of a role, as its group's driver knows it.

    Args:
        index: Within its role, from 0.
        host: Where it runs; empty until it has come.
        container: YARN's id of its container; empty on this machine.
        node_id: YARN's name of the node; empty on this machine.
        log: Address or path of its log.
        state: One of the states above.
        started: When it came, seconds since 1970.
        ended: When it ended; 0 while it has not.
        message: Why it failed.
    """

    index: int
    host: str = ""
    container: str = ""
    node_id: str = ""
    log: str = ""
    state: str = WAITING
    started: float = 0.0
    ended: float = 0.0
    message: str = ""


@dataclass
class GroupStatus:
    """The instances of a role in one attempt.

    Args:
        role: Its name.
        state: Of the group as a whole.
        instances: By index.
        message: Why it failed.
        is_final: Whether another attempt would fail likewise, as one without such a function.
        start: How often a group beside training was started before in this attempt.
    """

    role: str
    state: str = WAITING
    instances: list[Instance] = field(default_factory=list)
    message: str = ""
    is_final: bool = False
    start: int = 0

    @property
    def has_come(self) -> bool:
        """Say whether every instance has been there."""
        return all(instance.host for instance in self.instances)


def parse(place: str, content: bytes) -> dict[str, Any]:
    """Read an object of JSON.

    Args:
        place: Where it stands, for the message.
        content: What is there.

    Raises:
        DataError: It is damaged.
    """
    try:
        found = json.loads(content)
    except (ValueError, RecursionError) as exc:
        raise _damaged(place) from exc
    if not isinstance(found, dict):
        raise _damaged(place)
    return found


def _damaged(place: str) -> DataError:
    return DataError(f"{place} is damaged.", hint="Look at another experiment: `rankhammer experiment status --all`.")


class ExperimentFolder:
    """Reads and writes the folder; every file is written whole or not at all."""

    def __init__(self, path: str, storage: Storage | None = None) -> None:
        """Open nothing yet.

        Args:
            path: Local path or URI.
            storage: Of that path.
        """
        self.path = path.rstrip("/")
        self.storage = storage or storage_for(path)

    def write_spec(self, experiment: Experiment) -> None:
        """Write what runs."""
        self.write("spec.json", experiment.model_dump())

    def spec(self) -> Experiment:
        """Read what runs.

        Raises:
            DataError: Here is no experiment.
        """
        found = self.read("spec.json")
        if found is None:
            hint = "`rankhammer experiment status` lists those that are there."
            raise DataError(f"{self.path} holds no experiment.", hint=hint)
        return read_experiment(found, f"{self.path}/spec.json")

    def write_group(self, attempt: int, status: GroupStatus) -> None:
        """Write a group's state."""
        self.write(f"attempts/{attempt}/groups/{status.role}.json", asdict(status))

    def group(self, attempt: int, role: str) -> GroupStatus | None:
        """Read a group's state; None before its driver has written it."""
        found = self.read(f"attempts/{attempt}/groups/{role}.json")
        if found is None:
            return None
        try:
            return GroupStatus(**{**found, "instances": [Instance(**row) for row in found["instances"]]})
        except (TypeError, KeyError) as exc:
            raise _damaged(f"{self.path}/attempts/{attempt}/groups/{role}.json") from exc

    def end_attempt(self, attempt: int, message: str, *, is_final: bool = False) -> None:
        """Say that an attempt has ended; of several who say so, the first one's reason stays."""
        content = json.dumps({"message": message, "is_final": is_final}).encode()
        self.storage.create(f"{self.path}/attempts/{attempt}/ended.json", content)

    def attempt_end(self, attempt: int) -> dict[str, Any] | None:
        """Read how an attempt ended; None while it goes on."""
        return self.read(f"attempts/{attempt}/ended.json")

    def write(self, name: str, content: Mapping[str, Any]) -> None:
        """Create or replace a small file."""
        self.storage.write(f"{self.path}/{name}", json.dumps(content, sort_keys=True).encode())

    def read(self, name: str) -> dict[str, Any] | None:
        """Read a small file; None where there is none.

        Raises:
            DataError: It is damaged.
        """
        place = f"{self.path}/{name}"
        if not self.storage.exists(place):
            return None
        return parse(place, self.storage.read(place))

    def files(self) -> dict[str, int]:
        """Return the bytes of each file that instances have written, by name."""
        place = f"{self.path}/{FILES}"
        found = self.storage.sizes(place) if self.storage.exists(place) else {}
        return dict(sorted(found.items()))

    def file(self, name: str) -> bytes:
        """Read a file that an instance has written.

        Raises:
            DataError: There is none of that name.
        """
        found = self.files()
        if name not in found:
            raise DataError(f"{self.path} has no file {name!r}.", hint=did_you_mean(name, set(found)))
        return self.storage.read(f"{self.path}/{FILES}/{name}")

    def newest_attempt(self) -> int:
        """Return the number of the newest attempt, from 1; 0 where none was begun."""
        found = self.read("attempt.json")
        return int(found["number"]) if found else 0
