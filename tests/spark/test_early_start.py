"""A JVM that was started early is the session's if it is what the settings ask for, and else leaves nothing behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time

import pytest

from rankhammer.processes import is_alive
from rankhammer.runs import stage_workers
from rankhammer.spark import early_start, session_provider

BEGIN = """
import json, sys
from rankhammer import spark
from rankhammer.spark import early_start, jvm_process, launches
sys.argv = ["kedro", "run"]
settings = {"spark.master": "local[2]", "spark.driver.memory": "512m"}
launches.keep(settings)
spark.start_remembered_jvm()
early_start._remembered.join()
early = jvm_process._waiting.process.pid
"""
USED = """
asked = settings | {changes}
spark.configure(lambda: asked)
jvm, _ = spark.hadoop()
from pyspark import SparkContext
memory = jvm.java.lang.Runtime.getRuntime().maxMemory() >> 20
print(json.dumps([early, SparkContext._gateway.proc.pid, memory, launches.recall() == asked]))
"""
UNUSED = "print(json.dumps([early]))"
FAILING = """
import os
os.environ["JAVA_HOME"], os.environ["PATH"] = "/nowhere", "/nowhere"
spark.configure(lambda: settings)
try:
    spark.hadoop()
except Exception as error:
    print(json.dumps([early, str(error)]))
"""


def said(script: str, folder) -> list:
    environment = {**os.environ, "XDG_CACHE_HOME": str(folder), "TMPDIR": str(folder)}
    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, env=environment, cwd=folder
    )
    return json.loads(ended.stdout)


def wait_for_end(process: int) -> None:
    while is_alive(process):
        time.sleep(0.05)


def test_the_jvm_of_the_last_time_is_taken_over(tmp_path):
    early, used, memory, is_kept = said(BEGIN + USED.format(changes={}), tmp_path)
    assert used == early
    assert memory <= 512
    assert is_kept
    wait_for_end(early)


def test_a_jvm_for_other_settings_is_ended_and_the_new_ones_are_remembered(tmp_path):
    early, used, memory, is_kept = said(BEGIN + USED.format(changes={"spark.driver.memory": "700m"}), tmp_path)
    assert used != early
    assert 512 < memory <= 700
    assert is_kept
    assert not is_alive(early)
    wait_for_end(used)


def test_a_command_that_needs_no_spark_leaves_no_jvm_no_folder_and_nothing_for_the_next_time(tmp_path):
    (early,) = said(BEGIN + UNUSED, tmp_path)
    assert not is_alive(early)
    assert [file for file in tmp_path.rglob("*") if not file.is_dir()] == []
    assert list(tmp_path.glob("tmp*")) == []


def test_a_jvm_of_another_environment_is_not_taken_over(tmp_path):
    early, _ = said(BEGIN + FAILING, tmp_path)
    assert not is_alive(early)


def test_what_the_background_needs_is_imported_before_it_starts(monkeypatch):
    importing = []
    note = lambda name: importing.append((name, threading.current_thread().name))  # noqa: E731
    monkeypatch.setattr(early_start, "import_module", note)
    monkeypatch.setattr(session_provider, "hadoop", lambda: note("started"))
    early_start.start_jvm_early()
    for thread in threading.enumerate():
        if thread.name == "jvm-start":
            thread.join()
    assert importing == [("pyspark.sql", threading.current_thread().name), ("started", "jvm-start")]


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere Spark's own daemon does it")
def test_what_the_stages_workers_import_before_the_fork_starts_no_thread():
    imported = f"worker_daemon.import_early({stage_workers.MODULES!r})"
    script = f"from rankhammer.spark import worker_daemon; {imported}; print(worker_daemon.n_threads())"
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=environment)
    assert ended.stdout.strip() == "1"
