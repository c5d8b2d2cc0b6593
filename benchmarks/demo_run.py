"""Time `kedro run` on the demo, in a project folder of its own, and print one JSON line.

    python benchmarks/demo_run.py

`seconds` is the wall time of the whole command, the JVM's start included; `stage_seconds` and `driver_python_rss_mb`
come from the run's own run_summary.json. `spark` is what the run asked of Spark, stage by stage; a table of its nodes
goes to the terminal. `help_seconds` is the median of five `rankhammer --help`.
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

from spark_counts import Watched, by_stage, plain, show, total

REPOSITORY = Path(__file__).resolve().parents[1]
PARTS = ("conf", "src", "pyproject.toml", ".telemetry")


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="rankhammer-bench-") as folder:
        project = Path(folder)
        copy_project(project)
        watched = Watched(project / "watched")
        (project / "conf/local/spark.yml").write_text(watched.settings())
        demo_seconds = seconds(project, "rankhammer", "demo")
        run_seconds = seconds(project, "kedro", "run", **watched.environment())
        help_seconds = statistics.median(seconds(project, "rankhammer", "--help") for _ in range(5))
        summary = json.loads((project / "data/08_reporting/run_summary.json").read_text())
        of_nodes = watched.counts()
    show(of_nodes)
    facts = {
        "benchmark": "demo_run",
        "seconds": round(run_seconds, 1),
        "driver_python_rss_mb": summary["driver_peak_rss_mb"],
        "help_seconds": round(help_seconds, 2),
        "demo_seconds": round(demo_seconds, 1),
        "stage_seconds": summary["stage_seconds"],
        "spark": plain(by_stage(of_nodes) | {"all": total(of_nodes)}),
        "n_cpus": os.cpu_count(),
    }
    print(json.dumps(facts))


def copy_project(project: Path, checkout: Path = REPOSITORY) -> None:
    """Copy what a run reads from a checkout, without the user's conf/local and data."""
    for part in PARTS:
        source = checkout / part
        if source.is_dir():
            shutil.copytree(source, project / part, ignore=shutil.ignore_patterns("local", "__pycache__"))
        else:
            shutil.copy(source, project / part)
    (project / "conf" / "local").mkdir()


def seconds(project: Path, *command: str, **environment: str) -> float:
    """Run one command in the project's folder and return its wall seconds; its output goes to stderr."""
    began = time.perf_counter()
    variables = {**os.environ, **environment}
    subprocess.run([sys.executable, "-m", *command], cwd=project, env=variables, stdout=sys.stderr, check=True)
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
