"""Follows a job on a cluster until it has ended, and the cluster with it."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rankhammer.emr.artifacts import split_uri
from rankhammer.emr.clients import is_code, translated
from rankhammer.emr.outcome import CLUSTER_STATES_ENDED, STEP_ENDED, Outcome, outcome
from rankhammer.errors import ClusterError, ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_LOST_ANSWERS = 10
"""Questions in a row without an answer after which somebody should look at the network."""


@dataclass(frozen=True)
class LaunchProgress:
    """What is seen of a launch.

    Args:
        cluster: Its id.
        state: Of the cluster: STARTING, BOOTSTRAPPING, RUNNING, WAITING, TERMINATING, ...
        step: State of the job's step; empty where there is none yet.
        seconds: Since following began.
    """

    cluster: str
    state: str
    step: str
    seconds: float

    def __str__(self) -> str:
        job = f", job {self.step}" if self.step else ""
        return f"{self.state}{job}, {self.seconds:.0f} s"


class JobFolder:
    """The folder of a launch on S3: parts of the job's log, and how it ended."""

    def __init__(self, s3: Any, uri: str) -> None:
        """Ask nothing yet.

        Args:
            s3: Client of S3.
            uri: Of the folder.
        """
        self._s3, (self._bucket, self._key) = s3, split_uri(uri)
        self._last = f"{self._key}/log/"
        self._rest = b""

    def new_lines(self) -> Iterator[str]:
        """Yield whole lines of the log that were not yielded before."""
        for key in self._parts():
            self._rest += self._s3.get_object(Bucket=self._bucket, Key=key)["Body"].read()
            self._last = key
            *lines, self._rest = self._rest.split(b"\n")
            yield from (line.decode(errors="replace") for line in lines)

    def rest(self) -> str:
        """Return what the log ends with, where no line's end follows."""
        return self._rest.decode(errors="replace")

    def exit_code(self) -> int | None:
        """Return the job's exit code; None where none was written."""
        from botocore.exceptions import ClientError

        try:
            answer = self._s3.get_object(Bucket=self._bucket, Key=f"{self._key}/outcome.json")
        except ClientError as exc:
            if is_code(exc, "NoSuchKey", "404"):
                return None
            raise
        try:
            return int(json.loads(answer["Body"].read())["exit_code"])
        except (ValueError, KeyError, TypeError):
            return None

    def _parts(self) -> list[str]:
        pages = self._s3.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=f"{self._key}/log/", StartAfter=self._last
        )
        return sorted(entry["Key"] for page in pages for entry in page.get("Contents", ()))


class Follower:
    """Asks EMR about one job until it has ended."""

    def __init__(
        self,
        emr: Any,
        folder: JobFolder,
        *,
        poll_s: float,
        on_state: Callable[[LaunchProgress], None],
        on_line: Callable[[str], None],
    ) -> None:
        """Ask nothing yet.

        Args:
            emr: Client of EMR.
            folder: Of the launch.
            poll_s: Pause between two questions.
            on_state: Called with each answer.
            on_line: Called with each line of the job's log.
        """
        self._emr, self._folder, self._poll_s = emr, folder, poll_s
        self._on_state, self._on_line = on_state, on_line
        self._start, self._unanswered = time.monotonic(), 0

    def follow(self, cluster: str, step: str | None, *, until_gone: bool) -> Outcome:
        """Wait for a job's end.

        Args:
            cluster: Id.
            step: Id; None for the first step that the cluster has.
            until_gone: Whether to wait for the cluster's end, too.

        Raises:
            ClusterError: AWS does not answer any more; the cluster ends by itself.
        """
        while True:
            about, job = self._ask(cluster, step)
            if about is not None:
                ended = about["Status"]["State"] in CLUSTER_STATES_ENDED
                if ended or (not until_gone and _state(job) in STEP_ENDED):
                    return self._close(about, job)
            time.sleep(self._poll_s)

    def _ask(self, cluster: str, step: str | None) -> tuple[Mapping[str, Any] | None, Mapping[str, Any] | None]:
        from botocore.exceptions import BotoCoreError

        try:
            with translated(f"Following {cluster}"):
                return self._look(cluster, step)
        except (ClusterError, ConfigError) as exc:
            # A network that is away for a minute ends no launch.
            self._unanswered += 1
            if not isinstance(exc.__cause__, BotoCoreError) or self._unanswered >= _LOST_ANSWERS:
                raise
            return None, None

    def _look(self, cluster: str, step: str | None) -> tuple[Mapping[str, Any], Mapping[str, Any] | None]:
        about = self._emr.describe_cluster(ClusterId=cluster)["Cluster"]
        job = describe_step(self._emr, cluster, step)
        seconds = time.monotonic() - self._start
        self._on_state(LaunchProgress(cluster, about["Status"]["State"], _state(job), seconds))
        self._unanswered = 0
        for line in self._folder.new_lines():
            self._on_line(line)
        return about, job

    def _close(self, about: Mapping[str, Any], job: Mapping[str, Any] | None) -> Outcome:
        with translated("The job's log"):
            for line in self._folder.new_lines():
                self._on_line(line)
            if rest := self._folder.rest():
                self._on_line(rest)
            return outcome(about, job, self._folder.exit_code())


def describe_step(emr: Any, cluster: str, step: str | None) -> Mapping[str, Any] | None:
    """Return a step; the cluster's first one where none is named, and None where it has none."""
    if step is not None:
        found: Mapping[str, Any] = emr.describe_step(ClusterId=cluster, StepId=step)["Step"]
        return found
    steps = emr.list_steps(ClusterId=cluster)["Steps"]
    # The newest stands first.
    return steps[-1] if steps else None


def _state(job: Mapping[str, Any] | None) -> str:
    return "" if job is None else str(job["Status"]["State"])
