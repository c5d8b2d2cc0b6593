"""What real Spark is asked to do for each case: `python cases.py CASE FOLDER [KEY=VALUE...]` writes an event log."""

from __future__ import annotations

import os
import signal
import sys
import time
import traceback
from contextlib import contextmanager
from pathlib import Path

from pyspark import StorageLevel
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

BASE = {
    "spark.master": "local[2,2]",
    "spark.ui.enabled": "false",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.memory": "700m",
    "spark.sql.shuffle.partitions": "4",
    "spark.eventLog.enabled": "true",
    "spark.eventLog.logStageExecutorMetrics": "true",
    "spark.executor.processTreeMetrics.enabled": "true",
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
}


@contextmanager
def shown():
    """Let what fails end with its traceback in the driver's log, and the case go on."""
    try:
        yield
    except Exception:  # noqa: BLE001 - whatever the case is about
        traceback.print_exc()


def everything(spark: SparkSession) -> None:
    """A bit of all: joins, shuffles, a cached table, a write, retried tasks, a failed job."""
    left = spark.range(20_000).withColumn("k", F.col("id") % 100)
    right = spark.range(100).withColumnRenamed("id", "k")
    joined = left.join(right, "k").groupBy("k").count().cache()
    joined.count()
    joined.orderBy("k").limit(5).collect()
    joined.write.parquet(str(Path(sys.argv[2]).parent / f"table-{os.getpid()}"))
    marks = Path(sys.argv[2]).parent / f"marks-{os.getpid()}"
    marks.mkdir()
    spark.sparkContext.setJobDescription("labeling: judge")
    spark.sparkContext.parallelize(range(8), 4).mapPartitionsWithIndex(
        lambda n, rows: _fail_once(marks, n, n, rows)
    ).count()
    with shown():
        spark.sparkContext.parallelize(range(4), 2).map(lambda x: 1 // (x - 3)).count()
    spark.sparkContext.parallelize([(n % 3, n) for n in range(1000)], 4).reduceByKey(lambda a, b: a + b).collect()


def _fail_once(marks: Path, turn: int, number: int, rows):
    mark = marks / str(number)
    if turn == 1 and not mark.exists():
        mark.touch()
        raise ValueError("the first time")
    return rows


def healthy(spark: SparkSession) -> None:
    """Nothing wrong."""
    spark.range(200_000).groupBy(F.col("id") % 10).count().collect()
    time.sleep(1)


def skew(spark: SparkSession) -> None:
    """A window's rows are nearly all of one key, and each costs time."""
    hot = spark.range(600).select(F.when(F.col("id") < 560, 0).otherwise(F.col("id")).alias("k"), "id")
    slow = hot.repartition(8, "k").rdd.mapPartitions(lambda rows: (_slowly(row) for row in rows))
    slow.count()


def warm_up(spark: SparkSession) -> None:
    """The first task of each process loads something; all of them have the same rows."""
    spark.sparkContext.parallelize(range(800), 8).mapPartitions(_loading_first).count()


def _loading_first(rows):
    if "CASE_IS_LOADED" not in os.environ:
        os.environ["CASE_IS_LOADED"] = "yes"
        time.sleep(8)
    time.sleep(0.3)
    return rows


def retries(spark: SparkSession) -> None:
    """A third of the tasks fails once."""
    marks = Path(sys.argv[2]).parent / f"marks-{os.getpid()}"
    marks.mkdir()
    spark.sparkContext.parallelize(range(12), 12).mapPartitionsWithIndex(
        lambda n, rows: _fail_once(marks, n % 3, n, rows)
    ).count()


def cache(spark: SparkSession) -> None:
    """A cached table is larger than the memory for it, and has no disk to go to."""
    rows = spark.range(0, 2_000_000, 1, 4).select(F.sha2(F.col("id").cast("string"), 512).alias("h"))
    kept = rows.persist(StorageLevel.MEMORY_ONLY)
    kept.count()
    kept.count()


def _slowly(row):
    time.sleep(0.02)
    return row


def results(spark: SparkSession) -> None:
    """More is collected than the driver takes."""
    with shown():
        spark.range(300_000).select(F.sha2(F.col("id").cast("string"), 256)).repartition(8).collect()


def closure(spark: SparkSession) -> None:
    """Each task takes 6 MB of the driver's data along; large functions PySpark broadcasts by itself."""
    spark.sparkContext.parallelize([os.urandom(3_000_000)] * 4, 2).map(len).count()


def python_crash(spark: SparkSession) -> None:
    """Python workers are ended by SIGKILL, as the kernel does it."""
    with shown():
        spark.sparkContext.parallelize(range(4), 2).foreach(lambda _: os.kill(os.getpid(), signal.SIGKILL))


def broadcast(spark: SparkSession) -> None:
    """The table to broadcast takes longer than Spark waits."""
    slow = spark.range(4).repartition(2).rdd.map(lambda row: (_wait(row[0]),)).toDF(["k"])
    with shown():
        spark.range(100).withColumnRenamed("id", "k").join(F.broadcast(slow), "k").count()


def _wait(value: int) -> int:
    time.sleep(6)
    return value


def heap(spark: SparkSession) -> None:
    """Rows of one group need more than the heap; in local mode that ends the driver."""
    with shown():
        spark.range(4).select(F.collect_list(F.repeat(F.col("id").cast("string"), 100_000_000))).collect()


def spill(spark: SparkSession) -> None:
    """A sort has less memory than its rows need."""
    rows = spark.range(8_000_000).select(F.sha2(F.col("id").cast("string"), 256).alias("h"), F.rand(1).alias("r"))
    rows.repartition(2).sortWithinPartitions("r").write.format("noop").mode("overwrite").save()


def explode(spark: SparkSession) -> None:
    """A join on a key that is unique on neither side."""
    one = spark.range(4000).withColumn("k", F.col("id") % 2)
    one.join(one.withColumnRenamed("id", "other"), "k").groupBy().count().collect()


def again(spark: SparkSession) -> None:
    """The same slow work for each of four actions."""
    slow = spark.read.parquet(_table(spark)).rdd.mapPartitions(lambda rows: (_slowly(row) for row in rows))
    for _ in range(4):
        slow.count()


def _table(spark: SparkSession) -> str:
    place = str(Path(sys.argv[2]).parent / f"table-{os.getpid()}")
    spark.range(1200).repartition(2).write.parquet(place)
    return place


def files(spark: SparkSession) -> None:
    """A thousand files of a few bytes."""
    place = str(Path(sys.argv[2]).parent / f"table-{os.getpid()}")
    spark.range(0, 1100, 1, 1100).write.parquet(place)


def barrier(spark: SparkSession) -> None:
    """A barrier stage with more tasks than slots."""
    with shown():
        spark.sparkContext.parallelize(range(8), 8).barrier().mapPartitions(lambda rows: rows).count()


def main() -> None:
    """Open a session, run the case, close it."""
    settings = {**BASE, "spark.eventLog.dir": f"file:{sys.argv[2]}", "spark.app.name": sys.argv[1]}
    settings |= dict(one.split("=", 1) for one in sys.argv[3:])
    builder = SparkSession.builder
    for key, value in settings.items():
        builder = builder.config(key, value)
    spark = builder.getOrCreate()
    globals()[sys.argv[1]](spark)
    # A driver that has run out of memory is gone.
    with shown():
        spark.stop()


if __name__ == "__main__":
    main()
