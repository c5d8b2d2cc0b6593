"""Workers are forked from a process that has imported what each of them needs, as long as it has no other thread."""

from __future__ import annotations

import gc
import os
import subprocess
import sys

import pytest

from rankhammer.spark.worker_daemon import installed_first

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere Spark's own daemon does it")

EARLY = """
from rankhammer.spark import worker_daemon
worker_daemon.import_early()
print(worker_daemon.n_threads())
"""
WITH_A_THREAD = """
import os, sys
from rankhammer.spark import worker_daemon
worker_daemon.n_threads = lambda: 2
os.execv = lambda command, arguments: print(*arguments)
sys.argv = ["worker_daemon", "pyspark.worker"]
worker_daemon.main()
"""


def said(script: str) -> str:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, env=environment
    ).stdout.strip()


def test_what_is_imported_before_the_fork_starts_no_thread():
    assert said(EARLY) == "1"


def test_the_package_leaves_the_daemon_to_be_imported_by_who_starts_it():
    """Python warns of a module that is started after its own package has imported it."""
    assert said("import sys, rankhammer.spark; print('rankhammer.spark.worker_daemon' in sys.modules)") == "False"


def test_where_there_is_a_thread_sparks_own_daemon_takes_over():
    assert said(WITH_A_THREAD) == f"{sys.executable} -m pyspark.daemon pyspark.worker"


def test_a_worker_finds_everything_imported_and_does_not_look_through_it_for_garbage(spark):
    (found,) = spark.sparkContext.parallelize([0], 1).map(lambda _: gc.get_freeze_count()).collect()
    assert found > 50_000


def test_a_worker_has_the_compiled_modules_of_the_installed_pyspark_not_those_of_the_archive(spark):
    def place(_: int) -> str:
        import pyspark.worker

        return pyspark.worker.__file__

    (found,) = spark.sparkContext.parallelize([0], 1).map(place).collect()
    assert ".zip" not in found


def test_archives_of_another_spark_than_the_installed_one_stay_first():
    ours, theirs = "/env/site-packages/pyspark/python/lib/pyspark.zip", "/opt/spark/python/lib/pyspark.zip"
    assert installed_first(["", theirs, "/env/site-packages"]) == ["", theirs, "/env/site-packages"]
    assert installed_first(["", ours, "/env/site-packages"]) == ["", "/env/site-packages", ours]
    assert installed_first(["", ours]) == ["", ours]
