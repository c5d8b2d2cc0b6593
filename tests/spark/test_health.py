"""What Spark cured by itself is counted, and said where it is more than an ordinary day's."""

from __future__ import annotations

import time

import pytest
from pyspark.errors import PythonException

from rankhammer.spark.health import Health, read_health


def test_failed_tasks_are_counted(spark):
    started, before = time.monotonic(), read_health()
    with pytest.raises(PythonException):
        spark.sparkContext.parallelize([0], 1).map(lambda _: 1 // 0).collect()
    for _ in range(50):
        after = read_health()
        if after.n_failed_tasks > before.n_failed_tasks:
            break
        # The counts come by a queue of events.
        time.sleep(0.1)
    assert after.n_failed_tasks == before.n_failed_tasks + 1
    assert after.lost_executors == ()
    # Both cores of the session are held all the time.
    held_s = (after.core_hours - before.core_hours) * 3600 / 2
    assert 0 < held_s <= time.monotonic() - started + 0.01


def test_few_failures_are_no_warning_and_many_are():
    assert Health(n_tasks=1000, n_failed_tasks=10).warning == ""
    assert Health(n_tasks=1000, n_failed_tasks=11).warning == "11 of 1000 tasks failed and were done again"


def test_a_lost_executor_is_a_warning():
    assert Health(10, 0, ("Container killed by YARN",)).warning == "1 executors were lost (Container killed by YARN)"
