"""How long the doctor takes for a large event log, and how much memory: one JSON line.

    python benchmarks/doctor.py [--tasks 300000] [--keep FOLDER]

The log has lines of 40 bytes to 1 MB and about 1 GB in all; most of it are ends of tasks.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import IO, Any

SOURCE = Path(__file__).resolve().parents[1] / "packages" / "rankhammer-doctor" / "src"
T0 = 1_700_000_000_000
TASKS_OF_A_STAGE = 1000
READ = """
import resource, sys, time
sys.path.insert(0, sys.argv[2])
from rankhammer_doctor.reports.build import log_report
began = time.perf_counter()
report = log_report(sys.argv[1])
text = "\\n".join(report.lines()); page = report.page()
wall, peak = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(wall, time.process_time(), peak, len(report.facts["stages"]))
"""


def main() -> None:
    """Write the log, read it in a process of its own, print the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--tasks", type=int, default=300_000)
    parser.add_argument("--keep", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        log = (given.keep or Path(folder)) / "big_log"
        if not log.exists():
            with log.open("wb") as file:
                write(file, given.tasks)
        done = subprocess.run(
            [sys.executable, "-c", READ, str(log), str(SOURCE)], capture_output=True, text=True, check=True
        )
        seconds, cpu_seconds, peak_kb, stages = (float(value) for value in done.stdout.split())
        figures = {"mb": log.stat().st_size >> 20, "tasks": given.tasks, "stages": stages}
        # On a machine that does other things, too, only the seconds of the processor mean something.
        times = {"seconds": round(seconds, 1), "cpu_seconds": round(cpu_seconds, 1)}
        print(json.dumps({"benchmark": "doctor", **figures, **times, "peak_mb": round(peak_kb / 1024)}))


def write(file: IO[bytes], n_tasks: int) -> None:
    """Write an application with as many tasks, in stages of 1000."""
    numbers = random.Random(1)
    put(file, "LogStart", **{"Spark Version": "4.3.0"})
    conf = {"spark.master": "yarn", "spark.executor.cores": "4"}
    put(file, "EnvironmentUpdate", **{"Spark Properties": conf, "System Properties": {"x": "y" * 200_000}})
    put(file, "ApplicationStart", **{"App Name": "big", "App ID": "application_1_1", "Timestamp": T0, "User": "u"})
    for name in range(50):
        info = {"Host": f"h{name // 5}", "Total Cores": 4, "Log Urls": {}}
        put(file, "ExecutorAdded", **{"Timestamp": T0, "Executor ID": str(name), "Executor Info": info})
    for stage in range(n_tasks // TASKS_OF_A_STAGE):
        write_stage(file, stage, numbers)
    put(file, "ApplicationEnd", Timestamp=T0 + n_tasks * 100)


def write_stage(file: IO[bytes], stage: int, numbers: random.Random) -> None:
    """Write a job with one stage and a plan of 1 MB."""
    begin = T0 + stage * 60_000
    info = {"Stage ID": stage, "Stage Attempt ID": 0, "Stage Name": f"s{stage}", "Number of Tasks": TASKS_OF_A_STAGE}
    plan = {"nodeName": "Scan", "simpleString": "x" * 100, "children": [], "metrics": []}
    sql = "org.apache.spark.sql.execution.ui."
    put(file, f"{sql}SparkListenerSQLExecutionStart", executionId=stage, time=begin, description="q",
        physicalPlanDescription="p" * 1_000_000 if stage % 10 == 0 else "p", sparkPlanInfo=plan)  # fmt: skip
    job = {"Job ID": stage, "Submission Time": begin, "Stage Infos": [info], "Stage IDs": [stage]}
    put(file, "JobStart", **job, Properties={"spark.sql.execution.id": str(stage)})
    put(file, "StageSubmitted", **{"Stage Info": {**info, "Submission Time": begin}})
    for index in range(TASKS_OF_A_STAGE):
        write_task(file, stage, index, begin, numbers)
    ended = {**info, "Submission Time": begin, "Completion Time": begin + 59_000, "Accumulables": []}
    put(file, "StageCompleted", **{"Stage Info": ended})
    put(
        file, "JobEnd", **{"Job ID": stage, "Completion Time": begin + 59_500, "Job Result": {"Result": "JobSucceeded"}}
    )
    put(file, f"{sql}SparkListenerSQLExecutionEnd", executionId=stage, time=begin + 59_600)


def write_task(file: IO[bytes], stage: int, index: int, begin: int, numbers: random.Random) -> None:
    """Write a task's start and end."""
    executor = str(index % 50)
    launch = begin + index * 50
    info: dict[str, Any] = {
        "Task ID": stage * TASKS_OF_A_STAGE + index,
        "Index": index,
        "Attempt": 0,
        "Launch Time": launch,
        "Executor ID": executor,
        "Host": f"h{int(executor) // 5}",
        "Locality": "ANY",
        "Speculative": False,
        "Getting Result Time": 0,
        "Finish Time": 0,
        "Failed": False,
        "Killed": False,
        "Accumulables": [],
    }
    key = {"Stage ID": stage, "Stage Attempt ID": 0}
    put(file, "TaskStart", **key, **{"Task Info": info})
    run = numbers.randrange(500, 5000)
    fixed = {"Internal": True, "Count Failed Values": True, "Metadata": "sql"}
    values = [
        {"ID": n, "Name": f"internal.metrics.m{n}", "Update": str(run), "Value": str(run * index), **fixed}
        for n in range(14)
    ]
    metrics = {
        "Executor Run Time": run,
        "Executor CPU Time": run * 900_000,
        "JVM GC Time": run // 50,
        "Result Size": 2000,
        "Executor Deserialize Time": 5,
        "Input Metrics": {"Bytes Read": run * 1000, "Records Read": run},
        "Shuffle Write Metrics": {"Shuffle Bytes Written": run * 10, "Shuffle Records Written": run},
        "Shuffle Read Metrics": {"Remote Bytes Read": 0, "Local Bytes Read": 0, "Total Records Read": 0},
    }
    peaks = {"JVMHeapMemory": 10**8 + run, "ProcessTreePythonRSSMemory": run, "ProcessTreeJVMRSSMemory": 10**8}
    ended = {**info, "Finish Time": launch + run, "Accumulables": values}
    reason = {"Task Type": "ResultTask", "Task End Reason": {"Reason": "Success"}}
    put(
        file,
        "TaskEnd",
        **key,
        **reason,
        **{"Task Info": ended, "Task Executor Metrics": peaks, "Task Metrics": metrics},
    )


def put(file: IO[bytes], event: str, **fields: Any) -> None:
    """Write one event."""
    name = event if "." in event else f"SparkListener{event}"
    file.write(json.dumps({"Event": name, **fields}, separators=(",", ":")).encode() + b"\n")


if __name__ == "__main__":
    main()
