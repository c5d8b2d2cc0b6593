"""Writes event logs as Spark does: events, compressions, rolling folders."""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pyarrow as pa

from rankhammer_doctor.dynamic_rules import check_run
from rankhammer_doctor.event_log import read_run
from rankhammer_doctor.thresholds import defaults

if TYPE_CHECKING:
    from pathlib import Path

T0 = 1_700_000_000_000
SQL = "org.apache.spark.sql.execution.ui."
CONF = {
    "spark.master": "yarn",
    "spark.executor.memory": "1g",
    "spark.executor.cores": "2",
    "spark.executor.instances": "2",
}


@dataclass
class LogBuilder:
    """Collects events; times are milliseconds after the application's start."""

    events: list[dict] = field(default_factory=list)
    n_tasks: int = 0

    def add(self, event: str, **fields) -> LogBuilder:
        self.events.append({"Event": event, **fields})
        return self

    def started(self, version="4.1.0", name="app", conf=None) -> LogBuilder:
        self.add("SparkListenerLogStart", **{"Spark Version": version})
        self.add(
            "SparkListenerEnvironmentUpdate",
            **{
                "JVM Information": {"Java Version": "17.0.1"},
                "Spark Properties": conf or CONF,
                "System Properties": {},
            },
        )
        self.add(
            "SparkListenerApplicationStart",
            **{"App Name": name, "App ID": "application_1_0001", "Timestamp": T0, "User": "me"},
        )
        return self.executor("1", host="a").executor("2", host="b")

    def executor(self, name: str, host="a", cores=2, at=0) -> LogBuilder:
        urls = {"stderr": f"http://{host}:8042/node/containerlogs/container_1_0001_01_00000{name}/me/stderr"}
        info = {"Host": host, "Total Cores": cores, "Log Urls": urls}
        return self.add(
            "SparkListenerExecutorAdded", **{"Timestamp": T0 + at, "Executor ID": name, "Executor Info": info}
        )

    def removed(self, name: str, reason: str, at=5000) -> LogBuilder:
        return self.add(
            "SparkListenerExecutorRemoved", **{"Timestamp": T0 + at, "Executor ID": name, "Removed Reason": reason}
        )

    def job(self, job_id: int, stages: list[int], at=0, description="", rdds=(), parents=None, tasks=4, **properties):
        infos = [stage_info(stage, tasks, rdds=rdds, parents=(parents or {}).get(stage, ())) for stage in stages]
        if description:
            properties["spark.job.description"] = description
        self.add(
            "SparkListenerJobStart",
            **{"Job ID": job_id, "Submission Time": T0 + at, "Stage Infos": infos, "Stage IDs": stages},
            Properties=properties,
        )
        return self

    def job_end(self, job_id: int, at: int, failure="") -> LogBuilder:
        result = {"Result": "JobFailed", "Exception": {"Message": failure}} if failure else {"Result": "JobSucceeded"}
        return self.add("SparkListenerJobEnd", **{"Job ID": job_id, "Completion Time": T0 + at, "Job Result": result})

    def task(self, stage: int, begin: int, end: int, *, index=None, executor="1", host="a", reason=None, **figures):
        """One task; figures: run, gc, deserialize, read, rows, rows_out, spill_memory, spill_disk, peaks."""
        info = {
            "Task ID": self.n_tasks,
            "Index": self.n_tasks if index is None else index,
            "Attempt": 0,
            "Launch Time": T0 + begin,
            "Executor ID": executor,
            "Host": host,
            "Finish Time": 0,
        }
        self.n_tasks += 1
        stage_key = {"Stage ID": stage, "Stage Attempt ID": 0}
        self.add("SparkListenerTaskStart", **stage_key, **{"Task Info": info})
        metrics = {
            "Executor Run Time": figures.get("run", end - begin),
            "Executor Deserialize Time": figures.get("deserialize", 0),
            "JVM GC Time": figures.get("gc", 0),
            "Memory Bytes Spilled": figures.get("spill_memory", 0),
            "Disk Bytes Spilled": figures.get("spill_disk", 0),
            "Input Metrics": {"Bytes Read": figures.get("read", 0), "Records Read": figures.get("rows", 0)},
            "Shuffle Write Metrics": {
                "Shuffle Bytes Written": figures.get("written", 0),
                "Shuffle Records Written": figures.get("rows_out", 0),
            },
            "Shuffle Read Metrics": {
                "Remote Bytes Read": 0,
                "Local Bytes Read": figures.get("shuffled", 0),
                "Total Records Read": figures.get("shuffled_rows", 0),
            },
        }
        ended = {**info, "Finish Time": T0 + end}
        return self.add(
            "SparkListenerTaskEnd",
            **stage_key,
            **{
                "Task End Reason": reason or {"Reason": "Success"},
                "Task Info": ended,
                "Task Metrics": metrics,
                "Task Executor Metrics": figures.get("peaks", {}),
            },
        )

    def stage(self, stage: int, begin: int, end: int, tasks=4, failure="", rdds=(), **properties) -> LogBuilder:
        """The end of a stage; tasks come before it."""
        info = stage_info(stage, tasks, begin=begin, end=end, rdds=rdds)
        if failure:
            info["Failure Reason"] = failure
        info["Accumulables"] = properties.pop("accumulables", [])
        return self.add("SparkListenerStageCompleted", **{"Stage Info": info}, Properties=properties)

    def even_stage(self, stage=0, n=8, ms=10_000, begin=0, **figures) -> LogBuilder:
        """A stage whose tasks are alike, two at once on each executor."""
        for place in range(n):
            wave, lane = divmod(place, 4)
            start = begin + wave * ms
            where = {"executor": str(lane // 2 + 1), "host": "ab"[lane // 2]}
            self.task(stage, start, start + ms, index=place, **{**where, "read": 1000, "rows": 10, **figures})
        return self.stage(stage, begin, begin + (n + 3) // 4 * ms, tasks=n)

    def ended(self, at=600_000) -> LogBuilder:
        return self.add("SparkListenerApplicationEnd", Timestamp=T0 + at)

    @property
    def text(self) -> bytes:
        return b"".join(json.dumps(event).encode() + b"\n" for event in self.events)

    def write(self, path: Path) -> Path:
        path.write_bytes(self.text)
        return path

    def run(self, folder: Path):
        return read_run(str(self.write(folder / "log")))

    def findings(self, folder: Path, logs=None):
        return check_run(self.run(folder), defaults(), logs)

    def rules(self, folder: Path, logs=None) -> dict[str, str]:
        """Return rule to severity of what is found."""
        return {finding.rule: finding.severity.label for finding in self.findings(folder, logs)}


def stage_info(stage: int, tasks: int, begin=None, end=None, rdds=(), parents=()) -> dict:
    times = {} if begin is None else {"Submission Time": T0 + begin, "Completion Time": T0 + end}
    return {
        "Stage ID": stage,
        "Stage Attempt ID": 0,
        "Stage Name": f"count at app.py:{stage}",
        "Number of Tasks": tasks,
        "Parent IDs": list(parents),
        "RDD Info": list(rdds),
        **times,
    }


def failure(text: str) -> dict:
    """A task's end by an exception."""
    return {"Reason": "ExceptionFailure", "Class Name": "E", "Description": text, "Full Stack Trace": text}


def lost(text: str, executor="1") -> dict:
    """A task's end by the loss of its executor."""
    return {"Reason": "ExecutorLostFailure", "Executor ID": executor, "Exit Caused By App": True, "Loss Reason": text}


def lz4_blocks(content: bytes, size=4096) -> bytes:
    """Compress as lz4-java's LZ4BlockOutputStream; the checksum is not looked at."""
    codec = pa.Codec("lz4_raw")
    blocks = []
    for place in range(0, len(content), size):
        part = content[place : place + size]
        packed = codec.compress(part, asbytes=True)
        method, stored = (0x20, packed) if len(packed) < len(part) else (0x10, part)
        blocks.append(struct.pack("<8sBiiI", b"LZ4Block", method | 6, len(stored), len(part), 0) + stored)
    blocks.append(struct.pack("<8sBiiI", b"LZ4Block", 0x16, 0, 0, 0))
    return b"".join(blocks)


def snappy_blocks(content: bytes, size=4096) -> bytes:
    """Compress as snappy-java's SnappyOutputStream."""
    codec = pa.Codec("snappy")
    parts = (content[place : place + size] for place in range(0, len(content), size))
    packed = (codec.compress(part, asbytes=True) for part in parts)
    return b"\x82SNAPPY\x00" + struct.pack(">ii", 1, 1) + b"".join(struct.pack(">i", len(one)) + one for one in packed)


def zstd(content: bytes, frames=1) -> bytes:
    """Compress into one frame or several."""
    size = -(-len(content) // frames)
    found = []
    for place in range(0, len(content), size):
        sink = pa.BufferOutputStream()
        with pa.CompressedOutputStream(sink, "zstd") as stream:
            stream.write(content[place : place + size])
        found.append(sink.getvalue().to_pybytes())
    return b"".join(found)
