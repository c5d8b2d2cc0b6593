"""The one Spark session, opened on first use and never before."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from rankhammer.errors import ClusterError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pyspark.sql import SparkSession

MIN_JAVA = 17
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


def java_version(java: str) -> int | None:
    """Return the major version of a java command, or None when it cannot be run.

    Args:
        java: Path or name of the command.
    """
    try:
        answer = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r'version "(?:1\.)?(\d+)', answer.stderr + answer.stdout)
    return int(found.group(1)) if found else None


def _owned_by_launcher(key: str) -> bool:
    return key in ("spark.master", "spark.submit.deployMode") or key.startswith("spark.driver.")


def _prepare_local_launch(settings: Mapping[str, str]) -> None:
    """Check Java and YARN's configuration first: Spark itself would only say JAVA_GATEWAY_EXITED."""
    _require_java()
    master = settings.get("spark.master", "local[*]")
    if master.startswith("yarn") and "HADOOP_CONF_DIR" not in os.environ and "YARN_CONF_DIR" not in os.environ:
        raise ClusterError(
            "spark.master is yarn, but neither HADOOP_CONF_DIR nor YARN_CONF_DIR is set.",
            hint="export HADOOP_CONF_DIR=/etc/hadoop/conf (the folder with yarn-site.xml).",
        )
    if master.startswith("local"):
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)


def _require_java() -> None:
    home = os.environ.get("JAVA_HOME")
    java = str(Path(home, "bin", "java")) if home else shutil.which("java")
    version = java_version(java) if java else None
    if version is None or version < MIN_JAVA:
        raise ClusterError(
            f"Spark needs Java {MIN_JAVA} or newer; found {f'Java {version} at {java}' if version else 'none'}.",
            hint="`make run` brings a Java of its own; or install one and set JAVA_HOME to it.",
            java=java,
        )
