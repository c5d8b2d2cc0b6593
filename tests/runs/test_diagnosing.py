"""`kedro run --diagnose`: what is turned on, where the log goes, and what is said at the end."""

from __future__ import annotations

import json
from types import SimpleNamespace

import click
import pytest

from rankhammer import spark
from rankhammer.cli.main import LazyRun
from rankhammer.errors import ConfigError
from rankhammer.runs import diagnosing, doctor_inputs

EVENTS = [
    {"Event": "SparkListenerLogStart", "Spark Version": "4.3.0"},
    {"Event": "SparkListenerApplicationStart", "App Name": "a", "App ID": "local-17", "Timestamp": 1},
    {"Event": "SparkListenerApplicationEnd", "Timestamp": 2000},
]


def test_a_run_on_one_machine_writes_its_log_below_the_project(tmp_path):
    found = diagnosing.settings_for({"spark.master": "local[*]"}, tmp_path)
    assert found["spark.eventLog.dir"] == (tmp_path / "logs/spark-events").as_uri()
    assert (tmp_path / "logs/spark-events").is_dir()
    assert (found["spark.eventLog.enabled"], found["spark.ui.enabled"]) == ("true", "true")


def test_a_place_that_spark_yml_names_stays(tmp_path):
    own = {"spark.master": "yarn", "spark.eventLog.dir": "hdfs:///spark-history"}
    assert "spark.eventLog.dir" not in diagnosing.settings_for(own, tmp_path)


def test_on_a_cluster_the_log_needs_a_place(tmp_path):
    with pytest.raises(ConfigError, match=r"spark\.eventLog\.dir is not set"):
        diagnosing.settings_for({"spark.master": "yarn"}, tmp_path)


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "logs").touch()
    with pytest.raises(ConfigError, match=r"logs/spark-events cannot be made"):
        diagnosing.settings_for({}, tmp_path)


def _ends_with(monkeypatch, folder, application="local-17"):
    stopped = []
    context = SimpleNamespace(applicationId=application)
    session = SimpleNamespace(sparkContext=context, stop=lambda: stopped.append(True))
    monkeypatch.setattr(spark, "active_session", lambda: session)
    said = diagnosing._end({"spark.eventLog.dir": folder.as_uri()}, None)
    assert stopped == [True]
    return said


def test_the_last_line_names_the_log_and_counts_what_is_found(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "logs/spark-events/eventlog_v2_local-17/events_1_local-17"
    file.parent.mkdir(parents=True)
    file.write_text("".join(json.dumps(event) + "\n" for event in EVENTS))
    assert _ends_with(monkeypatch, tmp_path / "logs/spark-events") == (
        "Doctor: nothing to change; `rankhammer doctor log logs/spark-events/eventlog_v2_local-17` says more."
    )
    failed = '{"Event":"SparkListenerJobEnd","Job ID":1,"Job Result":{"Result":"JobFailed"}}\n'
    file.write_text(file.read_text() + failed)
    assert "Doctor: 1 error; " in _ends_with(monkeypatch, tmp_path / "logs/spark-events")


def test_a_log_that_is_not_there_is_no_failure_of_the_run(monkeypatch, tmp_path):
    assert "there is no event log of local-17" in _ends_with(monkeypatch, tmp_path)


def test_a_run_that_needed_no_spark_says_so(monkeypatch):
    monkeypatch.setattr(spark, "active_session", lambda: None)
    assert "needed no Spark" in diagnosing._end({}, None)


def test_the_switch_is_an_option_of_run():
    command = LazyRun("run")
    assert "diagnose" in {option.name for option in command.get_params(click.Context(command))}


@pytest.fixture
def yarn(monkeypatch):
    """Let a test say what YARN knows of an application."""
    monkeypatch.setenv("HADOOP_CONF_DIR", "/etc/hadoop/conf")

    def knows(**app):
        manager = SimpleNamespace(application=lambda name: app)
        monkeypatch.setattr(doctor_inputs, "ResourceManager", lambda: manager)

    return knows


def test_an_application_that_runs_on_yarn_is_looked_at_through_its_address(yarn):
    yarn(state="RUNNING", trackingUrl="http://rm:8088/proxy/application_1_0001/")
    assert doctor_inputs.live_place("application_1_0001") == "http://rm:8088/proxy/application_1_0001/"
    assert doctor_inputs.live_place("4040") == "4040"


def test_an_application_that_has_ended_has_a_log(yarn):
    yarn(state="FINISHED")
    with pytest.raises(ConfigError, match="does not run: FINISHED"):
        doctor_inputs.live_place("application_1_0001")


def test_settings_of_this_process_win_over_spark_yml(monkeypatch):
    from rankhammer.spark import session_provider

    launched = {}
    monkeypatch.setattr(session_provider, "_added", {})
    monkeypatch.setattr(session_provider, "_on_open", None)
    monkeypatch.setattr(session_provider, "_settings", lambda: {"spark.ui.enabled": "false", "spark.master": "yarn"})
    monkeypatch.setattr(session_provider, "_prepare_local_launch", lambda settings: launched.update(settings) or 1 / 0)
    spark.add_settings({"spark.ui.enabled": "true"}, print)
    with pytest.raises(ZeroDivisionError):
        session_provider._start_jvm()
    assert launched["spark.ui.enabled"] == "true"
