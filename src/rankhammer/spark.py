"""The one Spark session, opened on first use and never before."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from rankhammer import java
from rankhammer.errors import ClusterError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pyspark.sql import SparkSession

_settings: Callable[[], Mapping[str, object]] = dict


def configure(settings: Callable[[], Mapping[str, object]]) -> None:
    """Say where the session's settings come from; nothing is read until the session is opened.

    Args:
        settings: Returns flat Spark keys to values, as in conf/<env>/spark.yml.
    """
    global _settings  # noqa: PLW0603 - one session a process, so one source of its settings
    _settings = settings


def session() -> SparkSession:
    """Open the session, or return the one that is open.

    Under spark-submit, keys that the launcher owns (master, deploy mode, driver) are left to its flags.

    Returns:
        The process's only Spark session.

    Raises:
        ClusterError: Java is missing or older than 17, or YARN is asked for without HADOOP_CONF_DIR.
    """
    from pyspark.sql import SparkSession

    active = SparkSession.getActiveSession()
    if active is not None:
        return active
    submitted = "PYSPARK_GATEWAY_PORT" in os.environ
    settings = {key: str(value) for key, value in _settings().items()}
    if submitted:
        settings = {key: value for key, value in settings.items() if not _owned_by_launcher(key)}
    else:
        _prepare_local_launch(settings)
    builder = SparkSession.builder
    for key, value in settings.items():
        builder = builder.config(key, value)
    opened = builder.getOrCreate()
    opened.sparkContext.setLogLevel(settings.get("spark.log.level", "ERROR"))
    return opened


def clear_cache() -> None:
    """Free every persisted frame; does not open a session that nobody needed."""
    active = active_session()
    if active is not None:
        active.catalog.clearCache()


def active_session() -> SparkSession | None:
    """Return the open session, or None; never imports Spark where nothing has done so yet."""
    if "pyspark.sql" not in sys.modules:
        return None
    from pyspark.sql import SparkSession

    return SparkSession.getActiveSession()


def _owned_by_launcher(key: str) -> bool:
    return key in ("spark.master", "spark.submit.deployMode") or key.startswith("spark.driver.")


def _prepare_local_launch(settings: Mapping[str, str]) -> None:
    """Check Java and YARN's configuration first: Spark itself would only say JAVA_GATEWAY_EXITED."""
    java.provide()
    master = settings.get("spark.master", "local[*]")
    if master.startswith("yarn") and "HADOOP_CONF_DIR" not in os.environ and "YARN_CONF_DIR" not in os.environ:
        raise ClusterError(
            "spark.master is yarn, but neither HADOOP_CONF_DIR nor YARN_CONF_DIR is set.",
            hint="export HADOOP_CONF_DIR=/etc/hadoop/conf (the folder with yarn-site.xml).",
        )
    if master.startswith("local"):
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
