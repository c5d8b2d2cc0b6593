"""Each way that a launch ends, on the control plane on this machine."""

from __future__ import annotations

import os
import signal

import pytest
from launching import SLOW, configure_emr, has_ended, is_running, the_cluster, wait_for, write

pytestmark = [pytest.mark.emr, pytest.mark.budget("emr")]


def test_a_job_that_fails_is_a_failure(site):
    code, said = site.run("launch", "--script", write(site, "raise SystemExit('no log today')"))
    assert code == 7, said
    assert "| no log today" in said
    assert the_cluster(site).state == "TERMINATED_WITH_ERRORS"


def test_a_jobs_own_exit_code_is_that_of_the_launch_where_it_means_the_same(site):
    code, said = site.run("launch", "--script", write(site, "raise SystemExit(3)"))
    assert code == 3, said


@pytest.mark.parametrize(
    ("fault", "expected", "words"),
    [
        ("bootstrap failure", 8, "BOOTSTRAP_FAILURE"),
        ("no capacity", 8, "INSTANCE_FLEET_TIMEOUT"),
        ("spot loss", 9, "INSTANCE_FAILURE"),
    ],
)
def test_a_cluster_that_does_not_come_or_is_lost_has_its_exit_code(site, fault, expected, words):
    site.aws.emr.faults.add(fault)
    site.set(node__jars=[str(site.project / "pyproject.toml")])
    code, said = site.run("launch", "--script", write(site, SLOW))
    assert code == expected, said + site.aws.node.log()
    assert words in said
    assert "Hint:" in said
    assert has_ended(site)


def test_a_cluster_that_somebody_ends_is_no_success(site):
    process = site.start("launch", "--script", write(site, SLOW))
    wait_for(lambda: is_running(site))
    the_cluster(site).stop("USER_REQUEST", "Terminated by user request")
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 10, said


def test_a_step_that_somebody_cancels_is_no_success(site):
    process = site.start("launch", "--script", write(site, SLOW))
    wait_for(lambda: is_running(site))
    the_cluster(site).cancel(the_cluster(site).steps[0].id)
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 10, said
    assert has_ended(site)


def test_throttled_requests_are_sent_again(site):
    process = site.start("launch", "--script", write(site), "--", "7")
    wait_for(lambda: "ListReleaseLabels" in site.aws.asked)
    site.aws.throttled = 3
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 0, said
    assert len(site.aws.emr.clusters) == 1


def test_a_launch_whose_answer_is_lost_starts_one_cluster(site):
    site.aws.lost_answers = 1
    code, said = site.run("launch", "--script", write(site), "--", "7")
    assert code == 0, said
    assert len(site.aws.emr.clusters) == 1


def test_a_cluster_ends_by_itself_when_the_launching_machine_dies(site):
    process = site.start("launch", "--script", write(site, "import time; time.sleep(3); print('done')"))
    wait_for(lambda: is_running(site))
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    wait_for(lambda: has_ended(site))
    assert the_cluster(site).state == "TERMINATED"
    (outcome,) = [key for key in site.objects() if key.endswith("outcome.json") and the_cluster_launch(site) in key]
    assert '"exit_code": 0' in site.read(outcome)


def the_cluster_launch(site):
    return next(tag["Value"] for tag in the_cluster(site).asked["Tags"] if tag["Key"] == "launch")


def test_ctrl_c_ends_the_cluster(site):
    process = site.start("launch", "--script", write(site, SLOW))
    wait_for(lambda: is_running(site))
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 130, said
    wait_for(lambda: has_ended(site))
    assert the_cluster(site).reason["Code"] == "USER_REQUEST"


def test_a_job_that_takes_longer_than_its_time_is_ended_on_the_cluster(site):
    site.set(ttl_h=0.001)
    code, said = site.run("launch", "--script", write(site, SLOW))
    assert code == 7, said
    assert "ended after 4 s, the ttl_h of its launch" in said
    assert has_ended(site)


def test_a_cluster_that_is_kept_takes_the_next_job_and_is_destroyed(site):
    code, said = site.run("launch", "--keep-alive", "1", "--script", write(site), "--", "7")
    assert code == 0, said
    cluster = the_cluster(site)
    assert cluster.steps[0].asked["ActionOnFailure"] == "CANCEL_AND_WAIT"
    assert cluster.asked["AutoTerminationPolicy"] == {"IdleTimeout": 3600}
    code, said = site.run("step", cluster.id, "--script", write(site), "--", "8")
    assert code == 0, said
    assert "| counted 48" in said
    code, said = site.run("status", "--json")
    assert code == 0
    assert '"state": "WAITING"' in said
    code, said = site.run("list-orphans")
    assert code == 0, said
    code, said = site.run("destroy", "--cluster", cluster.id, "--yes")
    assert code == 0, said
    wait_for(lambda: has_ended(site))


def test_after_a_failure_a_cluster_that_is_kept_waits(site):
    code, said = site.run("launch", "--keep-alive-on-failure", "--script", write(site, "raise SystemExit(1)"))
    assert code == 7, said
    assert the_cluster(site).state == "WAITING"
    code, _ = site.run("launch", "--keep-alive-on-failure", "--script", write(site), "--", "7")
    assert code == 0
    second = list(site.aws.emr.clusters.values())[1]
    wait_for(lambda: second.state == "TERMINATED")


SPARK = """
import sys
from pyspark.sql import SparkSession

spark = SparkSession.builder.getOrCreate()
spark.range(int(sys.argv[1])).write.parquet(sys.argv[2])
print("rows", spark.read.parquet(sys.argv[2]).count(), flush=True)
"""


def test_a_real_spark_job_writes_to_s3_with_a_secret_that_has_signs_of_addresses(site):
    file = write(site, SPARK)
    site.set(node__spark_submit="spark-submit")
    code, said = site.run("launch", "--script", file, "--", "42", "s3a://my-search-rankers/results/numbers")
    assert code == 0, said + site.aws.node.log()
    assert "| rows 42" in said
    assert "results/numbers/_SUCCESS" in site.objects("results/")
    assert "made/for+this" not in said


def test_what_a_check_finds_is_refused_before_anything_is_started(site):
    script = write(site)
    for change, words in (
        (lambda: site.aws.account.denied.add("elasticmapreduce:RunJobFlow"), "may not elasticmapreduce:RunJobFlow"),
        (lambda: site.aws.account.quotas.update({"L-1216C47A": 4.0}), "needs 8 vCPUs"),
        (lambda: site.aws.account.roles.discard("rankhammer-emr-service"), "A role is missing"),
        (lambda: site.set(max_cost=0.5), "max_cost is 0.5"),
    ):
        change()
        code, said = site.run("launch", "--script", script)
        assert code == 2, said
        assert words in said
        assert "Hint:" in said
    assert site.aws.emr.clusters == {}


@pytest.mark.parametrize(
    ("change", "environ", "words"),
    [
        ({"region": "eu-wets-1"}, {}, "EMR has no region 'eu-wets-1'"),
        ({"bucket": "somebody-elses"}, {}, "bucket somebody-elses"),
        ({}, {"AWS_SECRET_ACCESS_KEY": "wrong/se+cret"}, "their secret is wrong"),
        ({"network": {"primary_group": "sg-1"}}, {}, "lets the whole world in at port 22"),
        ({"release": "emr-7.11.0"}, {}, "no release 'emr-7.11.0'"),
    ],
)
def test_bad_input_is_refused_with_what_to_do(site, change, environ, words):
    site.aws.account.groups["sg-1"] = "0.0.0.0/0"
    site.set(**change)
    code, said = site.run("launch", "--script", write(site), **environ)
    assert code == 2, said
    assert words in said
    assert "wrong/se+cret" not in said
    assert site.aws.emr.clusters == {}


@pytest.mark.parametrize(
    ("job", "words"),
    [
        (["--script", "s3a://my-search-rankers/none.py"], "There is no file s3://my-search-rankers/none.py"),
        (["--pipeline=train", "--params=training.n_trails=3"], "there is no key 'training.n_trails'"),
        (["--pipeline=train", "--params=training.n_trials=-3"], "should be greater than or equal to 1"),
        (["--params=foo"], "Item `foo` must contain a key and a value"),
    ],
)
def test_what_a_cluster_would_find_out_after_minutes_is_refused_here(site, job, words):
    site.set(node__jars=[])
    code, said = site.run("launch", *job)
    assert code == 2, said
    assert words in said
    assert site.aws.emr.clusters == {}


def test_a_check_sees_what_would_be_missing_on_this_machine(site):
    site.set(node__jars=["jars/*.jar"])
    code, said = site.run("check")
    assert code == 2, said
    assert "node.jars: jars/*.jar matches no file" in said


def test_results_that_would_go_with_the_cluster_are_refused(site):
    site.set(node__jars=[])
    paths = {"root": "hdfs:///apps/rankhammer", "published": "s3a://my-search-rankers/published"}
    configure_emr(site, "globals.yml", {"bucket": "s3a://my-search-rankers/x", "paths": paths})
    code, said = site.run("launch", "--pipeline=train")
    assert code == 2, said
    assert "paths of the environment emr go with the cluster, or are on this machine:" in said
    assert site.aws.emr.clusters == {}
