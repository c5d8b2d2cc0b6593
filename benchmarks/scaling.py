"""Run the line on the demo's log at several sizes, and print what each stage takes, one JSON line each.

    python benchmarks/scaling.py --sizes 1 3 10
    python benchmarks/scaling.py --fit results.jsonl        # cost = fixed + slope x size, for docs/scaling.md

Of each stage: seconds of the processors (its process and all below it: other load on the machine counts little), bytes
that Spark shuffled, rows that it read, and the largest resident memory of the driver's Python, the JVM and one
worker. Size 1 is the demo: 48,000 result pages.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
from demo_run import copy_project

from rankhammer.demo import SIZES, make_demo

STAGES = ("ingestion", "labeling", "features", "folding", "training", "export")
SPARK = """spark.master: local[2]
spark.driver.memory: 3g
spark.eventLog.enabled: "true"
spark.eventLog.compress: "false"
spark.eventLog.rolling.enabled: "false"
spark.eventLog.dir: {events}
"""
SHUFFLED = ("internal.metrics.shuffle.write.bytesWritten", "internal.metrics.input.recordsRead")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1, 3, 10])
    parser.add_argument("--fit", type=Path, help="lines that this printed, to be fitted")
    given = parser.parse_args()
    if given.fit:
        print_fit([json.loads(line) for line in given.fit.read_text().splitlines()])
        return
    for size in given.sizes:
        with tempfile.TemporaryDirectory(prefix="rankhammer-scaling-") as folder:
            for facts in measure(Path(folder), size):
                print(json.dumps(facts), flush=True)


def measure(project: Path, size: int):
    """Yield a size's facts, stage by stage."""
    copy_project(project)
    events = project / "events"
    events.mkdir()
    (project / "conf/local/spark.yml").write_text(SPARK.format(events=events.as_uri()))
    sizes = {
        name: replace(one, n_serps=one.n_serps * size, n_intents=one.n_intents * size) for name, one in SIZES.items()
    }
    made = make_demo(project / "data/01_raw/demo", sizes=sizes)
    n_serps = sum(corpus.n_serps for corpus in made.corpora.values())
    for stage in STAGES:
        watched = watch([sys.executable, "-m", "kedro", "run", f"--pipelines={stage}"], project)
        # A stage that needs no Spark writes none.
        logs = list(events.iterdir())
        facts = {"benchmark": "scaling", "size": size, "n_serps": n_serps, "stage": stage, **watched}
        yield {**facts, **read_events(logs)}
        for log in logs:
            log.unlink()


def watch(command: list[str], folder: Path) -> dict[str, float]:
    """Run a command, and follow the processes below it."""
    began = time.perf_counter()
    process = subprocess.Popen(command, cwd=folder, stdout=sys.stderr)
    cpu_s: dict[int, float] = {}
    rss: dict[str, int] = {"driver": 0, "jvm": 0, "worker": 0}
    done = threading.Event()
    follower = threading.Thread(target=follow, args=(process.pid, cpu_s, rss, done))
    follower.start()
    code = process.wait()
    done.set()
    follower.join()
    if code:
        raise SystemExit(code)
    memory = {f"{name}_rss_mb": n_bytes >> 20 for name, n_bytes in rss.items()}
    return {"seconds": round(time.perf_counter() - began, 1), "cpu_seconds": round(sum(cpu_s.values()), 1), **memory}


def follow(pid: int, cpu_s: dict[int, float], rss: dict[str, int], done: threading.Event) -> None:
    """Keep the last processor time of each process, and the largest memory of each kind."""
    while not done.wait(0.2):
        try:
            root = psutil.Process(pid)
            processes = [root, *root.children(recursive=True)]
        except psutil.Error:
            return
        for process in processes:
            try:
                times, memory = process.cpu_times(), process.memory_info().rss
                # A JVM that starts a program is for a moment two, and the copy has the name of a thread.
                kind = "driver" if process.pid == pid else "worker" if "python" in process.name() else "jvm"
            except psutil.Error:
                continue
            cpu_s[process.pid] = times.user + times.system
            rss[kind] = max(rss[kind], memory)


def read_events(logs: list[Path]) -> dict[str, int]:
    """Sum up what Spark's own event logs say of a run."""
    totals = dict.fromkeys(SHUFFLED, 0)
    for log in logs:
        with log.open() as lines:
            for entry in (entry for line in lines for entry in accumulables(line)):
                if entry["Name"] in totals:
                    totals[entry["Name"]] += int(entry["Value"])
    return {"shuffled_bytes": totals[SHUFFLED[0]], "rows_read": totals[SHUFFLED[1]]}


def accumulables(line: str) -> list[dict]:
    """Return a stage's sums, where a line of an event log is of a stage that ended."""
    return json.loads(line)["Stage Info"]["Accumulables"] if '"SparkListenerStageCompleted"' in line else []


def print_fit(lines: list[dict]) -> None:
    """Print, a stage, fixed processor seconds and those of a million pages, and how far the line is off."""
    for stage in STAGES:
        of_stage = [line for line in lines if line["stage"] == stage]
        millions = np.array([line["n_serps"] / 1e6 for line in of_stage])
        for name, unit in (("cpu_seconds", 1), ("shuffled_bytes", 2**20)):
            values = np.array([line[name] / unit for line in of_stage])
            slope, fixed = np.polyfit(millions, values, 1)
            off = float(np.max(np.abs(fixed + slope * millions - values) / np.maximum(values, 1e-9)))
            facts = {"stage": stage, "of": name, "fixed": round(fixed, 1), "per_million": round(slope, 1)}
            print(json.dumps(facts | {"worst_error": round(off, 2)}))


if __name__ == "__main__":
    main()
