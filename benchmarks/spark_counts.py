"""Count what each node of a run asks of Spark: jobs, stages, tasks, and processes of Python.

Jobs, stages and tasks come from Spark's own event log, where each job bears the name of its node; processes of Python
that are started for tasks come from a daemon that writes them down. They do not depend on the machine's speed.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict, dataclass, fields
from pathlib import Path

BENCHMARKS = Path(__file__).resolve().parent
DESCRIPTION = "spark.job.description"
SETTINGS = """
spark.eventLog.enabled: "true"
spark.eventLog.compress: "false"
spark.eventLog.rolling.enabled: "false"
spark.eventLog.dir: {events}
spark.python.daemon.module: counting_daemon
"""


@dataclass
class Counts:
    """What a node asks of Spark."""

    jobs: int = 0
    stages: int = 0
    tasks: int = 0
    python_starts: int = 0
    job_seconds: float = 0.0

    def add(self, other: Counts) -> None:
        for field in fields(self):
            setattr(self, field.name, getattr(self, field.name) + getattr(other, field.name))


@dataclass(frozen=True)
class Watched:
    """A folder in which a run leaves what is counted."""

    folder: Path

    def settings(self) -> str:
        """Return lines of spark.yml."""
        events = self.folder / "events"
        events.mkdir(parents=True, exist_ok=True)
        return SETTINGS.format(events=events.as_uri())

    def environment(self) -> dict[str, str]:
        """Return variables that the run's process needs."""
        paths = [str(BENCHMARKS), os.environ.get("PYTHONPATH", "")]
        starts = str(self.folder / "python_starts")
        return {"PYTHONPATH": os.pathsep.join(filter(None, paths)), "RANKHAMMER_PYTHON_STARTS": starts}

    def counts(self) -> dict[str, Counts]:
        """Return what each node asked for, as "<stage>: <node>" in the order of the run."""
        (log,) = (self.folder / "events").iterdir()
        with log.open() as lines:
            jobs = read_jobs(json.loads(line) for line in lines)
        starts = self.folder / "python_starts"
        for started in starts.read_text().split() if starts.exists() else ():
            began = [job for job in jobs if job["began_s"] <= float(started)]
            began[-1]["counts"].python_starts += 1
        return by_node(jobs)


def read_jobs(events) -> list[dict]:
    """Return each job's node, beginning and counts, from the events of one session."""
    jobs: dict[int, dict] = {}
    of_stage: dict[int, Counts] = {}
    for event in events:
        kind = event["Event"].removeprefix("SparkListener")
        if kind == "JobStart":
            node, began_s = event["Properties"].get(DESCRIPTION, ""), event["Submission Time"] / 1000
            jobs[event["Job ID"]] = {"node": node, "began_s": began_s, "counts": Counts(jobs=1)}
            of_stage |= dict.fromkeys(event["Stage IDs"], jobs[event["Job ID"]]["counts"])
        elif kind == "JobEnd":
            job = jobs[event["Job ID"]]
            job["counts"].job_seconds += event["Completion Time"] / 1000 - job["began_s"]
        elif kind == "StageCompleted":
            of_stage[event["Stage Info"]["Stage ID"]].stages += 1
        elif kind == "TaskEnd":
            of_stage[event["Stage ID"]].tasks += 1
    return [jobs[number] for number in sorted(jobs)]


def by_node(jobs: list[dict]) -> dict[str, Counts]:
    """Add jobs up; what ran before the session knew a node, to read its input, is the first node's."""
    first = next((job["node"] for job in jobs if job["node"]), "")
    found: dict[str, Counts] = {}
    for job in jobs:
        found.setdefault(job["node"] or first, Counts()).add(job["counts"])
    return found


def by_stage(of_nodes: dict[str, Counts]) -> dict[str, Counts]:
    """Add up the nodes of each stage of the line."""
    found: dict[str, Counts] = {}
    for node, counts in of_nodes.items():
        found.setdefault(node.partition(":")[0], Counts()).add(counts)
    return found


def total(found: dict[str, Counts]) -> Counts:
    """Add all up."""
    summed = Counts()
    for counts in found.values():
        summed.add(counts)
    return summed


def show(found: dict[str, Counts]) -> None:
    """Print a table to the terminal, away from the JSON line."""
    names = [field.name for field in fields(Counts)]
    print(f"{'':34}" + "".join(f"{name:>15}" for name in names), file=sys.stderr)
    for node, counts in {**found, "all": total(found)}.items():
        values = (getattr(counts, name) for name in names)
        print(f"{node:34}" + "".join(f"{round(value, 2):>15}" for value in values), file=sys.stderr)


def plain(found: dict[str, Counts]) -> dict[str, dict[str, float]]:
    """Return counts as JSON can hold them."""
    return {name: {key: round(value, 2) for key, value in asdict(counts).items()} for name, counts in found.items()}
