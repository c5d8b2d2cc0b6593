"""What the JVM is shown while a class-data archive is made: small data through everything that the six stages use.

    python -m rankhammer.spark.class_archive_workload FOLDER CLASS_PATH [JAVA_OPTION ...]

Nothing here is read by anybody; what counts are the classes that Spark loads on the way.
"""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyspark import SparkContext, SparkFiles
from pyspark.sql import Window
from pyspark.sql import functions as F

from rankhammer import spark
from rankhammer.spark import java

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow
    from pyspark.sql import DataFrame, SparkSession

SETTINGS = {
    "spark.master": "local[2]",
    "spark.driver.memory": "1g",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.sql.shuffle.partitions": "4",
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.execution.arrow.pyspark.enabled": "true",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
}
_N_ROWS = 400
_FORMATS: tuple[tuple[str, dict[str, str]], ...] = (
    ("parquet", {"compression": "snappy"}),
    ("json", {}),
    ("csv", {"header": "true"}),
)
_ROW = "corpus string, page string, query string, position long, clicked boolean, shown_at timestamp"
NAMES = (
    "org.apache.hadoop.hdfs.DistributedFileSystem",
    "org.apache.hadoop.yarn.client.api.impl.YarnClientImpl",
    "org.apache.spark.deploy.yarn.ApplicationMaster",
    "org.apache.spark.deploy.yarn.Client",
    "org.apache.spark.deploy.yarn.YarnClusterApplication",
    "org.apache.spark.executor.YarnCoarseGrainedExecutorBackend",
    "org.apache.spark.scheduler.cluster.YarnClientSchedulerBackend",
    "org.apache.spark.scheduler.cluster.YarnClusterManager",
    "org.apache.spark.scheduler.cluster.YarnClusterSchedulerBackend",
)
"""Classes of a run on YARN, which are loaded by name."""


def main(folder: Path, class_path: str, java_options: list[str]) -> None:
    """Run the workload in a session of its own, and wait until its JVM has ended.

    Args:
        folder: Where files are written.
        class_path: Jars to put before Spark's own; empty for none.
        java_options: Of the JVM.
    """
    own = {"spark.driver.extraClassPath": class_path} if class_path else {}
    options = " ".join([java.SHORT_LIVED, *map(shlex.quote, java_options), "-Xlog:disable"])
    spark.configure(lambda: {**SETTINGS, **own, "spark.driver.extraJavaOptions": options})
    session = spark.session()
    run(session, folder)
    load_by_name(SparkContext._jvm)
    gateway: Any = SparkContext._gateway
    session.stop()
    gateway.shutdown()
    gateway.proc.stdin.close()
    gateway.proc.wait()


def run(session: SparkSession, folder: Path) -> None:
    """Take small data through readers, writers, queries and Python workers.

    Args:
        session: A local session.
        folder: Where files are written.
    """
    pages = _pages(session)
    for kind, options in _FORMATS:
        path = str(folder / kind)
        pages.write.mode("overwrite").options(**options).partitionBy("corpus").format(kind).save(path)
        session.read.schema(_ROW).options(**options).format(kind).load(path).where("position > 0").count()
    session.read.parquet(str(folder / "parquet")).schema.json()
    rows = session.read.parquet(str(folder / "parquet"))
    serps = _serps(rows)
    serps.persist()
    facts = _facts(rows, serps).collect()
    session.createDataFrame(facts).toPandas()
    _python(serps).write.mode("overwrite").parquet(str(folder / "python"))
    serps.unpersist()
    _plan_again(session, rows)
    _tasks(session, folder)
    session.catalog.clearCache()


def load_by_name(jvm: Any) -> None:
    """Load what only a run on YARN needs; a class that this Spark lacks is left out."""
    from py4j.protocol import Py4JJavaError

    for name in NAMES:
        try:
            jvm.java.lang.Class.forName(name)
        except Py4JJavaError:
            continue


def _pages(session: SparkSession) -> DataFrame:
    number = F.col("id")
    return session.range(0, _N_ROWS, 1, 4).select(
        F.concat(F.lit("corpus"), number % 2).alias("corpus"),
        F.format_string("page%d", F.floor(number / 5)).alias("page"),
        F.concat_ws(" ", F.lit("some"), F.concat(F.lit("query"), number % 7)).alias("query"),
        (number % 5 + 1).alias("position"),
        (F.pmod(F.xxhash64(number), F.lit(3)) == 0).alias("clicked"),
        F.timestamp_micros(number * 1_000_000).alias("shown_at"),
    )


def _serps(rows: DataFrame) -> DataFrame:
    shown = F.struct("position", F.sha2("query", 256).alias("doc_id"), "clicked")
    gathered = rows.groupBy("corpus", "page", "query").agg(
        F.sort_array(F.collect_list(shown)).alias("shown"),
        F.min("shown_at").alias("shown_at"),
        F.count_if("clicked").alias("n_clicks"),
        F.bool_or("clicked").alias("is_clicked"),
    )
    words = F.array_distinct(F.split(F.regexp_replace(F.trim("query"), r"\s+", " "), " "))
    return gathered.select(
        "*",
        F.transform("shown", lambda one: one["doc_id"]).alias("doc_ids"),
        F.filter("shown", lambda one: one["clicked"]).alias("clicked"),
        F.exists("shown", lambda one: one["position"] > 3).alias("is_long"),
        F.size(words).alias("n_words"),
        F.to_json(F.struct("page", "n_clicks")).alias("json"),
    )


def _facts(rows: DataFrame, serps: DataFrame) -> DataFrame:
    ranked = rows.withColumn("rank", F.row_number().over(Window.partitionBy("corpus", "page").orderBy("position")))
    so_far = Window.partitionBy("corpus").orderBy("page").rowsBetween(Window.unboundedPreceding, -1)
    counted = serps.withColumn("before", F.sum("n_clicks").over(so_far))
    robots = serps.groupBy("corpus").agg(F.count_distinct("page").alias("n"), F.percentile_approx("n_words", 0.5))
    joined = (
        ranked.join(counted.drop("query", "shown_at", "clicked"), ["corpus", "page"], "left")
        .join(F.broadcast(robots), "corpus")
        .join(serps.select("page").where("n_words > 1").distinct(), "page", "left_semi")
        .join(serps.select("page").where("n_words > 9").distinct(), "page", "left_anti")
    )
    exploded = joined.select("*", F.posexplode("doc_ids").alias("at", "doc_id"))
    figures = [F.avg("rank"), F.max("position"), F.sum(F.coalesce("before", F.lit(0))), F.count_distinct("doc_id")]
    first = exploded.groupBy("corpus").agg(*figures)
    return first.unionByName(first).orderBy("corpus").limit(10)


def _plan_again(session: SparkSession, rows: DataFrame) -> None:
    """Load what plans again at each shuffle: conf/prod does, and every session that does not say otherwise."""
    session.conf.set("spark.sql.adaptive.enabled", "true")
    rows.join(_serps(rows).select("page", "doc_ids"), "page").groupBy("corpus").count().collect()
    session.range(10).agg(F.sum("id")).first()
    session.conf.set("spark.sql.adaptive.enabled", "false")


def _python(serps: DataFrame) -> DataFrame:
    narrow = serps.select("corpus", "page", "n_clicks")
    mapped = narrow.mapInArrow(_same, narrow.schema)
    return mapped.groupBy("corpus").applyInArrow(_same_table, narrow.schema).repartition("corpus").sort("page")


def _same(batches: Iterator[pyarrow.RecordBatch]) -> Iterator[pyarrow.RecordBatch]:
    yield from batches


def _same_table(table: pyarrow.Table) -> pyarrow.Table:
    return table


def _tasks(session: SparkSession, folder: Path) -> None:
    context = session.sparkContext
    file = folder / "added.txt"
    file.write_text("added")
    context.addFile(str(file))
    shared = context.broadcast({"a": 1})
    context.parallelize([1, 2], 2).map(lambda one: (shared.value["a"] + one, SparkFiles.get("added.txt"))).collect()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3:])
