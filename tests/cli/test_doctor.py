"""`rankhammer doctor`: what a run would ask for is checked, and changes go into spark.yml."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from click.testing import CliRunner

from rankhammer.cli import cluster, submit
from rankhammer.cli.main import rankhammer
from rankhammer.errors import ConfigError
from rankhammer.exit_codes import DOCTOR_ERRORS, DOCTOR_WARNINGS, USER_ERROR
from rankhammer.runs import doctor_inputs
from rankhammer.runs.execute import cluster_settings
from rankhammer.runs.planning import RunPlan
from rankhammer.yarn.limits import Limits
from rankhammer.yarn.resource_manager import WorkerNode
from rankhammer.yarn.submission import SubmissionSpec
from rankhammer_doctor.findings import Finding, Severity
from rankhammer_doctor.static_rules.shape import shape_of

ROOT = Path(__file__).parents[2]
SHAPE = "{nodes: 4, yarn_memory: 56g, yarn_vcores: 16, min_allocation: 1g, max_allocation: 56g, vmem_check: false}"
EVENTS = [
    {"Event": "SparkListenerLogStart", "Spark Version": "4.3.0"},
    {"Event": "SparkListenerApplicationStart", "App Name": "a", "App ID": "application_1_0001", "Timestamp": 1},
    {"Event": "SparkListenerApplicationEnd", "Timestamp": 2000},
]  # fmt: skip


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project folder with the configuration of base and prod."""
    folder = tmp_path / "project"
    for part in ("conf", "src"):
        shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__", "local"))
    (folder / "conf/local").mkdir()
    for part in ("pyproject.toml", ".telemetry"):
        shutil.copy(ROOT / part, folder)
    (folder / "shape.yml").write_text(SHAPE)
    monkeypatch.chdir(folder)
    for name in ("HADOOP_CONF_DIR", "YARN_CONF_DIR", "SPARK_HOME", "SPARK_CONF_DIR"):
        monkeypatch.delenv(name, raising=False)
    return folder


def call(*arguments, answer=None):
    return CliRunner().invoke(rankhammer, ["doctor", *arguments], input=answer)


def report(*arguments):
    done = call(*arguments, "--json")
    return done.exit_code, json.loads(done.stdout)


@pytest.mark.parametrize("pipeline", ["__default__", "train", "labeling"])
def test_production_has_a_clean_bill_on_a_cluster_with_room(project, pipeline):
    code, facts = report("conf", "--env=prod", "--cluster=shape.yml", f"--pipeline={pipeline}")
    assert (code, facts["findings"]) == (0, [])
    assert "profile large, fitted to the cluster" in facts["notes"]
    # Training gives a task the whole executor.
    assert facts["conf"]["spark.task.cpus"] == ("4" if pipeline == "train" else "1")


def test_one_machine_has_a_clean_bill(project):
    assert report("conf")[0] == 0


def test_a_machine_that_does_not_know_the_cluster_cannot_submit(project):
    code, facts = report("conf", "--env=prod")
    assert code == DOCTOR_ERRORS
    assert {one["rule"] for one in facts["findings"]} == {"S23"}


def test_a_profile_that_no_node_has_room_for_is_an_error_with_its_arithmetic(project):
    (project / "shape.yml").write_text("{nodes: 3, yarn_memory: 1g, yarn_vcores: 2, max_allocation: 1g}")
    code, facts = report("conf", "--env=prod", "--cluster=shape.yml")
    assert code == DOCTOR_ERRORS
    assert {"S3"} <= {one["rule"] for one in facts["findings"] if one["severity"] == "error"}


def test_changes_are_written_into_spark_yml_after_asking(project):
    file = project / "conf/prod/spark.yml"
    file.write_text(file.read_text().replace("spark.network.timeout: 300s", "spark.network.timeout: 5s # why"))
    arguments = ("conf", "--env=prod", "--cluster=shape.yml", "--fix")
    assert call(*arguments, answer="n\n").exit_code == DOCTOR_ERRORS
    assert "5s" in file.read_text()
    call(*arguments, answer="y\n")
    assert yaml.safe_load(file.read_text())["spark.network.timeout"] == "300s"
    assert "# YARN in client mode." in file.read_text()
    assert report("conf", "--env=prod", "--cluster=shape.yml")[0] == 0


def test_settings_of_spark_yml_win_over_the_profile(project):
    file = project / "conf/prod/spark.yml"
    file.write_text(file.read_text() + "spark.executor.cores: 12\n")
    code, facts = report("conf", "--env=prod", "--cluster=shape.yml")
    assert code == DOCTOR_WARNINGS
    assert "S4" in {one["rule"] for one in facts["findings"]}


@pytest.mark.parametrize(
    "arguments",
    [
        ("conf", "--env=nowhere"),
        ("conf", "--pipeline=trian"),
        ("conf", "--cluster=no.yml"),
        ("conf", "--thresholds=no.yml"),
        ("log", "no/such/log"),
        ("log", "application_1_0002"),
        ("compare", "no", "such"),
    ],
)
def test_what_a_user_can_cure_ends_with_a_hint(project, arguments):
    done = call(*arguments)
    assert done.exit_code == USER_ERROR, done.output
    assert "Hint: " in done.stderr
    assert done.exception is None or isinstance(done.exception, SystemExit)


def _write_log(place: Path) -> Path:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text("".join(json.dumps(event) + "\n" for event in EVENTS))
    return place


def test_an_application_s_log_is_found_by_its_id(project):
    _write_log(project / "history/application_1_0001")
    (project / "conf/local/spark.yml").write_text(f"spark.eventLog.dir: file://{project}/history\n")
    code, facts = report("log", "application_1_0001")
    assert (code, facts["application"]["duration_ms"]) == (0, 1999)
    with (
        pytest.raises(ConfigError, match="has no log of application_1_0002"),
        doctor_inputs.event_log("application_1_0002", None),
    ):
        pass


def test_a_log_on_a_filesystem_of_the_project_is_copied(project):
    _write_log(project / "history/eventlog_v2_application_1_0001/events_1_application_1_0001")
    copied = doctor_inputs._copy(f"file://{project}/history/eventlog_v2_application_1_0001", project / "copy")
    assert [path.name for path in copied.iterdir()] == ["events_1_application_1_0001"]
    one = doctor_inputs._copy(f"file://{_write_log(project / 'history/one')}", project / "copy")
    assert one.read_bytes() == (project / "history/one").read_bytes()
    with pytest.raises(ConfigError, match="nothing at"):
        doctor_inputs._copy(f"file://{project}/history/none", project / "copy")


def test_the_resource_manager_s_smallest_node_counts(project):
    nodes = (WorkerNode("a", 4096, 8, 0, 0, ()), WorkerNode("b", 2048, 16, 0, 0, ()))
    shape = doctor_inputs.shape_of_limits(Limits(nodes, "default", 0.5, 3072, 4, 512))
    assert (shape.nodes, shape.yarn_memory, shape.yarn_vcores, shape.queue_share) == (2, 2 << 30, 8, 0.5)
    assert (shape.min_allocation, shape.max_allocation, shape.max_vcores) == (512 << 20, 3 << 30, 4)


def test_sizes_are_those_that_submit_asks_for(project):
    settings, _ = cluster_settings("prod")
    shape = shape_of({"nodes": 2, "yarn_memory": "9g", "yarn_vcores": 8})
    keys, note = doctor_inputs.sizes(settings, shape, is_training=False)
    assert note == "profile small, fitted to the cluster"
    assert keys["spark.executor.memory"] == "640m"
    assert doctor_inputs.sizes(settings, shape_of({}), is_training=True)[0]["spark.task.cpus"] == "4"


def _spec(**settings):
    conf = {"spark.executor.memory": "2g", "spark.eventLog.enabled": "true", "spark.executor.memoryOverhead": "2g"}
    return SubmissionSpec((), "prod", "cluster", conf | settings)


def test_what_the_doctor_says_will_fail_is_not_submitted_without_force(project, monkeypatch):
    settings = cluster_settings("prod")[0]
    (project / "yarn-site.xml").touch()
    monkeypatch.setenv("HADOOP_CONF_DIR", str(project))
    monkeypatch.setattr(doctor_inputs, "asked_shape", lambda settings: (shape_of({}), ""))
    submitter = object.__new__(submit._Submitter)
    submitter.screen, submitter._is_forced = SimpleNamespace(line=print), False
    submitter._ask_doctor(_spec(), settings)
    with pytest.raises(ConfigError, match="this will fail: spark"):
        submitter._ask_doctor(_spec(**{"spark.network.timeout": "5s"}), settings)
    submitter._is_forced = True
    submitter._ask_doctor(_spec(**{"spark.network.timeout": "5s"}), settings)


def test_a_plan_has_what_the_doctor_says(monkeypatch):
    found = [Finding("S12", Severity.ERROR, "will fail"), Finding("S4", Severity.WARNING, "is large")]
    monkeypatch.setattr(doctor_inputs, "check_plan", lambda env, names: found)
    planned = RunPlan("prod", "", None, {}, [], [], {"master": "yarn"}, None, errors=[], notes=["first"])
    told = cluster._with_doctor(planned, "prod", [])
    assert (told.errors, told.notes) == (["will fail (doctor, S12)"], ["first", "is large (doctor, S4)"])


def test_a_run_that_has_ended_is_summed_up_in_a_line(project):
    properties = {"spark.eventLog.enabled": "true", "spark.eventLog.dir": f"file://{project}/history"}
    _write_log(project / "history/application_1_0001")
    _write_log(project / "history/application_1_00012").write_text("{}")
    told = doctor_inputs.summarize("application_1_0001", properties, "prod")
    assert told == "Doctor: nothing to change; `rankhammer doctor log application_1_0001 --env=prod` says more."
    log = project / "history/application_1_0001"
    log.write_text(log.read_text() + '{"Event":"SparkListenerJobEnd","Job ID":1,"Job Result":{"Result":"JobFailed"}}\n')
    assert "Doctor: 1 error; " in doctor_inputs.summarize("application_1_0001", properties, None)


@pytest.mark.parametrize(
    ("properties", "told"),
    [
        ({}, "the event log is off"),
        ({"spark.eventLog.enabled": "true", "spark.eventLog.dir": "file:///no/such"}, "says what to change"),
    ],
)
def test_a_run_without_a_log_that_can_be_read_ends_as_well(project, properties, told):
    assert told in doctor_inputs.summarize("application_1_0001", properties, None)
