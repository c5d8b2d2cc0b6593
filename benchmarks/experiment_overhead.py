"""What an experiment costs beside YARN's own start: a function that does nothing, against an empty job of spark-submit.

    . .cluster/env.sh                       # a cluster: `make cluster-up`
    python benchmarks/experiment_overhead.py --pairs 5

In turns, in the project folder that this is started in, and with the same Python, jars, sizes and cluster: `rankhammer
experiment run` of one role with one instance, and `spark-submit --deploy-mode cluster` of a job with one task in one
executor. A first turn of each fills what is cached, and is not counted. Prints one JSON line: medians of seconds of
wall time from the command's start to its end, and of the pairs' differences, which are the overhead.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pyspark

from rankhammer.experiments.on_yarn import role_settings
from rankhammer.experiments.roles import Role, read_experiment
from rankhammer.yarn.submission import write_properties

NOTHING = "def nothing(context):\n    pass\n"
JOB = "from pyspark.sql import SparkSession\n\nSparkSession.builder.getOrCreate().range(1).count()\n"
RANKHAMMER = (sys.executable, "-m", "rankhammer")
NOT_PLAIN = ("spark.yarn.tags", "spark.yarn.submit.waitAppCompletion", "spark.submit.deployMode", "spark.eventLog.dir")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--env", default="prod")
    parser.add_argument("--pairs", type=int, default=5)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        commands = {
            "experiment": experiment(Path(folder), given.env),
            "spark_submit": spark_submit(Path(folder), given.env),
        }
        for command in commands.values():
            seconds(command)
        found = [{name: seconds(command) for name, command in commands.items()} for _ in range(given.pairs)]
    overhead = [pair["experiment"] - pair["spark_submit"] for pair in found]
    medians = {name: round(statistics.median(pair[name] for pair in found), 1) for name in commands}
    print(
        json.dumps(
            {
                "benchmark": "experiment_overhead",
                "pairs": given.pairs,
                **medians,
                "overhead": round(statistics.median(overhead), 1),
                "least": round(min(overhead), 1),
                "most": round(max(overhead), 1),
            }
        )
    )


def experiment(folder: Path, env: str) -> list[str]:
    """Return the command of an experiment that does nothing."""
    (folder / "nothing.py").write_text(NOTHING)
    return [*RANKHAMMER, "experiment", "run", f"{folder}/nothing.py:nothing", f"--env={env}"]


def spark_submit(folder: Path, env: str) -> list[str]:
    """Return the command of a job with one task, with the files and settings of a submission of this project."""
    dry = [*RANKHAMMER, "submit", f"--env={env}", "--pipeline=ingestion", "--dry-run"]
    shown = subprocess.run(dry, stdout=subprocess.PIPE, check=True, text=True).stdout.partition("PROPERTIES:\n")[2]
    keys = dict(line.split(" ", 1) for line in shown.splitlines() if " " in line)
    sizes = role_settings(read_experiment({"function": "nothing.py:nothing"}), Role())
    keys = {key: value for key, value in {**keys, **sizes}.items() if key not in NOT_PLAIN}
    write_properties({**keys, "spark.eventLog.enabled": "false"}, folder / "properties")
    (folder / "job.py").write_text(JOB)
    command = str(Path(pyspark.__file__).parent / "bin" / "spark-submit")
    how = ["--master", "yarn", "--deploy-mode", "cluster", "--properties-file", f"{folder}/properties"]
    return [command, *how, f"{folder}/job.py"]


def seconds(command: list[str]) -> float:
    """Return the wall time of a command."""
    environ = {**os.environ, "PYSPARK_PYTHON": sys.executable}
    began = time.monotonic()
    done = subprocess.run(
        command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(command[:6])} ... ended with {done.returncode}:\n{done.stdout[-3000:]}")
    return time.monotonic() - began


if __name__ == "__main__":
    main()
