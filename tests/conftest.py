"""Shared by all tests: one Spark session for the whole run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rankhammer import spark as spark_provider

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pyspark.sql import SparkSession

SPARK_SETTINGS = {
    "spark.master": "local[2]",
    "spark.app.name": "rankhammer-tests",
    "spark.sql.shuffle.partitions": "2",
    "spark.default.parallelism": "2",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.memory": "1g",
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.execution.arrow.pyspark.enabled": "true",
    "spark.sql.sources.partitionColumnTypeInference.enabled": "false",
}


@pytest.fixture(scope="session")
def spark() -> Iterator[SparkSession]:
    """One local session; tests must not stop it."""
    spark_provider.configure(lambda: SPARK_SETTINGS)
    session = spark_provider.session()
    yield session
    session.stop()
