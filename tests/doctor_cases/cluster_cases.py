"""What real Spark is asked to do on the development cluster: `python cluster_cases.py CASE [KEY=VALUE...]`.

The driver runs here, executors in containers of YARN; the event log goes to the cluster's HDFS. Prints the
application's id.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pyspark
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

BASE = {
    "spark.master": "yarn",
    "spark.submit.deployMode": "client",
    # Both nodes are this machine: nothing has to travel.
    "spark.yarn.jars": f"local:{Path(pyspark.__file__).parent}/jars/*",
    "spark.ui.enabled": "false",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.memory": "512m",
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
    "spark.executor.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
    "spark.yarn.am.memory": "512m",
    "spark.yarn.am.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
    "spark.executor.instances": "2",
    "spark.executor.cores": "1",
    "spark.executor.memory": "512m",
    "spark.executor.memoryOverhead": "384m",
    "spark.scheduler.minRegisteredResourcesRatio": "1.0",
    "spark.sql.shuffle.partitions": "4",
    "spark.eventLog.enabled": "true",
    "spark.eventLog.dir": "hdfs:///spark-history",
    "spark.eventLog.logStageExecutorMetrics": "true",
    "spark.executor.processTreeMetrics.enabled": "true",
    "spark.executorEnv.SPARK_LOCAL_IP": "127.0.0.1",
    "spark.yarn.appMasterEnv.SPARK_LOCAL_IP": "127.0.0.1",
}
EXECUTOR = "org.apache.spark.executor.YarnCoarseGrainedExecutorBackend"


def healthy(spark: SparkSession) -> None:
    """Nothing wrong: a shuffle, and Python workers."""
    spark.range(200_000).groupBy(F.col("id") % 10).count().collect()
    spark.sparkContext.parallelize(range(8), 4).map(_sleep(0.2)).count()


def native(spark: SparkSession) -> None:
    """A Python worker takes memory that is no part of the heap; enough of it, and YARN kills the container."""
    size = int(spark.conf.get("spark.case.mb", "900")) << 20
    with suppress(Exception):
        spark.sparkContext.parallelize(range(2), 2).foreach(lambda _: _hold(size, 12))


def _hold(size: int, seconds: float) -> None:
    held = b"x" * size
    time.sleep(seconds)
    assert len(held) == size


def heap(spark: SparkSession) -> None:
    """Rows of one group need more than an executor's heap."""
    with suppress(Exception):
        # By the row's number: what is the same for each row the driver computes, before any task.
        text = F.repeat(F.col("id").cast("string"), 10_000_000)
        spark.range(64).groupBy(F.lit(1)).agg(F.collect_list(text).alias("all")).select(F.size("all")).collect()


def lost(spark: SparkSession) -> None:
    """An executor is killed in the middle of its work; its tasks run again elsewhere."""
    threading.Timer(4, lambda: os.kill(executors(spark)[0], signal.SIGKILL)).start()
    spark.sparkContext.parallelize(range(4), 4).map(_sleep(6)).count()


def fetch(spark: SparkSession) -> None:
    """The shuffle files of one executor vanish, as those of a broken disk do."""
    shuffled = spark.sparkContext.parallelize([(n % 7, n) for n in range(200)], 4).reduceByKey(lambda a, b: a + b, 4)
    shuffled.count()
    place = next(_local_folders(spark))
    for file in place.glob("*/shuffle_*"):
        file.unlink()
    shuffled.mapValues(str).count()


def _local_folders(spark: SparkSession):
    home = Path(os.environ["HADOOP_CONF_DIR"]).parent
    return home.glob(f"nm*/local/usercache/*/appcache/{spark.sparkContext.applicationId}/blockmgr-*")


def hold(spark: SparkSession) -> None:
    """Has the whole cluster for a while."""
    sys.stdout.write("holding\n")
    sys.stdout.flush()
    time.sleep(float(spark.conf.get("spark.case.seconds", "75")))


def little(spark: SparkSession) -> None:
    """A small job; what it waits for counts."""
    spark.range(100).repartition(2).groupBy(F.col("id") % 2).count().collect()


def write(spark: SparkSession) -> None:
    """Many small files to a place."""
    n = int(spark.conf.get("spark.case.files", "400"))
    spark.range(n).repartition(4).write.option("maxRecordsPerFile", 1).parquet(spark.conf.get("spark.case.path"))


def read(spark: SparkSession) -> None:
    """Read a table, whether its blocks are there or not."""
    with suppress(Exception):
        spark.read.schema("id long").parquet(spark.conf.get("spark.case.path")).groupBy().sum("id").collect()


def benign(spark: SparkSession) -> None:
    """Idle executors go while a slow task runs."""
    spark.sparkContext.parallelize(range(6), 6).mapPartitionsWithIndex(_slow_once).count()
    time.sleep(8)
    spark.range(100).count()


def _slow_once(number: int, rows):
    from pyspark import TaskContext

    is_first = TaskContext.get().attemptNumber() == 0
    time.sleep(15 if number == 5 and is_first else 0.5)
    return rows


def work(spark: SparkSession) -> None:
    """Two stages of tasks that take their time whatever the machine does: for estimates by number of executors."""
    done = spark.sparkContext.parallelize(range(36), 36).map(lambda n: (n % 12, _sleep(0.5 + (n % 5) * 0.25)(n)))
    done.groupByKey(12).map(_sleep(1)).count()


def _sleep(seconds: float):
    def slept(row):
        time.sleep(seconds)
        return row

    return slept


def executors(spark: SparkSession) -> list[int]:
    """Return the processes of this application's executors."""
    application = spark.sparkContext.applicationId
    return [
        process.pid
        for process in psutil.process_iter(["cmdline"])
        if (line := process.info["cmdline"] or [""])[0].endswith("java") and EXECUTOR in line and application in line
    ]


def main() -> None:
    """Open a session, run the case, close it."""
    settings = BASE | dict(one.split("=", 1) for one in sys.argv[2:])
    builder = SparkSession.builder.appName(sys.argv[1])
    for key, value in settings.items():
        builder = builder.config(key, value)
    spark = builder.getOrCreate()
    sys.stdout.write(f"application: {spark.sparkContext.applicationId}\n")
    sys.stdout.flush()
    globals()[sys.argv[1]](spark)
    spark.stop()


if __name__ == "__main__":
    main()
