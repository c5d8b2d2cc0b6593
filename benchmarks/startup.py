"""Time what starts, in turns against another checkout of this project, and print one JSON line a measure.

    git worktree add /tmp/before HEAD~20 && make -C /tmp/before setup
    python benchmarks/startup.py /tmp/before --pairs 3

Each checkout runs by its own .venv. `session`: a bare session to the first result; `help`: `rankhammer --help`; `run`:
`kedro run` on the demo; `rank`: one query by `rankhammer rank`. Seconds of wall time: median of each side and of the
pairs' ratios, this checkout over the other. `cpu_*`: the same of the seconds of CPU of the command and all that it
starts, which say more than wall time where others use the machine. `slowdown`: of this machine, see
dev/machine_speed.py.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from demo_run import copy_project

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.append(str(REPOSITORY / "dev"))
from machine_speed import N, slowdown  # noqa: E402 - a checkout's own module

SESSION = """
import json
from rankhammer import spark
settings = {"spark.master": "local[2]", "spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1",
            "spark.ui.enabled": "false", "spark.sql.shuffle.partitions": "4",
            "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"}
spark.configure(lambda: settings)
assert spark.session().range(10).selectExpr("sum(id)").first()[0] == 45
"""
MEASURES = {
    "help": ("-m", "rankhammer", "--help"),
    "session": ("-c", SESSION),
    "run": ("-m", "kedro", "run"),
    "rank": ("-m", "rankhammer", "rank", "stdlib", "--query", "read lines from a file", "--json"),
}


PR_SET_CHILD_SUBREAPER = 36
"""See prctl(2): what a command leaves behind becomes a child of this process, and its seconds are counted."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("other", type=Path, help="the other checkout, set up")
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--only", nargs="*", choices=MEASURES, default=list(MEASURES))
    given = parser.parse_args()
    print(json.dumps({"benchmark": "startup", "slowdown": round(slowdown(N), 2)}))
    with tempfile.TemporaryDirectory(prefix="rankhammer-startup-") as folder:
        sides = [project(side, Path(folder, name)) for name, side in (("this", REPOSITORY), ("other", given.other))]
        for measure in given.only:
            print(json.dumps({"measure": measure, **compare(MEASURES[measure], sides, given.pairs)}), flush=True)


def project(checkout: Path, folder: Path) -> tuple[Path, Path]:
    """Make a project folder with the demo of a checkout, and return (its Python, the folder)."""
    folder.mkdir()
    copy_project(folder, checkout)
    python = checkout.absolute() / ".venv" / "bin" / "python"
    # As an installed package is: compiled once.
    subprocess.run([python, "-m", "compileall", "-q", folder / "src"], stdout=sys.stderr, check=True)
    seconds(("-m", "rankhammer", "demo"), python, folder)
    return python, folder


def compare(arguments: tuple[str, ...], sides: list[tuple[Path, Path]], n_pairs: int) -> dict[str, object]:
    """Run a command on both sides, one after the other, and sum up."""
    taken = [[seconds(arguments, *side) for side in sides] for _ in range(n_pairs)]
    found: dict[str, object] = {}
    for place, prefix in enumerate(("", "cpu_")):
        pairs = [(this[place], other[place]) for this, other in taken]
        ratios = [this / other for this, other in pairs]
        found |= {
            f"{prefix}seconds": round(statistics.median(this for this, _ in pairs), 2),
            f"{prefix}other_seconds": round(statistics.median(other for _, other in pairs), 2),
            f"{prefix}ratio": round(statistics.median(ratios), 3),
            f"{prefix}ratios": [round(ratio, 3) for ratio in ratios],
        }
    return found


def seconds(arguments: tuple[str, ...], python: Path, folder: Path) -> tuple[float, float]:
    """Run a Python in a folder, and return its wall seconds and the seconds of CPU of all processes that it started."""
    environ = {**os.environ, "PYTHONPATH": str(folder / "src")}
    before = _cpu_seconds()
    began = time.perf_counter()
    subprocess.run([python, *arguments], cwd=folder, env=environ, stdout=subprocess.DEVNULL, check=True)
    taken = time.perf_counter() - began
    _wait_for_all()
    return taken, _cpu_seconds() - before


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _wait_for_all() -> None:
    """Wait for what the command left, such as a JVM that is ending."""
    while True:
        try:
            os.wait()
        except ChildProcessError:
            return


if __name__ == "__main__":
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    main()
