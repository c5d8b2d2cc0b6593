"""A Spark of an instance's own, in a container that has Spark's jars and none of its commands."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pyspark
import pytest

from rankhammer.errors import ClusterError
from rankhammer.experiments.own_spark import provide_spark
from rankhammer.spark import java


@pytest.fixture(autouse=True)
def _container(monkeypatch):
    for name in (
        "HADOOP_CONF_DIR",
        "SPARK_HOME",
        "SPARK_SCALA_VERSION",
        "PYSPARK_PYTHON",
        "PYSPARK_DRIVER_PYTHON",
        "JAVA_HOME",
    ):
        # Whatever is set below is taken back.
        monkeypatch.setenv(name, os.environ.get(name, ""))
    monkeypatch.setenv("CONTAINER_ID", "container_1")


def test_the_containers_jars_are_enough_to_start_spark(monkeypatch):
    jars = Path(pyspark.__file__).parent / "jars"
    monkeypatch.setenv("CLASSPATH", f"{jars.parent}:/etc/hadoop/*:{jars}/*")
    java.provide()
    provide_spark()
    command = [f"{os.environ['SPARK_HOME']}/bin/spark-submit", "--version"]
    said = subprocess.run(command, capture_output=True, text=True, check=True)
    assert f"version {pyspark.__version__}" in said.stderr


def test_the_hadoop_configuration_that_was_sent_along_is_that_of_its_spark(monkeypatch, tmp_path):
    monkeypatch.setenv("CLASSPATH", f"{Path(pyspark.__file__).parent / 'jars'}/*")
    monkeypatch.chdir(tmp_path)
    sent = tmp_path / "__spark_conf__" / "__hadoop_conf__"
    sent.mkdir(parents=True)
    provide_spark()
    assert os.environ["HADOOP_CONF_DIR"] == str(sent)


def test_a_container_without_sparks_jars_is_refused(monkeypatch):
    monkeypatch.setenv("CLASSPATH", "/etc/hadoop/*")
    with pytest.raises(ClusterError, match="names no folder with Spark's jars"):
        provide_spark()
