"""The dashboard on many result rows: loads by a loop and by a real browser, readers at once, and memory.

    python benchmarks/dashboard.py --rows 1000000 --loads 200 --readers 20 --browser

Prints one JSON line. Seconds are of this machine and what else it does; `control_ms` is the same loop on a page without
results, so that a loaded machine is seen.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import parquet

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "src"), str(ROOT)]

from tests.support.run_results import add_run, make_results  # noqa: E402

from rankhammer.dashboard import server  # noqa: E402
from rankhammer.dashboard.access import open_access  # noqa: E402
from rankhammer.dashboard.results import TABLES  # noqa: E402

SYSTEMS, METRICS, TRUTHS = (
    ("logged", "baseline", "ranker", "oracle"),
    ("ndcg@1", "ndcg@3", "ndcg@5", "ndcg@10"),
    ("clicks", "reference"),
)
CORPORA = ("main", "shop_de", "shop_fr")
BLOCK = 1_000_000


def write_rows(folder: Path, n_rows: int, n_runs: int, corpora: tuple[str, ...] = CORPORA) -> dict[str, str]:
    """Write a history, and one run with an evaluation of about n_rows rows."""
    places = make_results(folder, corpora=corpora)
    for number in range(2, n_runs):
        add_run(
            folder,
            corpora=corpora,
            id=f"run-{number}",
            ended=f"2026-{1 + number % 12:02}-{1 + number % 28:02}T10:00:00+00:00",
        )
    per_query = len(SYSTEMS) * len(METRICS) * len(TRUTHS)
    n_queries = n_rows // per_query
    place = folder / "evaluation"
    shutil.rmtree(place)
    place.mkdir()
    drawn, files = np.random.default_rng(1), {}
    kinds = np.indices((len(METRICS), len(TRUTHS), len(SYSTEMS))).reshape(3, -1)
    for number, start in enumerate(range(0, n_queries, BLOCK // per_query)):
        ids = np.arange(start, min(n_queries, start + BLOCK // per_query))
        n, each = len(ids), np.repeat(np.arange(len(ids)), per_query)
        names = zip(("metric", "truth", "system"), (METRICS, TRUTHS, SYSTEMS), kinds, strict=True)
        columns = {
            "corpus": pa.array(corpora).take(pa.array(np.repeat(ids % len(corpora), per_query))),
            **{name: pa.array(values).take(pa.array(np.tile(places_of, n))) for name, values, places_of in names},
            "query": pa.array([f"query number {k}" for k in ids]).take(pa.array(each)),
            "query_cluster_id": pa.array([f"{k:016x}" for k in ids]).take(pa.array(each)),
            "value": pa.array(drawn.random(n * per_query)),
        }
        file = place / f"part-{number:05}.parquet"
        parquet.write_table(pa.table(columns), file, compression="snappy")
        files[file.name] = {"bytes": file.stat().st_size}
    (place / "_fingerprint.json").write_text(json.dumps({"format": 2, "digest": str(n_rows), "files": files}))
    return places


class Reader:
    """Somebody who is signed in."""

    def __init__(self, address: str, token: str) -> None:
        self.address = address.rstrip("/")
        self.opened = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
        self.opened.open(f"{self.address}/login", f"token={token}".encode()).read()

    def load(self, path: str) -> float:
        began = time.perf_counter()
        answer = self.opened.open(self.address + path)
        answer.read()
        return time.perf_counter() - began


def memory_mb(pid: int, name: str = "VmHWM") -> float:
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) / 1024


def cpu_s(pid: int) -> float:
    """Return the CPU seconds that a process has taken: they say what a page costs, whatever else the machine does."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def p95_ms(seconds: list[float]) -> float:
    return round(1000 * float(np.percentile(seconds, 95)), 1)


def measure(
    reader: Reader, token: str, pid: int, *, loads: int, readers: int, corpora: tuple[str, ...]
) -> dict[str, Any]:
    pages = ["/", "/runs/1", "/runs/1/trials", "/runs/1/queries?corpus=main", "/runs/1/features", "/cost"]
    first = {path: round(1000 * reader.load(path), 1) for path in pages}
    before = cpu_s(pid)
    again = [reader.load(pages[k % len(pages)]) for k in range(loads)]
    cpu_again, before = cpu_s(pid) - before, cpu_s(pid)
    n = len(corpora)
    new = [reader.load(f"/runs/1/queries?corpus={corpora[k % n]}&against=baseline&part=number+{k}") for k in range(12)]
    new += [reader.load(f"/runs/1/query?corpus={corpora[k % n]}&query=query+number+{k}") for k in range(12)]
    cpu_new = cpu_s(pid) - before
    together = at_once(reader.address, token, pages, readers, max(1, loads // readers))
    control = [reader.load("/login") for _ in range(50)]
    return {
        "first_ms": first,
        "p95_ms": p95_ms(again),
        "cpu_ms_per_load": round(1000 * cpu_again / loads, 1),
        "new_question_p95_ms": p95_ms(new),
        "cpu_ms_per_new_question": round(1000 * cpu_new / len(new), 1),
        "control_ms": round(1000 * statistics.median(control), 1),
        f"p95_ms_of_{readers}_at_once": p95_ms(together),
    }


def at_once(address: str, token: str, pages: list[str], readers: int, each: int) -> list[float]:
    everybody = [Reader(address, token) for _ in range(readers)]
    found: list[float] = []

    def read(reader: Reader, start: int) -> None:
        found.extend(reader.load(pages[(start + k) % len(pages)]) for k in range(each))

    threads = [threading.Thread(target=read, args=(reader, place)) for place, reader in enumerate(everybody)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def by_browser(address: str, token: str, loads: int) -> dict[str, float]:
    from playwright.sync_api import sync_playwright

    drawn = "document.querySelectorAll('figure[data-plot]').length === document.querySelectorAll('[data-drawn]').length"
    seconds = []
    with sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = opened.new_page()
        page.goto(f"{address}login")
        page.fill("#token", token)
        page.click("main button")
        page.wait_for_selector("figure[data-drawn]")
        for _ in range(loads):
            began = time.perf_counter()
            page.goto(address)
            page.wait_for_function(drawn)
            seconds.append(time.perf_counter() - began)
        opened.close()
    return {
        "browser_loads": loads,
        "browser_p95_ms": p95_ms(seconds),
        "browser_median_ms": round(1000 * statistics.median(seconds), 1),
    }


def main() -> None:
    given = argparse.ArgumentParser()
    given.add_argument("--rows", type=int, default=1_000_000)
    given.add_argument("--runs", type=int, default=300)
    given.add_argument("--loads", type=int, default=200)
    given.add_argument("--readers", type=int, default=20)
    given.add_argument("--corpora", type=int, default=len(CORPORA), help="1: all rows are of one")
    given.add_argument("--browser", action="store_true")
    asked = given.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "results").mkdir()
        corpora = CORPORA[: asked.corpora]
        places = write_rows(folder / "results", asked.rows, asked.runs, corpora)
        access = folder / "access.json"
        _, token = open_access(access)
        settings = server.Served(places, str(access), {"port": 0}, "benchmark")
        command = server.start(settings)
        process = subprocess.Popen(
            command, env=server.surroundings(), pass_fds=[int(command[-1])], stderr=subprocess.PIPE, text=True
        )
        try:
            address = str(process.stderr and process.stderr.readline()).split()[-1]
            reader = Reader(address, token)
            about = {"loads": asked.loads, "readers": asked.readers, "corpora": corpora}
            found = measure(reader, token, process.pid, **about)
            if asked.browser:
                found |= by_browser(address, token, asked.loads)
            rows = sum(parquet.read_metadata(file).num_rows for file in Path(places[TABLES[0]]).glob("*.parquet"))
            size = {
                "rows": rows,
                "runs": asked.runs,
                "corpora": len(corpora),
                "peak_rss_mb": round(memory_mb(process.pid), 1),
            }
            print(json.dumps({"benchmark": "dashboard", **size, **found}))
        finally:
            process.terminate()
            process.wait(20)


if __name__ == "__main__":
    main()
