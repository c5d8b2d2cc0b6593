"""The session is opened on first use, and leaves to spark-submit what spark-submit owns."""

from __future__ import annotations

import pytest

from rankhammer.errors import ClusterError, ConfigError
from rankhammer.spark import session_provider as spark
from rankhammer.spark import worker_daemon


@pytest.mark.parametrize(
    ("key", "owned"),
    [
        ("spark.master", True),
        ("spark.submit.deployMode", True),
        ("spark.driver.memory", True),
        ("spark.executor.memory", False),
        ("spark.sql.shuffle.partitions", False),
    ],
)
def test_the_launcher_owns_master_deploy_mode_and_driver(key, owned):
    assert spark._owned_by_launcher(key) is owned


def test_null_takes_a_setting_back_and_spark_submit_keeps_its_own():
    settings = {"spark.master": "yarn", "spark.driver.host": None, "spark.executor.cores": 4}
    assert spark.effective_settings(settings, submitted=False) == {"spark.master": "yarn", "spark.executor.cores": "4"}
    assert spark.effective_settings(settings, submitted=True) == {"spark.executor.cores": "4"}


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({"sparc.master": "x"}, "sparc.master"),
        ({"spark": {"master": "x"}}, "spark"),
        ({"spark.jars": ["a"]}, "spark.jars"),
    ],
)
def test_a_setting_that_spark_would_leave_out_or_misread_is_refused_by_its_key(settings, key):
    with pytest.raises(ConfigError, match=key) as caught:
        spark.effective_settings(settings, submitted=False)
    assert "flat" in caught.value.hint


def test_yarn_without_its_configuration_is_said_first(monkeypatch):
    monkeypatch.delenv("HADOOP_CONF_DIR", raising=False)
    monkeypatch.delenv("YARN_CONF_DIR", raising=False)
    with pytest.raises(ClusterError, match="HADOOP_CONF_DIR"):
        spark._prepare_local_launch({"spark.master": "yarn"})


@pytest.mark.parametrize(("master", "is_ours"), [("local[2]", True), ("yarn", False)])
def test_workers_of_this_machine_alone_are_forked_from_our_own_process(master, is_ours):
    assert worker_daemon.settings(master) == (
        {"spark.python.daemon.module": "rankhammer.spark.worker_daemon"} if is_ours else {}
    )


def test_asking_what_runs_opens_nothing(monkeypatch):
    monkeypatch.setattr(spark, "_opened", None)
    assert spark.running_tasks() == (0, 0)
    spark.clear_cache()
    assert spark.active_session() is None


def test_whoever_configures_the_session_looks_at_it_first(monkeypatch):
    for name in ("_settings", "_complete", "_ready"):
        monkeypatch.setattr(spark, name, getattr(spark, name))
    given = (dict, dict, lambda _: None)
    spark.configure(*given)
    assert (spark._settings, spark._complete, spark._ready) == given


@pytest.mark.slow_start
def test_tasks_at_once_are_as_many_as_cores_however_finely_data_are_cut(request, monkeypatch):
    session = request.getfixturevalue("spark")
    monkeypatch.setattr(type(session.sparkContext), "defaultParallelism", 64)
    assert spark.tasks_at_once() == 2
