"""The session is opened on first use, and leaves to spark-submit what spark-submit owns."""

from __future__ import annotations

import pytest

from rankhammer import spark
from rankhammer.errors import ClusterError


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


def test_yarn_without_its_configuration_is_said_first(monkeypatch):
    monkeypatch.delenv("HADOOP_CONF_DIR", raising=False)
    monkeypatch.delenv("YARN_CONF_DIR", raising=False)
    with pytest.raises(ClusterError, match="HADOOP_CONF_DIR"):
        spark._prepare_local_launch({"spark.master": "yarn"})


def test_asking_what_runs_opens_nothing(monkeypatch):
    monkeypatch.setattr(spark, "_opened", None)
    assert spark.running_tasks() == (0, 0)
    spark.clear_cache()
    assert spark.active_session() is None


def test_whoever_configures_the_session_looks_at_it_first(monkeypatch):
    for name in ("_settings", "_more", "_ready"):
        monkeypatch.setattr(spark, name, getattr(spark, name))
    given = (dict, dict, lambda _: None)
    spark.configure(*given)
    assert (spark._settings, spark._more, spark._ready) == given


def test_tasks_at_once_are_as_many_as_cores_however_finely_data_are_cut(request, monkeypatch):
    session = request.getfixturevalue("spark")
    monkeypatch.setattr(type(session.sparkContext), "defaultParallelism", 64)
    assert spark.tasks_at_once() == 2
