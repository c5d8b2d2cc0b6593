"""The one Spark session, opened on first use and never before."""

from __future__ import annotations

import logging
import os
import sys
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rankhammer.errors import ClusterError, ConfigError
from rankhammer.secret_settings import require_no_secrets
from rankhammer.spark import class_archive, java, jvm_process, launches, scratch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from pyspark.sql import SparkSession

    from rankhammer.spark.class_archive import Archive
    from rankhammer.spark.java import Java

_PREFIX = "spark."
_LOCAL = "local[*]"


def require_flat(settings: Mapping[str, object]) -> None:
    """Refuse what Spark would leave out, or take for a text that nobody wrote.

    Args:
        settings: Content of spark.yml.

    Raises:
        ConfigError: A key does not begin with `spark.`, or holds a list or keys of its own.
    """
    for key, value in settings.items():
        if not str(key).startswith(_PREFIX):
            raise ConfigError(
                f"conf/<env>/spark.yml: {key!r} is no key of Spark, which would leave it out.",
                hint=f"Keys are flat and begin with {_PREFIX}, as in spark.driver.memory: 4g.",
                key=key,
            )
        if isinstance(value, (dict, list)):
            kind = "keys with values" if isinstance(value, dict) else "a list"
            raise ConfigError(
                f"conf/<env>/spark.yml: {key} holds {kind}, expected one text, number or truth value.",
                hint="Write keys flat, as in spark.driver.memory: 4g; several values as one text, with commas between.",
                key=key,
            )


FLAGS_KEY = "spark.rankhammer.flags"
"""Names the keys that `rankhammer submit` was given on its command line: they win over spark.yml."""
_HADOOP_PREFIX = "spark.hadoop."
_JAVA_OPTIONS = "spark.driver.extraJavaOptions"
_READ_AT_LAUNCH = ("spark.jars", "spark.files", "spark.archives", "spark.submit.pyFiles")
"""The launcher takes these when the JVM starts, patterns in them too; set once more, they would be taken literally."""


@dataclass(frozen=True)
class Launched:
    """What a JVM was started with.

    Args:
        asked: The settings.
        settings: With what belongs to this machine and process: scratch folders, the archive of classes, log levels.
        archive: Of classes; None where it was not looked for.
    """

    asked: Mapping[str, str]
    settings: Mapping[str, str]
    archive: Archive | None = None


LOG_SETTINGS = Path(__file__).with_name("log4j2.properties")
_settings: Callable[[], Mapping[str, object]] = dict
_complete: Callable[[Mapping[str, str]], Mapping[str, str]] = dict
_ready: Callable[[SparkSession], None] | None = None
_added: dict[str, str] = {}
_on_open: Callable[[SparkSession], None] | None = None
_opened: SparkSession | None = None
_opening = threading.RLock()
_n_starting = 0
_launching = threading.Lock()
_launched: Launched | None = None
logger = logging.getLogger(__name__)


def configure(
    settings: Callable[[], Mapping[str, object]],
    complete: Callable[[Mapping[str, str]], Mapping[str, str]] = dict,
    ready: Callable[[SparkSession], None] | None = None,
) -> None:
    """Say where the session's settings come from; nothing is read until the session is opened.

    Args:
        settings: Returns flat Spark keys to values, as in conf/<env>/spark.yml.
        complete: Takes these settings when the session is opened, and returns them with what is worked out then, such
            as the session's share of a cluster. It may open filesystems.
        ready: Called with the session that was opened, before anybody gets it.
    """
    global _settings, _complete, _ready
    _settings, _complete, _ready = settings, complete, ready


def add_settings(settings: Mapping[str, str], opened: Callable[[SparkSession], None]) -> None:
    """Put settings over those of spark.yml, for all sessions of this process.

    Args:
        settings: Flat Spark keys to values.
        opened: Called with a session when it is open.
    """
    global _added, _on_open
    _added, _on_open = dict(settings), opened


def read_settings(defaults: Mapping[str, str]) -> None:
    """Read the settings now, for a session that another thread opens: a configuration loader is not made for threads.

    Args:
        defaults: Flat Spark keys to what they are on one machine, where the settings do not say.
    """
    global _settings  # noqa: PLW0603 - one session a process
    values = dict(_settings())
    if str(values.get("spark.master", _LOCAL)).startswith("local"):
        values = {**defaults, **values}
    _settings = lambda: values  # noqa: E731


def session() -> SparkSession:
    """Open the session, or return the one that is open.

    Under spark-submit, keys that the launcher owns (master, deploy mode, driver) are left to its flags.

    Returns:
        The process's only Spark session.

    Raises:
        ClusterError: Java is missing or older than 17, or YARN is asked for without HADOOP_CONF_DIR.
    """
    with _opening:
        active = active_session()
        if active is not None:
            return active
        with _starting():
            return _open()


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
        with _starting():
            settings = _start_jvm()
        jvm: Any = SparkContext._jvm
        conf = jvm.org.apache.hadoop.conf.Configuration()
        for key, value in settings.items():
            if key.startswith(_HADOOP_PREFIX):
                conf.set(key.removeprefix(_HADOOP_PREFIX), value)
        return jvm, conf


@contextmanager
def _starting() -> Iterator[None]:
    """Let others see that something is started; whoever waits for it holds the lock `_opening`."""
    global _n_starting  # noqa: PLW0603 - one session a process
    _n_starting += 1
    try:
        yield
    finally:
        _n_starting -= 1


def _open() -> SparkSession:
    global _opened  # noqa: PLW0603 - one session a process
    from pyspark.sql import SparkSession

    settings = _start_jvm()
    builder = SparkSession.builder
    if not is_submitted():
        settings = dict(_complete(settings))
    for key, value in settings.items():
        if key not in _READ_AT_LAUNCH:
            builder = builder.config(key, value)
    if settings.get("spark.master", "").startswith("yarn"):
        # The launcher has handed them to YARN, and put them on the driver's class path.
        builder = builder.config("spark.jars", "")
    opened = builder.getOrCreate()
    opened.sparkContext.setLogLevel(settings.get("spark.log.level", "ERROR"))
    for ready in filter(None, (_ready, _on_open)):
        ready(opened)
    _opened = opened
    return opened


def _start_jvm() -> dict[str, str]:
    """Start the JVM that the session runs in, unless there is one; return the settings it was started with."""
    settings = effective_settings({**_settings(), **_added}, submitted=is_submitted())
    launched = Launched(settings, settings)
    was_connected = jvm_process.is_connected()
    if not is_submitted():
        launches.keep(settings)
        launched = start_process(settings)
    # The JVM starts while Python imports this.
    from pyspark import SparkConf, SparkContext

    jvm_process.launch(SparkConf(loadDefaults=False).setAll(list(launched.settings.items())))
    if launched.archive is not None and not was_connected:
        _report(launched.archive, SparkContext._gateway)
    flags = SparkConf().get(FLAGS_KEY, "") if is_submitted() else ""
    return {key: value for key, value in launched.settings.items() if key not in (flags or "").split(",")}


def start_process(settings: Mapping[str, str]) -> Launched:
    """Start a JVM on this machine for a session that is opened next; the same one for the same settings.

    Args:
        settings: As `effective_settings` returns them.

    Raises:
        ClusterError: As `session`.
    """
    global _launched  # noqa: PLW0603 - one JVM a process
    with _launching:
        if _launched is None or _launched.asked != settings:
            _launched = _start_process(settings)
        return _launched


def _start_process(settings: Mapping[str, str]) -> Launched:
    # Not at the top: Python warns where a module of this package is started that the package has imported.
    from rankhammer.spark import worker_daemon

    chosen = _prepare_local_launch(settings)
    forks = worker_daemon.settings(settings.get("spark.master", _LOCAL))
    launched = {**forks, **settings, **scratch.settings(settings)}
    archive = None if jvm_process.is_connected() else _class_archive(launched, chosen)
    own = _quiet(launched.get(_JAVA_OPTIONS, ""))
    using = class_archive.options(archive.file, chosen.version) if archive and archive.file else ""
    launched[_JAVA_OPTIONS] = f"{using} {own}".strip()
    jvm_process.start(launched)
    return Launched(settings, launched, archive)


def _class_archive(settings: Mapping[str, str], chosen: Java) -> Archive:
    """Find the class-data archive for a JVM with these settings."""
    class_path = settings.get("spark.driver.extraClassPath", "")
    reason = class_archive.why_unused(settings.get(_JAVA_OPTIONS, ""), class_path)
    return class_archive.Archive(None, reason) if reason else class_archive.find(chosen.build)


def _report(archive: Archive, gateway: Any) -> None:
    """Say in one line why the JVM started without a class-data archive; the JVM itself says nothing."""
    reason, process = archive.reason, getattr(gateway, "proc", None)
    if archive.file and process is not None and not class_archive.is_mapped(archive.file, process.pid):
        reason = f"Java did not take {archive.file}"
    if reason:
        # Not on the standard output, which may be somebody's JSON.
        sys.stderr.write(f"Spark starts slowly, without a class-data archive: {reason}. {class_archive.HINT}\n")


def effective_settings(settings: Mapping[str, object], *, submitted: bool) -> dict[str, str]:
    """Return what the session is built with.

    Args:
        settings: Flat Spark keys; null takes a setting of conf/base back.
        submitted: Whether spark-submit started this process: its flags own master, deploy mode and driver.

    Raises:
        ConfigError: One holds a secret, is no key of Spark's, or has no plain value.
    """
    require_no_secrets(settings, "conf/<env>/spark.yml")
    require_flat(settings)
    given = {key: str(value) for key, value in settings.items() if value is not None}
    return {key: value for key, value in given.items() if not (submitted and _owned_by_launcher(key))}


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


def is_starting() -> bool:
    """Say whether the session, or a JVM for it, is being started just now."""
    return _n_starting > 0


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


def _prepare_local_launch(settings: Mapping[str, str]) -> Java:
    """Check Java and YARN's configuration first: Spark itself would only say JAVA_GATEWAY_EXITED."""
    chosen = java.provide()
    master = settings.get("spark.master", "local[*]")
    if master.startswith("yarn") and not (os.environ.get("HADOOP_CONF_DIR") or os.environ.get("YARN_CONF_DIR")):
        raise ClusterError(
            "spark.master is yarn, but neither HADOOP_CONF_DIR nor YARN_CONF_DIR is set.",
            hint="export HADOOP_CONF_DIR=/etc/hadoop/conf (the folder with yarn-site.xml).",
        )
    if master.startswith("local"):
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    return chosen
