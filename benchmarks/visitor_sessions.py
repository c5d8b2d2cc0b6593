"""Sessions and robots of a log whose pages name visitors alone: seconds with and without skew, one JSON line a log.

    python benchmarks/visitor_sessions.py
    python benchmarks/visitor_sessions.py --pages 1000000 4000000 --skew 0 0.1

Pages have ten documents. `skew` is the share of one visitor, who never rests; the others search in bursts over 30 days.
`read` counts the pages alone, as ingestion does for a log with sessions; `sessions` makes them beside; `all_rules` has
every rule about robots switched on, too. Each figure is one pass from Parquet to the counts, after one that warms up.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from rankhammer.click_logs import Bounds, VisitorOptions
from rankhammer.click_logs.checks import count_corpora, flag_pages
from rankhammer.click_logs.robots import SUGGESTED, RobotRules
from rankhammer.click_logs.sessions import SessionRules

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

DAYS, SEARCHES_EACH, SHOWN = 30, 20, 10
NO_LIMIT = 1_000_000_000
OFF = RobotRules(user_searches_per_day=None, address_searches_per_day=None)
CASES = {
    "read": VisitorOptions(SessionRules(make="never"), OFF, "salt"),
    "sessions": VisitorOptions(SessionRules(), OFF, "salt"),
    "all_rules": VisitorOptions(SessionRules(), RobotRules(**SUGGESTED), "salt"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=int, nargs="+", default=[1_000_000])
    parser.add_argument("--skew", type=float, nargs="+", default=[0.0, 0.1])
    given = parser.parse_args()
    settings = {"spark.master": "local[2]", "spark.driver.memory": "2g", "spark.ui.enabled": "false"}
    settings |= {"spark.ui.showConsoleProgress": "false"}
    settings |= {"spark.sql.shuffle.partitions": "16", "spark.sql.session.timeZone": "UTC"}
    builder = SparkSession.builder
    for name, value in settings.items():
        builder = builder.config(name, value)
    spark = builder.getOrCreate()
    for n_pages in given.pages:
        for skew in given.skew:
            with TemporaryDirectory() as folder:
                write_log(spark, Path(folder) / "log", n_pages, skew)
                log = spark.read.parquet(str(Path(folder) / "log"))
                print(json.dumps({"benchmark": "visitor_sessions", "pages": n_pages, "skew": skew, **measure(log)}))


def write_log(spark: SparkSession, folder: Path, n_pages: int, skew: float) -> None:
    """Write result pages: their visitors search in bursts, but for one with a share of all."""
    number, n_busy = F.col("id"), int(n_pages * skew)
    start_s = 1_714_521_600
    visitor = F.when(number < n_busy, 0).otherwise(1 + F.floor((number - n_busy) / SEARCHES_EACH))
    burst_s = F.pmod(F.xxhash64(visitor, F.floor(number / 4)), F.lit(DAYS * 86_400))
    at = F.when(number < n_busy, number * F.lit(DAYS * 86_400 / max(1, n_busy))).otherwise(burst_s + number % 4 * 90)
    docs = [F.concat(F.lit("d"), F.pmod(F.xxhash64(number, F.lit(place)), F.lit(100_000))) for place in range(SHOWN)]
    spark.range(n_pages).select(
        F.lit("main").alias("corpus"),
        F.concat(F.lit("p"), number).alias("serp_id"),
        F.lit(None).cast("string").alias("session_id"),
        F.concat(F.lit("query "), F.pmod(F.xxhash64(number), F.lit(50_000))).alias("query"),
        F.timestamp_seconds(F.lit(start_s) + at.cast("bigint")).alias("shown_at"),
        F.array(*docs).alias("doc_ids"),
        F.array(*(F.pmod(F.xxhash64(number, F.lit(-place)), F.lit(9)) == 0 for place in range(SHOWN))).alias("clicked"),
        F.lit(None).cast("string").alias("fault"),
        F.concat(F.lit("user "), visitor).alias("user_id"),
    ).write.parquet(str(folder))


def measure(log: DataFrame) -> dict[str, object]:
    """Return the seconds of each case, and what it counted."""
    found: dict[str, object] = {}
    for name, visitors in CASES.items():
        for _ in range(2):
            begin = time.perf_counter()
            flagged = flag_pages(log, bounds=Bounds(1, NO_LIMIT), visitors=visitors)
            counts = count_corpora(flagged)["main"]
            found[name] = round(time.perf_counter() - begin, 2)
            log.sparkSession.catalog.clearCache()
        found[f"{name}_counts"] = {**counts.sessions, "robots": counts.n_robot_serps}
    return found


if __name__ == "__main__":
    main()
