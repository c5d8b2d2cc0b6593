"""Time `kedro run` on the demo, in a project folder of its own, and print one JSON line.

    python benchmarks/demo_run.py

`seconds` is the wall time of the whole command, the JVM's start included; `stage_seconds` and `driver_python_rss_mb`
come from the run's own run_summary.json. `help_seconds` is the median of five `rankhammer --help`.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
PARTS = ("conf", "src", "pyproject.toml", ".telemetry")


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="rankhammer-bench-") as folder:
        project = Path(folder)
        copy_project(project)
        demo_seconds = seconds(project, "rankhammer", "demo")
        run_seconds = seconds(project, "kedro", "run")
        help_seconds = statistics.median(seconds(project, "rankhammer", "--help") for _ in range(5))
        summary = json.loads((project / "data/08_reporting/run_summary.json").read_text())
    facts = {
        "benchmark": "demo_run",
        "seconds": round(run_seconds, 1),
        "driver_python_rss_mb": summary["driver_peak_rss_mb"],
        "help_seconds": round(help_seconds, 2),
        "demo_seconds": round(demo_seconds, 1),
        "stage_seconds": summary["stage_seconds"],
        "n_cpus": os.cpu_count(),
    }
    print(json.dumps(facts))


def copy_project(project: Path) -> None:
    """Copy what a run reads, without the user's conf/local and data."""
    for part in PARTS:
        source = REPOSITORY / part
        if source.is_dir():
            shutil.copytree(source, project / part, ignore=shutil.ignore_patterns("local", "__pycache__"))
        else:
            shutil.copy(source, project / part)
    (project / "conf" / "local").mkdir()


def seconds(project: Path, *command: str) -> float:
    """Run one command in the project's folder and return its wall seconds; its output goes to stderr."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-m", *command], cwd=project, stdout=sys.stderr, check=True)
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
