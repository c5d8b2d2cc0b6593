"""What a part of a log costs after the parts before it: seconds, and CPU seconds of Python and the JVM, one JSON line.

    python benchmarks/days.py
    python benchmarks/days.py --parts 13 --pages 200000

Each of `parts` folders stands for a month of a year and one more (a folder is a day to the program). Pages have ten
documents as flat impressions with session ids. `before` ingests and counts all parts but the last, `added` the last one
after them, `at_once` all parts again from nothing; each up to the write of serps and counted_serps. `same` says that
the counts of `added` and `at_once` are the same to the last byte.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
import yaml
from pyspark.sql import functions as F

from rankhammer import spark
from rankhammer.datasets import DayStoreDataset, LogDataset, TableDataset
from rankhammer.pipelines.ingestion.nodes import ingest
from rankhammer.pipelines.ingestion.params import IngestionParams
from rankhammer.pipelines.labeling.nodes import count_serps

SHOWN, N_QUERIES, N_DOCS = 10, 20_000, 200_000
FIRST = date(2024, 1, 1)
ROOT = Path(__file__).parents[1]
SETTINGS = {
    "spark.master": "local[2]", "spark.driver.memory": "2g", "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false", "spark.sql.shuffle.partitions": "8", "spark.sql.session.timeZone": "UTC",
    "spark.sql.execution.arrow.pyspark.enabled": "true",
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", type=int, default=13)
    parser.add_argument("--pages", type=int, default=100_000, help="of each part")
    given = parser.parse_args()
    spark.configure(lambda: SETTINGS)
    with TemporaryDirectory() as name:
        folder = Path(name)
        for number in range(given.parts):
            write_part(folder / "log", number, given.pages)
        last = folder / "log" / f"date={FIRST + timedelta(days=given.parts - 1)}"
        last.rename(folder / "last")
        run(folder, "warm up")
        found = {"before": run(folder, "one by one")}
        (folder / "last").rename(last)
        found |= {"added": run(folder, "one by one"), "at_once": run(folder, "at once")}
        same = rows(folder / "one by one") == rows(folder / "at once")
    print(json.dumps({"benchmark": "days", "parts": given.parts, "pages": given.pages, **found, "same": same}))


def write_part(root: Path, number: int, n_pages: int) -> None:
    """Write one part: few queries have most pages, clicks fall from the top down."""
    session = spark.session()
    pages = session.range(n_pages).withColumn("page", F.col("id") + number * n_pages)
    draw = F.pow(F.rand(number), F.lit(3))
    pages = pages.withColumns(
        {
            "query": F.concat(F.lit("query "), F.floor(draw * N_QUERIES).cast("string")),
            "shown_at": F.timestamp_seconds(
                F.lit((FIRST - date(1970, 1, 1)).days * 86_400 + number * 86_400) + F.floor(F.rand(number + 1) * 86_400)
            ),
        }
    )
    shown = pages.select("*", F.posexplode(F.sequence(F.lit(1), F.lit(SHOWN))).alias("place", "position"))
    rows_of = shown.select(
        F.col("page").cast("string").alias("serp_id"),
        F.concat(F.lit("s"), (F.col("page") / 4).cast("long").cast("string")).alias("session_id"),
        "query",
        "shown_at",
        F.pmod(F.xxhash64("query", "position"), F.lit(N_DOCS)).cast("string").alias("doc_id"),
        "position",
        (F.rand(number + 2) < 0.4 / F.col("position")).alias("clicked"),
    )
    rows_of.write.parquet(str(root / f"date={FIRST + timedelta(days=number)}"))


def run(folder: Path, name: str) -> dict[str, float]:
    """Ingest and count what there is; return what it took, and how many parts were ingested."""
    values = yaml.safe_load((ROOT / "conf/base/parameters/ingestion.yml").read_text())["ingestion"]
    values |= {"reader": {"name": "impressions", "options": {}}}
    values["sessions"]["max_late_days"] = 0
    log = LogDataset(filepath=f"{folder}/log/date={{date}}")
    store = DayStoreDataset(filepath=f"{folder}/{name}/days").load()
    started, used = time.monotonic(), cpu_s()
    serps, _, _, _, days = ingest(log.load(), IngestionParams.model_validate(values), "english", None, store)
    TableDataset(filepath=f"{folder}/{name}/serps").save(serps)
    TableDataset(filepath=f"{folder}/{name}/counted").save(count_serps(serps, days, store, "clusters"))
    return {
        "s": round(time.monotonic() - started, 1),
        "cpu_s": round(cpu_s() - used, 1),
        "n_ingested": days["n_ingested"],
    }


def cpu_s() -> float:
    """CPU seconds of this process and all below it so far."""
    processes = [psutil.Process(os.getpid()), *psutil.Process(os.getpid()).children(recursive=True)]
    times = [process.cpu_times() for process in processes]
    return sum(one.user + one.system + one.children_user + one.children_system for one in times)


def rows(folder: Path) -> list[object]:
    counted = spark.session().read.parquet(str(folder / "counted"))
    return sorted(map(tuple, counted.select("corpus", "query_cluster_id", F.xxhash64(*counted.columns)).collect()))


if __name__ == "__main__":
    main()
