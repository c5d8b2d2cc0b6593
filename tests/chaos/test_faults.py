"""Each fault on the real servers: work continues, or stops with a clear error; a rerun publishes what it would have."""

from __future__ import annotations

import os
import signal
import time
from contextlib import contextmanager

import hadoop_cluster
import psutil
import pytest
import s3_server
from engine_node import running

pytestmark = pytest.mark.chaos

EXECUTOR = "org.apache.spark.executor.YarnCoarseGrainedExecutorBackend"
MASTER = "org.apache.spark.deploy.yarn.ExecutorLauncher"
LAST = "--pipelines=training,export"
"""The stages that faults are shown on: they read HDFS, work in containers and publish to S3."""

TUNING = "build_training_matrix"
BOUND_S = 240
"""A run that cannot go on ends within this: Spark's start, and the bounds of conf/prod/spark.yml on a busy machine."""


@pytest.fixture
def whole(site, baseline):
    """The cluster as it was, before and after a fault."""
    yield site
    site.heal()


@contextmanager
def in_safe_mode(site):
    site.dfsadmin("-safemode", "enter")
    try:
        yield
    finally:
        site.dfsadmin("-safemode", "leave")


@contextmanager
def quota_used_up(site):
    site.dfsadmin("-setSpaceQuota", "1m", "/apps/rankhammer")
    try:
        yield
    finally:
        site.dfsadmin("-clrSpaceQuota", "/apps/rankhammer")


def test_an_executor_that_is_killed_is_replaced(whole, baseline):
    run = whole.start("kedro", "run", LAST, "--env=prod")
    run.wait_for(TUNING)
    run.wait_for(lambda: whole.containers(EXECUTOR))
    os.kill(whole.containers(EXECUTOR)[0], signal.SIGKILL)
    run.end()
    assert whole.published() == baseline


def test_a_node_that_is_lost_takes_no_work_with_it(whole, baseline):
    run = whole.start("kedro", "run", LAST, "--env=prod")
    run.wait_for(TUNING)
    master = whole.containers(MASTER)[0]
    other = next(name for name in ("nm1", "nm2") if f"/{name}/" not in psutil.Process(master).cwd())
    hadoop_cluster.lose(whole.hadoop, other)
    run.end()
    assert whole.published() == baseline


def test_a_datanode_that_is_killed_leaves_a_copy_of_every_block(whole, baseline):
    hadoop_cluster.kill(whole.hadoop, "dn1")
    whole.kedro("run", LAST)
    assert whole.published() == baseline


def test_an_application_master_that_is_killed_ends_the_run_and_a_rerun_ends_alike(whole, baseline):
    run = whole.start("kedro", "run", LAST, "--env=prod")
    run.wait_for(TUNING)
    os.kill(whole.containers(MASTER)[0], signal.SIGKILL)
    run.end(expect=None)
    if run.process.returncode:
        assert "application" in run.output.lower()
        whole.kedro("run", LAST)
    assert whole.published() == baseline


def test_a_driver_that_is_killed_leaves_nothing_half_done(whole, baseline):
    run = whole.start("kedro", "run", LAST, "--env=prod")
    run.wait_for(TUNING)
    run.process.kill()
    run.end(expect=-signal.SIGKILL)
    assert whole.published() == baseline
    whole.kedro("run", LAST, "--only-missing-outputs")
    assert whole.published() == baseline


def test_a_run_that_is_taken_for_dead_is_taken_over_and_writes_nothing_more(whole, baseline):
    file = whole.project / "conf" / "prod" / "cluster.yml"
    before = file.read_text()
    whole.configure("cluster.yml", before + "  lock: {heartbeat_s: 1, expires_s: 3}\n")
    try:
        late = whole.start("kedro", "run", LAST, "--env=prod")
        late.wait_for(TUNING)
        driver = psutil.Process(late.process.pid)
        driver.suspend()
        assert "no heartbeat for" in whole.kedro("run", LAST)
        assert whole.published() == baseline
        driver.resume()
        assert "took over, because this run sent no heartbeat" in late.end(2)
    finally:
        file.write_text(before)
    assert whole.published() == baseline


def test_hdfs_that_takes_nothing_stops_a_run_with_the_reason(whole, baseline):
    with in_safe_mode(whole):
        started = time.monotonic()
        output = whole.kedro("run", "--pipelines=folding", expect=2)
        assert time.monotonic() - started < BOUND_S
        assert "safe mode" in output
        assert "Traceback" not in output
    with quota_used_up(whole):
        assert "quota" in whole.kedro("run", "--pipelines=folding", expect=2).lower()
    whole.kedro("run", "--pipeline=train")
    assert whole.published() == baseline


def test_a_wrong_secret_of_s3_stops_a_run_before_it_works(whole, baseline):
    started = time.monotonic()
    output = whole.kedro("run", "--pipelines=export", expect=2, AWS_SECRET_ACCESS_KEY="planted-wrong-secret")
    assert time.monotonic() - started < BOUND_S
    assert "403" in output or "Forbidden" in output
    assert "planted-wrong-secret" not in output
    assert whole.published() == baseline


def test_an_s3_server_that_dies_during_an_upload_leaves_readers_the_old_ranker(whole, baseline):
    whole.configure("parameters.yml", "training: {n_trials: 4, batch_size: 2, n_rounds: 21}\n")
    try:
        run = whole.start("kedro", "run", LAST, "--env=prod")
        # After training has read which ranker is current, and before anything is published.
        run.wait_for("report_training:")
        # What is being uploaded stands still, and then is interrupted.
        server = psutil.Process(running(whole.s3))
        server.suspend()
        time.sleep(20)
        s3_server.stop(whole.s3, signal.SIGKILL)
        assert "compare_with_current:" in run.end(expect=2)
        whole.heal()
        assert whole.published() == baseline
        whole.kedro("run", "--pipelines=export")
        assert whole.published() != baseline
    finally:
        whole.configure("parameters.yml", "training: {n_trials: 4, batch_size: 2, n_rounds: 20}\n")
    whole.kedro("run", LAST)
    assert whole.published() == baseline
