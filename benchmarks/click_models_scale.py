"""Seconds and memory of the DBN as the log grows; each size in a fresh process, so that peaks are its own."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import threading
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark_logs import write_giant_query, write_large_log
from click_models_run import family, judge, open_session, read_processes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

GIB = 2**20
"""KiB in one GiB: /proc counts in KiB."""


def measure_sizes(millions: list[float], giant: float | None, folder: Path, repeats: int) -> Iterator[dict[str, Any]]:
    """Yield the figures of each size, then of the giant query, then how the largest compares with the smallest."""
    found: dict[float, dict[str, Any]] = {}
    for size in millions:
        found[size] = measure_log(write_large_log, size, folder, repeats)
        yield {"input": "simulated", **found[size]}
    if giant:
        yield {"input": "one query", **measure_log(write_giant_query, giant, folder, repeats)}
    if len(found) > 1:
        small, large = (found[pick(found)] for pick in (min, max))
        growth = {
            f"{key}_ratio": round(large[key] / small[key], 3) for key in ("first_s_a_million", "best_s_a_million")
        }
        yield {"input": f"{max(found):g} against {min(found):g} million", **growth, "limit": 1.2}


def measure_log(write: Callable[[Path, int], Path], millions: float, folder: Path, repeats: int) -> dict[str, Any]:
    log = folder / "log"
    try:
        apart(write, log, round(millions * 1e6))
        return {"millions": millions, **apart(time_log, log, folder / "judgments", millions, repeats)}
    finally:
        shutil.rmtree(log, ignore_errors=True)


def apart(work: Callable[..., Any], *arguments: Any) -> Any:
    """Call in a new process."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(work, *arguments).result()


def time_log(log: Path, judgments: Path, millions: float, repeats: int) -> dict[str, Any]:
    open_session()
    with Peaks() as peaks:
        times = [judge("dbn", log, judgments) for _ in range(repeats)]
    seconds = [wall for wall, _ in times]
    best, cpu = min(times[1:] or times)
    return {
        "first_s": seconds[0],
        "best_s": best,
        "first_s_a_million": round(seconds[0] / millions, 3),
        "best_s_a_million": round(best / millions, 3),
        "cpu_s_a_million": round(cpu / millions, 3),
        "all_s": seconds,
        **peaks.figures(),
        "load": round(os.getloadavg()[0], 2),
    }


class Peaks:
    """Watches the peak memory of this process, the JVM under it and the Python workers under that."""

    def __init__(self) -> None:
        self.by_process: dict[int, tuple[str, int]] = {}
        self.done = threading.Event()
        self.thread = threading.Thread(target=self.watch, daemon=True)

    def __enter__(self) -> Peaks:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.done.set()
        self.thread.join()

    def watch(self) -> None:
        while not self.done.wait(0.2):
            for pid in family(os.getpid(), read_processes()):
                self.by_process[pid] = peak(pid) or self.by_process.get(pid, ("", 0))

    def figures(self) -> dict[str, float]:
        """Return GiB: of the driver's Python, of the largest worker, and of the JVM."""
        driver = self.by_process.pop(os.getpid())[1]
        jvm = max((size for name, size in self.by_process.values() if name == "java"), default=0)
        worker = max((size for name, size in self.by_process.values() if name != "java"), default=0)
        sizes = {"driver_gib": driver, "worker_gib": worker, "jvm_gib": jvm}
        return {name: round(size / GIB, 2) for name, size in sizes.items()}


def peak(pid: int) -> tuple[str, int] | None:
    """Return a process' name and its peak resident KiB so far, None once it is gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return None
    facts = dict(line.split(":", 1) for line in lines)
    return (facts["Name"].strip(), int(facts["VmHWM"].split()[0])) if "VmHWM" in facts else None
