"""What EMR is asked for, against botocore's model of it; and what is known before and after without asking anybody."""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from fake_aws.requests import RefusalError, require_valid

from rankhammer.emr import jobs, prices
from rankhammer.emr.artifacts import NoArtifacts
from rankhammer.emr.cluster_request import run_job_flow, step
from rankhammer.emr.conf_secrets import require_no_keys, require_no_keys_in
from rankhammer.emr.launcher import hours_at_most, new_launch
from rankhammer.emr.outcome import outcome
from rankhammer.emr.settings import read_settings
from rankhammer.errors import ConfigError
from rankhammer.runs.emr_jobs import EmrProject, JobOptions, job_of, require_same_machine
from rankhammer.runs.emr_spark_defaults import with_spark_defaults
from rankhammer.yarn.settings import ClusterSettings

ROOT = Path(__file__).parents[2]
PLACE = {"region": "us-east-1", "bucket": "rankers"}
SPOT = {"task": {"types": ["m5.xlarge", "r5.xlarge"], "spot": 3}, "core": {"types": ["m5.xlarge"], "on_demand": 1}}
JOB = jobs.Job("train", (("app", "s3://rankers/x.whl"),), ("python3", "-m", "rankhammer", "run"))


def settings(**more):
    return read_settings({**PLACE, **more})


def request(**more):
    own = settings(fleets=SPOT, security_configuration="encrypted", **more)
    return run_job_flow(
        own, JOB, new_launch(own), script="s3://rankers/step.sh", bootstrap=["s3://rankers/b.sh", "/mnt"]
    )


def test_a_request_is_one_that_emr_takes():
    require_valid("emr", "RunJobFlow", request())


def test_a_request_that_emr_does_not_take_is_refused_by_the_control_plane():
    wrong = request()
    wrong["Steps"][0]["ActionOnFailure"] = "GO_ON"
    with pytest.raises(RefusalError, match="ActionOnFailure"):
        require_valid("emr", "RunJobFlow", wrong)


def test_a_cluster_ends_with_its_job_and_without_work_however_it_is_launched():
    asked = request(ttl_h=2)
    assert asked["Instances"]["KeepJobFlowAliveWhenNoSteps"] is False
    assert asked["Steps"][0]["ActionOnFailure"] == "TERMINATE_CLUSTER"
    assert asked["AutoTerminationPolicy"]["IdleTimeout"] == 2 * 3600
    assert asked["Steps"][0]["HadoopJarStep"]["Args"][6] == str(2 * 3600)


def test_spot_instances_that_are_not_to_be_had_are_taken_at_the_list_price():
    task = request()["Instances"]["InstanceFleets"][2]
    assert (task["TargetOnDemandCapacity"], task["TargetSpotCapacity"]) == (0, 3)
    assert task["LaunchSpecifications"]["SpotSpecification"]["TimeoutAction"] == "SWITCH_TO_ON_DEMAND"


def test_a_cluster_that_is_kept_after_a_failure_waits_and_then_ends():
    own = settings(ttl_h=1)
    launch = new_launch(own, keeps_on_failure=True)
    assert step(own, "s3://rankers/step.sh", JOB, launch)["ActionOnFailure"] == "CANCEL_AND_WAIT"
    asked = run_job_flow(own, JOB, launch, script="s3://rankers/step.sh", bootstrap=())
    assert asked["AutoTerminationPolicy"]["IdleTimeout"] == 3600
    assert hours_at_most(own, keeps_on_failure=True, keep_alive_h=0) == 1 + 1


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"fleets": {"core": {"types": ["large"], "on_demand": 1}}}, "'large' is no instance type"),
        ({"fleets": {"primary": {"types": ["m5.xlarge"], "on_demand": 2}}}, "primary fleet has one instance"),
        ({"relase": "emr-7.10.0"}, "relase"),
        ({"bucket": None}, "names no bucket"),
        ({"ttl_h": 0}, "ttl_h"),
    ],
)
def test_a_wrong_setting_is_refused_with_its_name(wrong, words):
    with pytest.raises(ConfigError) as found:
        read_settings({**PLACE, **wrong})
    assert words in found.value.message
    assert found.value.hint


def test_a_launch_costs_at_most_its_dearest_instances_for_all_of_its_time():
    table = prices.read_prices(None)
    own = settings(fleets={**SPOT, "primary": {"types": ["m5.xlarge"], "on_demand": 1}}, region="eu-central-1")
    found = prices.estimate(own, table, hours=2)
    factor = table.regions["eu-central-1"]
    assert found.hourly == pytest.approx(2 * (0.192 * factor + 0.048) + 3 * (0.252 * factor + 0.063))
    assert found.most == pytest.approx(2 * found.hourly)
    assert found.vcpus == (4 + 4, 3 * 4)
    prices.require_within(found, found.most)
    with pytest.raises(ConfigError, match="max_cost is 1"):
        prices.require_within(found, 1)


@pytest.mark.parametrize("wrong", [{"region": "mars-1"}, {"fleets": {"core": {"types": ["x9.huge"], "on_demand": 1}}}])
def test_what_has_no_price_has_no_bound(wrong):
    with pytest.raises(ConfigError, match="not known"):
        prices.estimate(settings(**wrong), prices.read_prices(None), hours=1)


def test_an_instance_is_paid_from_ready_to_end_and_for_a_minute_at_least():
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    long = {"ReadyDateTime": begin, "EndDateTime": begin + timedelta(hours=2)}
    short = {"CreationDateTime": begin, "EndDateTime": begin + timedelta(seconds=1)}
    found = [{"InstanceType": "m5.xlarge", "Status": {"Timeline": times}} for times in (long, short)]
    paid = prices.spent(found, prices.read_prices(None), "us-east-1", now=begin)
    assert paid == pytest.approx((0.192 + 0.048) * (2 + 60 / 3600))


READY = {"ReadyDateTime": datetime(2026, 1, 1, tzinfo=UTC)}


@pytest.mark.parametrize(
    ("state", "exit_code", "reason", "timeline", "expected"),
    [
        ("COMPLETED", 0, "ALL_STEPS_COMPLETED", READY, 0),
        ("COMPLETED", 1, "ALL_STEPS_COMPLETED", READY, 7),
        ("FAILED", 1, "STEP_FAILURE", READY, 7),
        ("FAILED", None, "STEP_FAILURE", READY, 7),
        ("FAILED", 3, "STEP_FAILURE", READY, 3),
        ("FAILED", None, "INSTANCE_FAILURE", READY, 9),
        ("CANCELLED", None, "BOOTSTRAP_FAILURE", {}, 8),
        ("PENDING", None, "INSTANCE_FLEET_TIMEOUT", {}, 8),
        ("RUNNING", None, "INTERNAL_ERROR", READY, 9),
        ("CANCELLED", None, "USER_REQUEST", READY, 10),
        ("CANCELLED", None, "USER_REQUEST", {}, 10),
        ("RUNNING", None, "USER_REQUEST", READY, 10),
    ],
)
def test_what_is_not_known_to_have_ended_well_has_not(state, exit_code, reason, timeline, expected):
    cluster = {"Status": {"State": "TERMINATED", "StateChangeReason": {"Code": reason}, "Timeline": timeline}}
    found = outcome(cluster, {"Status": {"State": state}}, exit_code)
    assert found.code == expected
    assert bool(found.hint) == (expected not in (0, 3))


@pytest.mark.parametrize(
    "line",
    [
        "spark.hadoop.fs.s3a.secret.key: abc/def",
        "key: AKIAABCDEFGHIJKLMNOP",
        "  aws_secret_access_key = 'x'",
    ],
)
def test_a_key_of_aws_in_the_configuration_is_refused_and_not_quoted(tmp_path, line):
    file = tmp_path / "spark.yml"
    file.write_text(f"# fine\n{line}\n")
    with pytest.raises(ConfigError, match="line 2") as found:
        require_no_keys([("conf/emr/spark.yml", file)])
    assert line.split()[-1] not in str(found.value)
    file.write_text(f"# {line}\naws_secret_access_key: null\n")
    require_no_keys([("conf/emr/spark.yml", file)])


def test_a_secret_in_a_jobs_arguments_is_refused_and_not_quoted():
    require_no_keys_in(["--pipeline=train", "s3://bucket/a@b"])
    with pytest.raises(ConfigError, match="Argument 2") as found:
        require_no_keys_in(["--to", "postgres://me:hunter2@db/x"])
    assert "hunter2" not in str(found.value)


def test_a_kedro_project_travels_without_secrets_and_data(tmp_path):
    kept = ["pyproject.toml", "conf/base/catalog.yml", "src/shop/__init__.py"]
    left = ["conf/local/credentials.yml", "conf/base/credentials_s3.yml", "data/01_raw/x.csv", ".git/config"]
    for name in (*kept, *left):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    assert [name for name, _ in jobs.project_files(tmp_path)] == sorted(kept)


def test_a_module_that_a_wheel_does_not_hold_is_refused_here(tmp_path):
    import zipfile

    file = tmp_path / "shop-1-py3-none-any.whl"
    with zipfile.ZipFile(file, "w") as wheel:
        wheel.writestr("shop/sweep.py", "")
    with pytest.raises(ConfigError, match=r"no module 'shop\.swep'") as found:
        jobs.wheel(None, str(file), "shop.swep", ())
    assert "shop.sweep" in found.value.hint


def test_a_request_is_json_without_a_secret():
    assert "AKIA" not in json.dumps(request())


def test_executors_fill_the_smallest_instances_and_what_the_environment_says_counts():
    own = settings(fleets=SPOT, configurations={"spark-defaults": {"spark.executor.memory": "3g"}})
    found = with_spark_defaults(own).configurations["spark-defaults"]
    assert found["spark.executor.memory"] == "3g"
    # Of m5.xlarge, the smaller one of the two types: 4 vCPUs, and 12 GB for containers.
    assert found["spark.executor.cores"] == "4"
    filled = with_spark_defaults(settings(fleets=SPOT)).configurations["spark-defaults"]
    room = sum(int(filled[f"spark.executor.{name}"].removesuffix("m")) for name in ("memory", "memoryOverhead"))
    assert 10 * 1024 < room <= 11 * 1024


def test_an_instance_that_is_in_no_table_gets_no_defaults():
    own = settings(fleets={"core": {"types": ["x9.huge"], "on_demand": 1}})
    assert with_spark_defaults(own) == own


def test_instances_of_another_kind_than_the_python_are_refused(tmp_path):
    here = {"x86_64": "m5.xlarge", "aarch64": "m6g.xlarge"}
    other = {"x86_64": "r7gd.2xlarge", "aarch64": "m6i.large"}[os.uname().machine]
    fleet = {"types": [here[os.uname().machine]], "on_demand": 1}
    own = settings(fleets={"primary": fleet, "core": fleet, "task": {"types": [other], "spot": 1}})
    project = EmrProject("emr", ROOT, own, ClusterSettings(), {})
    with pytest.raises(ConfigError, match=f"and {re.escape(other)} is of another kind"):
        require_same_machine(project)
    alike = own.model_copy(update={"fleets": settings(fleets={"primary": fleet, "core": fleet}).fleets})
    require_same_machine(replace(project, settings=alike))


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"pipeline": "train", "copies": ["hdfs:///out=s3://b/out"]}, "--copy is for a script, a wheel or another"),
        ({"script": "job.py", "copies": ["hdfs:///out"]}, "no folder to copy, or none to copy to"),
        ({"script": "job.py", "copies": ["s3://b/out=s3://b/other"]}, "no folder to copy"),
        ({"script": "job.py", "copies": ["hdfs:///=s3://b/other"]}, "no folder to copy"),
        ({"script": "job.py", "copies": ["hdfs:///out=s3://"]}, "none to copy to"),
    ],
)
def test_what_cannot_be_copied_is_refused_before_anything_is_paid(asked, said):
    project = EmrProject("emr", ROOT, settings(), ClusterSettings(), {})
    with pytest.raises(ConfigError, match=said):
        job_of(project, JobOptions(**asked), NoArtifacts("s3://b"), lambda _: None)
