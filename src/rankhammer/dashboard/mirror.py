"""Results of HDFS, S3 and other storages, copied to this machine: pages read nothing over a network."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from rankhammer.dashboard.results import ANY, HISTORY, REPORTS, Results, is_run_id
from rankhammer.dashboard.shapes import text
from rankhammer.sql_tables.folders import DONE
from rankhammer.storage.base import LocalStorage, storage_for
from rankhammer.storage.publication import follow

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rankhammer.storage.base import Storage, StoredFile

N_RUNS = 20
_BLOCK = 8 * 2**20
_ALL = ".shared"
"""Folder of what belongs to no run: an id never begins with a dot."""
logger = logging.getLogger(__name__)


@dataclass
class Mirror:
    """Copies of results in a folder of this machine, the same after each `copy` as what they are copied from.

    Args:
        places: Dataset to its path or URI, with `ANY` for a run's id where runs have folders.
        folder: Of this machine, for nothing else.
        n_runs: Newest runs whose reports and tables are copied; records of the history are copied all.
        most_bytes: Of one table; larger ones are left out, and their pages say that they are not there.
    """

    places: Mapping[str, str]
    folder: Path
    n_runs: int = N_RUNS
    most_bytes: int = 4 * 2**30
    _seen: dict[str, list[int | str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Read what an earlier process has copied."""
        state = self.folder / "copied.json"
        self._local = LocalStorage()
        try:
            self._seen = json.loads(state.read_bytes())
        except (OSError, ValueError):
            self._seen = {}

    @property
    def local_places(self) -> dict[str, str]:
        """Where the copies are, in the form of `places`."""
        return {name: self._place(name, ANY if ANY in path else _ALL) for name, path in self.places.items()}

    def copy(self) -> int:
        """Copy what has changed since the last time.

        Returns:
            How many files were copied.

        Raises:
            OSError, py4j.protocol.Py4JError, ClusterError: The storage does not answer; the copies stay as they were.
        """
        n = self._copy_folder(self.places[HISTORY], self._place(HISTORY, _ALL))
        others = {name: path for name, path in self.places.items() if name != HISTORY}
        for run in self._runs():
            for name, path in others.items():
                is_of_run = ANY in path
                if is_of_run or run == _ALL:
                    n += self._copy_one(name, path.replace(ANY, run), self._place(name, run if is_of_run else _ALL))
        self._local.write(str(self.folder / "copied.json"), json.dumps(self._seen, sort_keys=True).encode())
        return n

    def _place(self, name: str, run: str) -> str:
        return f"{self.folder}/{run}/{name}{'.json' if name in REPORTS else ''}"

    def _runs(self) -> Iterator[str]:
        """Yield the folders of the newest runs, and what stands for those that have none."""
        yield _ALL
        results = Results({HISTORY: self._place(HISTORY, _ALL)})
        found = (results.record(number).content for number in results.numbers()[: self.n_runs])
        yield from dict.fromkeys(run for record in found if is_run_id(run := text(record.get("run"))))

    def _copy_one(self, name: str, source: str, target: str) -> int:
        if name in REPORTS:
            folder, _, file = source.rpartition("/")
            listed = self._listed(folder).get(file)
            return self._copy_files(folder, str(Path(target).parent), {file: listed} if listed else {}, {file: target})
        return self._copy_folder(source, target)

    def _copy_folder(self, source: str, target: str) -> int:
        is_history, source = source == self.places[HISTORY], follow(source)
        listed = self._listed(source)
        if not is_history and sum(file.size for file in listed.values()) > self.most_bytes:
            logger.warning("%s is larger than %s bytes, and is left out.", source, self.most_bytes)
            listed = {}
        names = {file: f"{target}/{file}" for file in [*listed, *self._local.files(target)]}
        return self._copy_files(source, target, listed, names)

    def _listed(self, folder: str) -> dict[str, StoredFile]:
        storage = storage_for(folder)
        return storage.listing(folder) if storage.exists(folder) else {}

    def _copy_files(self, source: str, target: str, listed: Mapping[str, StoredFile], names: Mapping[str, str]) -> int:
        """Let files be as they are listed: a marker goes first, and comes last, so that no reader sees a mixture."""
        known: dict[str, list[int | str]] = {name: [file.size, file.changed, file.tag] for name, file in listed.items()}
        changed = [name for name, facts in known.items() if self._seen.get(names[name]) != facts]
        gone = [name for name in names if name not in known]
        for marker in DONE if changed or gone else ():
            self._forget(f"{target}/{marker}")
        for name in gone:
            self._forget(names[name])
        storage = storage_for(source)
        last = [marker for marker in DONE if marker in known and (changed or gone)]
        for name in [*(name for name in changed if name not in DONE), *last]:
            self._local.write_parts(names[name], _parts(storage, f"{source}/{name}", listed[name].size))
            self._seen[names[name]] = known[name]
        return len(changed)

    def _forget(self, path: str) -> None:
        self._local.delete(path)
        self._seen.pop(path, None)


def _parts(storage: Storage, path: str, size: int) -> Iterator[bytes]:
    for start in range(0, size, _BLOCK):
        yield storage.read_range(path, start, _BLOCK)


def is_remote(places: Mapping[str, str]) -> bool:
    """Say whether any result is on another filesystem than this machine's."""
    return any("://" in path for path in places.values())
