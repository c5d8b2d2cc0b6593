"""A run on YARN: what is submitted, how its end becomes an exit code, and that no key is seen on its way."""

from __future__ import annotations

import json
import os
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from rankhammer import spark
from rankhammer.cli import submit
from rankhammer.errors import ClusterError, ConfigError
from rankhammer.yarn import app_monitor, secrets, submission
from rankhammer.yarn.resource_manager import ResourceManager
from rankhammer.yarn.settings import read_settings
from rankhammer.yarn.uploads import NoUploads

ROOT = Path(__file__).parents[2]
KEYS = {"AWS_ACCESS_KEY_ID": "planted-id-7731", "AWS_SECRET_ACCESS_KEY": "planted-secret-7731"}
INSTALLED = read_settings(
    {"python": {"on_nodes": "/opt/python/bin/python"}, "runtime": {"root": "hdfs:///r", "spark": "nodes:/opt/spark"}}
)


def _prepared(mode: str = "cluster", settings: dict[str, str] | None = None, **flags) -> submission.Submission:
    spec = submission.SubmissionSpec(("--pipeline=train",), "prod", mode, settings or {}, flags)
    return submission.prepare(spec, INSTALLED, NoUploads("hdfs:///r"), project=ROOT, on_progress=lambda text: None)


def test_cluster_mode_takes_code_and_configuration_along():
    planned = _prepared()
    archives = dict(reversed(part.split("#")) for part in planned.properties["spark.yarn.dist.archives"].split(","))
    assert set(archives) == {"app", "project"}
    assert planned.arguments == ("run", "--env", "prod", "--pipeline=train", "--conf-source", "project/conf")
    assert planned.script.startswith("hdfs:///r/rankhammer_driver-")
    assert planned.properties["spark.yarn.maxAppAttempts"] == "1"


def test_client_mode_runs_the_project_s_own_configuration_here():
    planned = _prepared("client")
    assert planned.arguments == ("run", "--env", "prod", "--pipeline=train")
    assert Path(planned.script).is_file()
    environ = planned.environ({"AWS_SECRET_ACCESS_KEY": "x"})
    assert (environ["PYSPARK_PYTHON"], environ["AWS_SECRET_ACCESS_KEY"]) == ("/opt/python/bin/python", "x")


def test_flags_win_over_spark_yml_and_are_named_for_the_driver():
    given = {"spark.executor.memory": "1g", "spark.driver.host": "127.0.0.1", "spark.master": "local[*]"}
    planned = _prepared(settings=given, **{"spark.executor.memory": "3g", "spark.yarn.queue": "ltr"})
    assert planned.properties["spark.executor.memory"] == "3g"
    assert planned.properties[spark.FLAGS_KEY] == "spark.executor.memory,spark.yarn.queue"
    assert {"spark.driver.host", "spark.master"} & set(planned.properties) == set()


def test_logging_of_spark_yml_stays():
    given = {"spark.driver.extraJavaOptions": "-Dlog4j2.configurationFile=own.properties"}
    options = _prepared(settings=given).properties
    assert options["spark.driver.extraJavaOptions"] == given["spark.driver.extraJavaOptions"]
    assert options["spark.executor.extraJavaOptions"].endswith("=app/rankhammer/spark/log4j2-yarn.properties")


def test_spark_submit_gets_settings_by_a_private_file_and_no_key_of_s3(tmp_path):
    planned = _prepared()
    submission.write_properties(planned.properties, tmp_path / "properties")
    assert (tmp_path / "properties").stat().st_mode & 0o777 == 0o600
    environ = planned.environ({**KEYS, "PATH": "/bin", "PYTHONPATH": "src"})
    assert set(environ) == {"PATH", "PYSPARK_PYTHON", "SPARK_SUBMIT_OPTS"}
    assert planned.environ({"SPARK_SUBMIT_OPTS": "-Dtheir=own"})["SPARK_SUBMIT_OPTS"] == "-Dtheir=own"
    on_progress = json.dumps([planned.command("properties"), environ, submission.shown(planned)])
    assert [value for value in KEYS.values() if value in on_progress] == []


@pytest.mark.parametrize("pair", ["spark.executor.memory", "executor.memory=2g"])
def test_setting_that_is_no_spark_setting_is_refused(pair):
    with pytest.raises(ConfigError, match=r"is no KEY=VALUE"):
        submit.read_flags({"pairs": (pair,), "queue": None})


def test_keys_of_s3_go_into_a_file_that_only_the_owner_reads(spark, tmp_path):
    context = spark.sparkContext
    jvm = context._jvm
    conf = jvm.org.apache.hadoop.conf.Configuration(context._jsc.hadoopConfiguration())
    conf.set("fs.file.impl", "org.apache.hadoop.fs.RawLocalFileSystem")
    uri = secrets.store(jvm, conf, "one", KEYS, folder=f"file://{tmp_path}/secrets")
    file = tmp_path / "secrets" / "one.jceks"
    assert (uri, file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (f"file:{file}", 0o600, 0o700)
    conf.set("hadoop.security.credential.provider.path", secrets.provider_path(uri))
    assert "".join(conf.getPassword("fs.s3a.access.key")) == KEYS["AWS_ACCESS_KEY_ID"]
    assert "".join(conf.getPassword("fs.s3a.secret.key")) == KEYS["AWS_SECRET_ACCESS_KEY"]
    secrets.forget(jvm, conf, uri)
    assert not file.exists()


def test_key_stores_of_submissions_that_were_killed_are_removed(spark, tmp_path):
    context = spark.sparkContext
    jvm, conf = context._jvm, context._jsc.hadoopConfiguration()
    place = tmp_path / "secrets"
    assert secrets.forget_left(jvm, conf, lambda *_: True, folder=f"file://{place}") == 0
    place.mkdir()
    for name in ("ended.jceks", "going-on.jceks", "notes.txt"):
        (place / name).touch()
    os.utime(place / "ended.jceks", (time.time() - 7200,) * 2)
    asked = {}

    def is_over(name: str, age_s: float) -> bool:
        asked[name] = round(age_s / 3600)
        return name == "ended"

    assert secrets.forget_left(jvm, conf, is_over, folder=f"file://{place}") == 1
    assert asked == {"ended": 2, "going-on": 0}
    assert {file.name for file in place.iterdir() if file.suffix != ".crc"} == {"going-on.jceks", "notes.txt"}


def test_nodes_with_keys_of_their_own_get_no_file(spark):
    context = spark.sparkContext
    assert secrets.store(context._jvm, context._jsc.hadoopConfiguration(), "none", {}) == ""


def test_key_store_is_named_as_hadoop_wants_it():
    assert secrets.provider_path("hdfs://nn:8020/user/a/x.jceks") == "jceks://hdfs@nn:8020/user/a/x.jceks"
    assert secrets.provider_path("file:/home/a/x.jceks") == "jceks://file/home/a/x.jceks"


class _Yarn(BaseHTTPRequestHandler):
    """Answers as a ResourceManager does, a state a question."""

    states: tuple[tuple[str, str, str], ...] = ()
    asked = 0

    def do_GET(self) -> None:
        path = self.path.removeprefix("/ws/v1/cluster/")
        body = json.dumps(self._answer(path)).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(body)

    def _answer(self, path: str) -> dict:
        if path.startswith("apps?"):
            return {"apps": {"app": [{"id": "application_1_0001"}]} if path.endswith("=known") else None}
        if path.endswith("/containers"):
            rows = [("c_01", "node-1:1"), ("c_02", "node-2:1")]
            return {"container": [_row(name, node) for name, node in rows]}
        if path.endswith("/appattempts"):
            attempt = {"id": 1, "appAttemptId": "a_1", "containerId": "c_01", "nodeId": "node-1:1", "startTime": 1000}
            return {"appAttempts": {"appAttempt": [attempt | {"logsLink": "http://node-1/log"}]}}
        kind = type(self)
        state, final, diagnostics = kind.states[min(kind.asked, len(kind.states) - 1)]
        kind.asked += 1
        found = {"state": state, "finalStatus": final, "diagnostics": diagnostics, "trackingUrl": "http://rm/proxy"}
        return {"app": {**found, "elapsedTime": 2000, "user": "shop"}}

    def log_message(self, *args) -> None:
        pass


def _row(name: str, node: str) -> dict:
    return {"containerId": name, "nodeId": node, "containerState": "RUNNING", "elapsedTime": 500, "logUrl": "http://x"}


@pytest.fixture
def yarn():
    kind = type("Yarn", (_Yarn,), {})
    server = ThreadingHTTPServer(("127.0.0.1", 0), kind)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield kind, ResourceManager([f"http://127.0.0.1:{server.server_address[1]}"])
    server.shutdown()
    server.server_close()


def _followed(yarn, *states) -> tuple[app_monitor.Progress, list[str]]:
    kind, manager = yarn
    kind.states = states
    seen: list[str] = []
    ended = app_monitor.follow(
        manager, "application_1_0001", poll_s=0.01, on_progress=lambda progress: seen.append(progress.state)
    )
    return ended, seen


@pytest.mark.parametrize(
    ("final", "diagnostics", "code"),
    [
        ("SUCCEEDED", "", 0),
        ("FAILED", "User application exited with status 2", 2),
        ("FAILED", "User application exited with status 3", 3),
        ("FAILED", "User application exited with status 17", 1),
        ("FAILED", "Application failed 1 times due to AM Container exited with exitCode: 137", 1),
        ("KILLED", "Application killed by user.", 1),
    ],
)
def test_end_of_the_application_becomes_the_exit_code_of_the_run(yarn, final, diagnostics, code):
    ended, seen = _followed(
        yarn, ("ACCEPTED", "UNDEFINED", ""), ("RUNNING", "UNDEFINED", ""), ("FINISHED", final, diagnostics)
    )
    assert (ended.exit_code, seen) == (code, ["ACCEPTED", "RUNNING", "FINISHED"])


def test_closing_table_names_every_container_that_was_seen(yarn):
    ended, _ = _followed(yarn, ("RUNNING", "UNDEFINED", ""), ("FINISHED", "SUCCEEDED", ""))
    heading, driver, executor = app_monitor.table(ended)
    assert heading.split() == ["container", "role", "host", "state", "seconds", "log"]
    assert driver.split()[:3] == ["c_01", "driver", "node-1:1"]
    assert executor.split() == ["c_02", "executor", "node-2:1", "ENDED", "0", "http://x"]


def test_application_is_found_by_its_tag(yarn):
    assert app_monitor.find(yarn[1], "known") == "application_1_0001"
    assert app_monitor.find(yarn[1], "unknown") is None


def test_manager_that_is_gone_for_good_leaves_the_application_and_says_so(yarn, monkeypatch):
    manager = ResourceManager(["http://127.0.0.1:1"])
    clock = iter(range(0, 1000, 40))
    monkeypatch.setattr(app_monitor.time, "monotonic", lambda: next(clock))
    with pytest.raises(ClusterError, match="may run on"):
        app_monitor.follow(manager, "application_1_0001", poll_s=0, on_progress=lambda progress: None)


def test_tail_of_a_gathered_log_holds_its_lines_alone():
    heading = "Container: c on n\n=====\nLogType:{0}\nLogLength:5\nLogContents:\n"
    log = "".join(f"{heading.format(name)}{name} 1\n\n{name} 2\nEnd of LogType:{name}\n****\n" for name in ("a", "b"))
    assert app_monitor.tail(log, 3) == ["a 2", "b 1", "b 2"]
