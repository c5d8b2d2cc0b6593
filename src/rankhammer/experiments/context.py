"""What a function of an experiment is given: who it is, and where checkpoints and metrics go."""

from __future__ import annotations

import json
import math
import os
import re
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rankhammer.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rankhammer.experiments.driver_client import DriverClient

CHECKPOINTS, METRICS = "checkpoints", "metrics"
METRICS_FILE = re.compile(r"(?P<who>[^/]+)/(?P<attempt>\d+)-\d+\.jsonl")
"""Names of the files below `METRICS`."""
_COMPLETE = "COMPLETE"


class CheckpointStore:
    """Checkpoints of an experiment, by step: each is there as a whole or not at all."""

    def __init__(self, client: DriverClient) -> None:
        """Open nothing yet."""
        self._client = client

    def save(self, step: int, content: bytes | Path) -> None:
        """Write a checkpoint.

        Args:
            step: Its number, from 0; the largest is the latest.
            content: Bytes, or a local folder with files.

        Raises:
            ConfigError: It is neither, or the folder has no file.
            DriverError: The storage does not take it; those that were written before stay.
        """
        name, files = _name(step), _files(content)
        if isinstance(content, bytes):
            self._client.write(f"{name}/content", content)
        else:
            for file in files:
                self._client.write(f"{name}/content/{file.relative_to(content).as_posix()}", file.read_bytes())
        self._client.write(f"{name}/{_COMPLETE}", b"")

    def steps(self) -> list[int]:
        """Return the steps that are there as a whole, in order."""
        found = self._client.sizes(CHECKPOINTS)
        return sorted(int(name.split("/")[0]) for name in found if name.endswith(f"/{_COMPLETE}"))

    def latest(self) -> int | None:
        """Return the step of the latest checkpoint; None where there is none."""
        return max(self.steps(), default=None)

    def read(self, step: int) -> bytes:
        """Return the bytes of a checkpoint.

        Raises:
            ConfigError: There is none of that step, or it is a folder.
        """
        content = self._client.read(f"{_name(step)}/content") if step in self.steps() else None
        if content is None:
            raise ConfigError(f"There is no checkpoint of step {step}.", hint="`latest()` returns the newest step.")
        return content

    def fetch(self, step: int, into: Path | None = None) -> Path:
        """Copy the files of a checkpoint into a local folder, and return it."""
        folder = into or Path(tempfile.mkdtemp(prefix=f"checkpoint-{step}-"))
        for name in self._client.sizes(f"{_name(step)}/content"):
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(self._client.read(f"{_name(step)}/content/{name}") or b"")
        return folder


class MetricsWriter:
    """Writes metrics over steps: files of JSON lines, which are there as a whole or not at all."""

    def __init__(self, client: DriverClient, who: str, attempt: int, every_s: float = 2.0) -> None:
        """Write nothing yet.

        Args:
            client: Of the group's driver.
            who: Role and index.
            attempt: Number of the attempt.
            every_s: Seconds between two files.
        """
        self._client, self._who, self._attempt, self._every_s = client, who, attempt, every_s
        self._rows: list[dict[str, Any]] = []
        self._n_files, self._flushed = 0, time.monotonic()
        self._lock = threading.Lock()

    def log(self, step: int, **values: float) -> None:
        """Keep the values of a step.

        Args:
            step: Number of the step.
            **values: Metric to value; what is no number is refused.
        """
        with self._lock:
            for name, value in values.items():
                number = float(value)
                kept = number if math.isfinite(number) else None
                self._rows.append({"step": int(step), "metric": name, "value": kept, "time": time.time()})
        if time.monotonic() - self._flushed >= self._every_s:
            self.flush()

    def flush(self) -> None:
        """Write what is kept."""
        with self._lock:
            rows, self._rows = self._rows, []
            self._flushed = time.monotonic()
            if not rows:
                return
            self._n_files += 1
            name = f"{METRICS}/{self._who}/{self._attempt:03d}-{self._n_files:06d}.jsonl"
            self._client.write(name, "".join(json.dumps(row) + "\n" for row in rows).encode())


@dataclass(frozen=True)
class TaskContext:
    """One instance of an experiment, as its function sees it.

    Args:
        role: Name of its role.
        index: Within the role, from 0.
        rank: Among the instances that train together; the index where it runs beside them.
        world_size: How many train together.
        attempt: Number of the attempt, from 1.
        arguments: Of the experiment.
        idle_limit_s: Of the experiment.
        checkpoints: Where checkpoints go; all instances see the same.
        metrics: Where metrics go.
        client: For files of one's own: `client.write("results/table.csv", b"...")`.
    """

    role: str
    index: int
    rank: int
    world_size: int
    attempt: int
    arguments: Mapping[str, Any]
    idle_limit_s: float
    checkpoints: CheckpointStore
    metrics: MetricsWriter
    client: DriverClient
    _seen: set[int] = field(default_factory=set)

    @property
    def is_chief(self) -> bool:
        """Say whether this is the instance with rank 0 of those that train."""
        return self.rank == 0 and "RANK" in os.environ

    def training_has_ended(self) -> bool:
        """Say whether those that train have ended."""
        return bool(self.client.call("facts")["training_has_ended"])

    def new_checkpoints(self, poll_s: float = 1.0) -> Iterator[int]:
        """Yield the newest checkpoint whenever there is one that was not yielded.

        Ends when training has ended and the last one was yielded, or after `idle_limit_s` without a new one.

        Args:
            poll_s: Pause between two looks.
        """
        last_news = time.monotonic()
        while time.monotonic() - last_news < self.idle_limit_s:
            has_ended = self.training_has_ended()
            newest = self.checkpoints.latest()
            if newest is not None and newest not in self._seen:
                self._seen.add(newest)
                yield newest
                last_news = time.monotonic()
            elif has_ended:
                return
            else:
                time.sleep(poll_s)


def _files(content: object) -> list[Path]:
    """Return the files of a folder that is to be a checkpoint; none for bytes."""
    if isinstance(content, bytes):
        return []
    if not isinstance(content, Path):
        hint = "Save bytes, or a pathlib.Path of a folder with files."
        raise ConfigError(f"A checkpoint was to be made of a {type(content).__name__}.", hint=hint)
    found = sorted(path for path in content.rglob("*") if path.is_file())
    if not found:
        raise ConfigError(f"A checkpoint was to be made of {content}, which has no file.", hint="Write into it first.")
    return found


def _name(step: int) -> str:
    if int(step) < 0:
        raise ConfigError(f"A checkpoint was to have the step {step}.", hint="Count steps from 0.")
    return f"{CHECKPOINTS}/{int(step):010d}"
