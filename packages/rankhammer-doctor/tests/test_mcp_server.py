"""The tools for assistants: five, with small answers, and nothing outside of the folders that they are given."""

from __future__ import annotations

import inspect
import json

import pytest
from spark_ui import Ui, served

from rankhammer_doctor.errors import DoctorError
from rankhammer_doctor.mcp_server import Tools

LARGEST = 8_000
"""Bytes of an answer."""


@pytest.fixture
def tools(tmp_path, log):
    inside = tmp_path / "inside"
    inside.mkdir()
    for stage in range(60):
        log.job(stage, [stage], tasks=4).even_stage(stage, n=4, gc=1500).job_end(stage, 40_000 + stage)
    log.ended(90_000).write(inside / "log")
    log.write(inside / "other")
    (inside / "spark.conf").write_text("spark.network.timeout 5s\nspark.hadoop.fs.s3a.secret.key abc123\n")
    (tmp_path / "outside").write_text("spark.executor.memory 1g\n")
    (inside / "link").symlink_to(tmp_path / "outside")
    return Tools((inside,))


def test_there_are_five_with_a_description_and_typed_arguments(tools):
    found = tools.all()
    assert len(found) == 5
    assert all(one.__doc__ and len(one.__doc__) < 400 for one in found)
    assert all("self" not in inspect.signature(one).parameters for one in found)


def test_answers_are_small_also_of_a_run_with_much_to_say(tools):
    answers = [tools.diagnose_log("log"), tools.estimate_sizes("log"), tools.compare_logs("other", "log")]
    answers += [tools.check_conf("spark.conf")]
    assert all(len(json.dumps(one)) < LARGEST for one in answers)
    assert answers[0]["counts"]["error"] + answers[0]["counts"]["warning"] > 0
    assert len(answers[0]["findings"]) + answers[0]["more_findings"] == sum(answers[0]["counts"].values())
    assert "abc123" not in json.dumps(answers)
    assert {"S12"} <= {one["rule"] for one in answers[3]["findings"]}


def test_a_line_of_spark_submit_is_checked_as_it_stands(tools):
    assert tools.check_conf("spark-submit --master yarn --conf spark.network.timeout=5s job.py")["counts"]["error"]


@pytest.mark.parametrize("place", ["../outside", "/etc/passwd", "link", "s3://bucket/log", "hdfs:///log", "a\0b"])
def test_nothing_is_read_outside_of_the_roots(tools, place):
    for tool in (tools.diagnose_log, tools.estimate_sizes, tools.check_conf):
        with pytest.raises(DoctorError, match=r"not below|only files|Only files"):
            tool(place)


@pytest.mark.parametrize(
    "address", ["http://example.org:4040", "http://169.254.169.254", "http://[::2]", "file:///etc"]
)
def test_only_web_uis_of_this_machine_are_asked(tools, address):
    with pytest.raises(DoctorError, match=r"not on this machine|no address"):
        tools.look_at_running_job(address)


def test_a_running_job_is_looked_at(tools):
    with served(Ui().stage().threads("a.B.c(B.java:1)")) as address:
        found = tools.look_at_running_job(address, seconds=0)
    assert found["findings"][0]["rule"] == "L1"
    assert len(json.dumps(found)) < LARGEST
