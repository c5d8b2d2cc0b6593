"""Spark starts in the background, while Python reads and imports what a command needs, and does its first things there.

A JVM takes seconds to start, and everything that it does for the first time is slow: it loads classes, and compiles. On
a machine with two cores one of them would only wait for the other.
"""

from __future__ import annotations

import atexit
import logging
import os
import sys
import threading
from importlib import import_module
from typing import TYPE_CHECKING

from rankhammer.errors import RankhammerError
from rankhammer.spark import jvm_process, launches, session_provider

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

WARM_UP = "warm-up: workers, compiler and writer"
"""Description of the jobs that do nothing else."""
_SWITCH_S = 0.0002
_is_wanted_early = False
_workers: dict[str, str] = {}
_remembered: threading.Thread | None = None
logger = logging.getLogger(__name__)


def request_early_start(worker_settings: Mapping[str, str] | None = None) -> None:
    """Let `open_early` open the session: this process is a run, and no command that may do without.

    Args:
        worker_settings: Flat Spark keys to what they are on one machine, where the settings do not say.
    """
    global _is_wanted_early, _workers
    _is_wanted_early, _workers = True, dict(worker_settings or {})


def open_early() -> None:
    """Open the session in the background, where it is wanted: a run imports a lot while the JVM starts."""
    global _is_wanted_early  # noqa: PLW0603 - one session a process
    if _is_wanted_early:
        _is_wanted_early = False
        logger.info("Starting Spark")
        session_provider.read_settings(_workers)
        _start_thread(session_provider.session, "spark-start", then=_warm_up)


def start_jvm_early() -> None:
    """Start the JVM of `hadoop` in the background, while the caller imports what it needs."""
    _start_thread(session_provider.hadoop, "jvm-start")


def start_remembered_jvm() -> None:
    """Start the JVM as this command did last time, before its configuration is read.

    A JVM that turns out to be another one than is needed is ended when the session is opened.
    """
    global _remembered  # noqa: PLW0603 - one JVM a process
    settings = None if session_provider.is_submitted() or _remembered is not None else launches.recall()
    if settings is not None:
        _remembered = threading.Thread(target=_start_as, args=(settings,), name="jvm-remembered", daemon=True)
        _remembered.start()


def _start_as(settings: Mapping[str, str]) -> None:
    try:
        session_provider.start_process(settings)
    except (RankhammerError, OSError):
        logger.debug("Spark's JVM could not be started early", exc_info=True)


def _forget_unneeded() -> None:
    """Start no JVM early for a command that needed none this time."""
    if _remembered is not None and not jvm_process.is_connected():
        launches.forget()


atexit.register(_forget_unneeded)


def _start_thread(start: Callable[[], object], name: str, then: Callable[[], object] = dict) -> None:
    """Start Spark in the background; whoever needs it asks again, and is told what is wrong."""
    # Two threads that import it at once can each wait for the other's half, which Python ends with an ImportError.
    import_module("pyspark.sql")
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException

    def run() -> None:
        # Hundreds of short questions to the JVM: after each of them this thread would wait that long for its turn.
        usual_s = sys.getswitchinterval()
        sys.setswitchinterval(_SWITCH_S)
        try:
            start()
            sys.setswitchinterval(usual_s)
            then()
        except (RankhammerError, PySparkException, Py4JError, OSError):
            logger.debug("Spark could not be started early", exc_info=True)
        finally:
            sys.setswitchinterval(usual_s)

    threading.Thread(target=run, name=name, daemon=True).start()


def _warm_up() -> None:
    """Do on nothing what a run's first queries would wait for, on one machine that has a core to spare.

    While the plan of the first stage is made, nothing else runs.
    """
    session = session_provider.session()
    if not str(session.sparkContext.master).startswith("local") or len(os.sched_getaffinity(0)) == 1:
        return
    session.sparkContext.setJobDescription(WARM_UP)
    # Spark starts the process that forks Python workers with the first task that needs one.
    session.sparkContext.parallelize([0], 1).map(str).count()
    folder = session_provider.session_folder("warm_up")
    rows = session.range(0, 8, 1, 2).selectExpr("id", "cast(id % 3 as string) as name", "id * 0.5 as x")
    rows.groupBy("name").agg({"id": "collect_list", "x": "sum"}).write.parquet(f"{folder.as_uri()}/rows")
