"""What `--fix` writes settles: with all changes together the rules have nothing left to change."""

from __future__ import annotations

import functools
import json
import random

import pytest
from click.testing import CliRunner

from rankhammer_doctor.cli import doctor
from rankhammer_doctor.findings import Severity
from rankhammer_doctor.static_rules import check_conf
from rankhammer_doctor.static_rules.fixes import settled
from rankhammer_doctor.static_rules.shape import shape_of

SIZES = ("S1", "S2", "S3", "S4")


def _is_own(finding) -> bool:
    return any(change.file == "spark.yml" for change in finding.changes)


def _conf(rng: random.Random) -> dict[str, str]:
    choices = {
        "spark.executor.memory": ["512m", "1g", "4g", "8g", "30g", "100g", "4096", "2t"],
        "spark.executor.cores": ["1", "2", "4", "5", "8", "16", "64"],
        "spark.executor.instances": ["1", "2", "10", "29", "400"],
        "spark.executor.memoryOverhead": ["0", "384", "1g", "6g", "40g"],
        "spark.yarn.executor.memoryOverhead": ["512", "1g"],
        "spark.memory.offHeap.enabled": ["true", "false"],
        "spark.memory.offHeap.size": ["1g", "10g"],
        "spark.executor.pyspark.memory": ["512m", "4g"],
        "spark.task.cpus": ["1", "2", "4"],
        "spark.driver.memory": ["512m", "4g", "200g"],
        "spark.driver.maxResultSize": ["0", "1m", "16g"],
        "spark.dynamicAllocation.enabled": ["true", "false"],
        "spark.dynamicAllocation.maxExecutors": ["1", "100", "2147483647"],
        "spark.network.timeout": ["5s", "120s", "1h"],
        "spark.executor.heartbeatInterval": ["10s", "5m"],
        "spark.sql.shuffle.partitions": ["1", "200", "100000"],
        "spark.sql.autoBroadcastJoinThreshold": ["-1", "10m", "8g"],
        "spark.submit.deployMode": ["client", "cluster"],
        "spark.task.maxFailures": ["1", "4"],
        "spark.storage.memoryFraction": ["0.5"],
        "spark.eventLog.enabled": ["true", "false"],
    }
    chosen = {key: rng.choice(values) for key, values in choices.items() if rng.random() < 0.5}
    return {"spark.master": "yarn", **chosen}


def _shape(rng: random.Random):
    job = {
        "python_udfs": rng.random() < 0.5,
        "xgboost": rng.random() < 0.3,
        "barrier": rng.random() < 0.3,
        "input": rng.choice([None, "1m", "500g"]),
        "shuffle": rng.choice([None, "10g"]),
        "output": rng.choice([None, "s3a://b/t"]),
        "hours": rng.choice([None, 0.1, 5]),
    }
    shape = {
        "nodes": rng.choice([1, 4, 100]),
        "yarn_memory": rng.choice(["3g", "24g", "240g"]),
        "yarn_vcores": rng.choice([2, 8, 96]),
        "min_allocation": rng.choice([None, "1g", "256m"]),
        "max_allocation": rng.choice([None, "2g", "16g"]),
        "queue_share": rng.choice([None, 0.3]),
        "shared": rng.choice([None, True]),
        "job": {name: value for name, value in job.items() if value is not None},
    }
    return shape_of({name: value for name, value in shape.items() if value is not None})


@pytest.mark.parametrize("number", range(60))
def test_all_changes_together_leave_no_change_to_ask_for(number):
    rng = random.Random(number)
    conf, check = _conf(rng), functools.partial(check_conf, shape=_shape(rng))
    found = settled(conf, check)
    after = {**conf, **{one.key: one.value for one in found.changes}}
    again = check({key: value for key, value in after.items() if value is not None})
    assert [one.as_dict() for one in again] == [one.as_dict() for one in found.left]
    grave = [one for one in again if one.severity > Severity.INFO and one.rule in SIZES and _is_own(one)]
    assert [one.summary for one in grave] == []


def test_what_fix_writes_is_what_the_next_look_finds_nothing_in(tmp_path):
    conf, shape = tmp_path / "emr.json", tmp_path / "shape.yml"
    properties = {"spark.executor.memory": "30g", "spark.executor.cores": "8"}
    conf.write_text(json.dumps([{"Classification": "spark-defaults", "Properties": properties}]))
    shape.write_text("{nodes: 4, yarn_memory: 24g, yarn_vcores: 8, job: {python_udfs: true, shuffle: 100g}}")
    command = ["conf", str(conf), "--cluster", str(shape)]
    done = CliRunner().invoke(doctor, [*command, "--fix", "--yes"], catch_exceptions=False)
    assert "The doctor then says: Nothing to change." in done.stderr
    assert CliRunner().invoke(doctor, command).exit_code == 0


def test_a_long_line_of_spark_submit_is_read():
    line = "spark-submit --master yarn " + " ".join(f"--conf spark.executorEnv.N{n}={n}" for n in range(300)) + " a.py"
    done = CliRunner().invoke(doctor, ["conf", line, "--json"], catch_exceptions=False)
    assert len(json.loads(done.stdout)["conf"]) == 301


def test_a_script_is_not_written_over_and_a_flag_is_answered_by_a_flag(tmp_path):
    script = tmp_path / "run.sh"
    text = "#!/bin/sh\nset -e\nspark-submit --master yarn --executor-memory 100g --properties-file none.conf a.py\n"
    script.write_text(text)
    (tmp_path / "shape.yml").write_text("{nodes: 4, yarn_memory: 24g, yarn_vcores: 8}")
    command = ["conf", str(script), "--cluster", str(tmp_path / "shape.yml"), "--fix", "--yes"]
    done = CliRunner().invoke(doctor, command, catch_exceptions=False)
    assert script.read_text() == text
    assert "\n--executor-memory 22272m\n" in done.stdout
    assert "none.conf cannot be read" in done.stdout


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("spark.json", '{"spark.network.timeout": "5s", "spark.master": "yarn"}'),
        ("spark.yml", "{spark.network.timeout: 5s, spark.master: yarn}\n"),
        ("spark.yml", "spark:\n  network:\n    timeout: 5s\n"),
        ("spark.yml", "spark.master: yarn\nspark.network.timeout:\n  5s\n"),
    ],
)
def test_a_file_that_cannot_be_changed_line_by_line_stays_as_it_is(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    done = CliRunner().invoke(doctor, ["conf", str(tmp_path / name), "--fix", "--yes"], catch_exceptions=False)
    assert (tmp_path / name).read_text() == text
    assert done.exit_code == 2
    assert "by hand" in done.stderr


def test_emr_takes_names_in_lower_case_and_what_is_no_object(tmp_path):
    file = tmp_path / "emr.json"
    entry = {"classification": "spark-defaults", "properties": {"spark.network.timeout": "5s"}}
    file.write_text(json.dumps(["x", None, entry]))
    CliRunner().invoke(doctor, ["conf", str(file), "--fix", "--yes"], catch_exceptions=False)
    assert json.loads(file.read_text())[2]["properties"]["spark.network.timeout"] == "300s"
    file.write_text(json.dumps([{"Classification": "spark-defaults", "Properties": "x"}]))
    assert CliRunner().invoke(doctor, ["conf", str(file)], catch_exceptions=False).exit_code == 2
