"""The one Spark session, opened on first use and never before."""

from __future__ import annotations

import logging
import os
import sys
import threading
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rankhammer import java
from rankhammer.errors import ClusterError, RankhammerError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pyspark.sql import SparkSession

FLAGS_KEY = "spark.rankhammer.flags"
"""Names the keys that `rankhammer submit` was given on its command line: they win over spark.yml."""
_HADOOP_PREFIX = "spark.hadoop."
_READ_AT_LAUNCH = ("spark.jars", "spark.files", "spark.archives", "spark.submit.pyFiles")
"""The launcher takes these when the JVM starts, patterns in them too; set once more, they would be taken literally."""

LOG_SETTINGS = Path(__file__).with_name("log4j2.properties")
_settings: Callable[[], Mapping[str, object]] = dict
_more: Callable[[], Mapping[str, str]] = dict
_ready: Callable[[SparkSession], None] | None = None
_opened: SparkSession | None = None
_opening = threading.RLock()
_is_wanted_early = False
logger = logging.getLogger(__name__)


def configure(
    settings: Callable[[], Mapping[str, object]],
    more: Callable[[], Mapping[str, str]] = dict,
    ready: Callable[[SparkSession], None] | None = None,
) -> None:
    """Say where the session's settings come from; nothing is read until the session is opened.

    Args:
        settings: Returns flat Spark keys to values, as in conf/<env>/spark.yml.
        more: Returns what is worked out when the session is opened, such as its share of a cluster. It may open
            filesystems, and its keys give way to those of `settings`.
        ready: Called with the session that was opened, before anybody gets it.
    """
    global _settings, _more, _ready
    _settings, _more, _ready = settings, more, ready


def want_early() -> None:
    """Let `open_early` open the session: this process is a run, and no command that may do without."""
    global _is_wanted_early  # noqa: PLW0603 - one session a process
    _is_wanted_early = True


def open_early() -> None:
    """Open the session in the background, where it is wanted: a run imports a lot while the JVM starts."""
    global _settings  # noqa: PLW0603 - one session a process
    if _is_wanted_early:
        # Two threads that import it at once can each wait for the other's half, which Python ends with an ImportError.
        import_module("pyspark.sql")
        values = dict(_settings())
        _settings = lambda: values  # noqa: E731 - read here, because a configuration loader is not made for threads
        threading.Thread(target=_open_quietly, name="spark-start", daemon=True).start()


def session() -> SparkSession:
    """Open the session, or return the one that is open.

    Under spark-submit, keys that the launcher owns (master, deploy mode, driver) are left to its flags.

    Returns:
        The process's only Spark session.

    Raises:
        ClusterError: Java is missing or older than 17, or YARN is asked for without HADOOP_CONF_DIR.
    """
    with _opening:
        return active_session() or _open()


def hadoop() -> tuple[Any, Any]:
    """Return the JVM and the Hadoop configuration by which filesystems are opened.

    Where no session is open, a JVM alone is started, which takes a second and nothing of the cluster; a session that is
    opened later runs in it.

    Raises:
        ClusterError: As `session`.
    """
    from pyspark import SparkContext

    with _opening:
        active = active_session()
        if active is not None:
            return SparkContext._jvm, active._jsparkSession.sessionState().newHadoopConf()
        settings = _start_jvm()
        jvm: Any = SparkContext._jvm
        conf = jvm.org.apache.hadoop.conf.Configuration()
        for key, value in settings.items():
            if key.startswith(_HADOOP_PREFIX):
                conf.set(key.removeprefix(_HADOOP_PREFIX), value)
        return jvm, conf


def _open() -> SparkSession:
    global _opened  # noqa: PLW0603 - one session a process
    from pyspark.sql import SparkSession

    settings = _start_jvm()
    builder = SparkSession.builder
    if not is_submitted():
        settings = {**_more(), **settings}
    for key, value in settings.items():
        if key not in _READ_AT_LAUNCH:
            builder = builder.config(key, value)
    if settings.get("spark.master", "").startswith("yarn"):
        # The launcher has handed them to YARN, and put them on the driver's class path.
        builder = builder.config("spark.jars", "")
    opened = builder.getOrCreate()
    opened.sparkContext.setLogLevel(settings.get("spark.log.level", "ERROR"))
    if _ready is not None:
        _ready(opened)
    _opened = opened
    return opened


def _start_jvm() -> dict[str, str]:
    """Start the JVM that the session runs in, unless there is one; return the settings it was started with."""
    from pyspark import SparkConf, SparkContext

    settings = effective_settings(_settings(), submitted=is_submitted())
    if not is_submitted():
        _prepare_local_launch(settings)
        settings["spark.driver.extraJavaOptions"] = _quiet(settings.get("spark.driver.extraJavaOptions", ""))
    SparkContext._ensure_initialized(conf=SparkConf(loadDefaults=False).setAll(list(settings.items())))
    flags = SparkConf().get(FLAGS_KEY, "") if is_submitted() else ""
    return {key: value for key, value in settings.items() if key not in (flags or "").split(",")}


def effective_settings(settings: Mapping[str, object], *, submitted: bool) -> dict[str, str]:
    """Return what the session is built with.

    Args:
        settings: Flat Spark keys; null takes a setting of conf/base back.
        submitted: Whether spark-submit started this process: its flags own master, deploy mode and driver.
    """
    given = {key: str(value) for key, value in settings.items() if value is not None}
    return {key: value for key, value in given.items() if not (submitted and _owned_by_launcher(key))}


def _open_quietly() -> None:
    """Open the session; whoever needs it asks again, and is told what is wrong."""
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException

    try:
        session()
    except (RankhammerError, PySparkException, Py4JError, OSError):
        logger.debug("Spark could not be started early", exc_info=True)


def clear_cache() -> None:
    """Free every persisted frame; does not open a session that nobody needed."""
    active = active_session()
    if active is not None:
        active.catalog.clearCache()


def active_session() -> SparkSession | None:
    """Return the session that `session` opened, from whichever thread asks, or None."""
    alive = _opened is not None and _opened.sparkContext._jsc is not None
    return _opened if alive else None


def session_folder(name: str) -> Path:
    """Return a folder on the driver's disk for files that workers fetch, made where it is not there.

    The JVM removes it when the session ends, also when this process is killed.

    Args:
        name: Of the folder, within the session's own one.
    """
    from pyspark import SparkFiles

    folder = Path(SparkFiles.getRootDirectory(), name)
    folder.mkdir(exist_ok=True)
    return folder


def running_tasks() -> tuple[int, int]:
    """Return how many tasks of the running stages are done, and how many there are."""
    active = active_session()
    if active is None:
        return 0, 0
    tracker = active.sparkContext.statusTracker()
    stages = [stage for number in tracker.getActiveStageIds() if (stage := tracker.getStageInfo(number))]
    return sum(stage.numCompletedTasks for stage in stages), sum(stage.numTasks for stage in stages)


def is_submitted() -> bool:
    """Say whether spark-submit started this process."""
    return "PYSPARK_GATEWAY_PORT" in os.environ


def tasks_at_once() -> int:
    """Return how many tasks the session runs at once: on all executors' cores, whatever the number of partitions."""
    context = session().sparkContext
    if context.getConf().get("spark.dynamicAllocation.enabled", "false") == "true":
        # Executors come and go; this number is what the cluster was asked to be cut into.
        return context.defaultParallelism
    scala: Any = context._jsc.sc()
    found = int(scala.maxNumConcurrentTasks(scala.resourceProfileManager().defaultResourceProfile()))
    return found or context.defaultParallelism


def _owned_by_launcher(key: str) -> bool:
    return key in ("spark.master", "spark.submit.deployMode") or key.startswith("spark.driver.")


def _quiet(java_options: str) -> str:
    """Let the driver's JVM log errors only, unless the settings bring a log4j configuration of their own."""
    if "log4j2.configurationFile" in java_options:
        return java_options
    return f"{java_options} -Dlog4j2.configurationFile={LOG_SETTINGS.as_uri()}".strip()


def _prepare_local_launch(settings: Mapping[str, str]) -> None:
    """Check Java and YARN's configuration first: Spark itself would only say JAVA_GATEWAY_EXITED."""
    java.provide()
    master = settings.get("spark.master", "local[*]")
    if master.startswith("yarn") and not (os.environ.get("HADOOP_CONF_DIR") or os.environ.get("YARN_CONF_DIR")):
        raise ClusterError(
            "spark.master is yarn, but neither HADOOP_CONF_DIR nor YARN_CONF_DIR is set.",
            hint="export HADOOP_CONF_DIR=/etc/hadoop/conf (the folder with yarn-site.xml).",
        )
    if master.startswith("local"):
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
