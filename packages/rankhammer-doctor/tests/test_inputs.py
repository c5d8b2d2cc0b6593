"""Configurations are read in the form in which people have them, and written back in it."""

from __future__ import annotations

import json

import pytest
import yaml

from rankhammer_doctor.errors import DoctorError
from rankhammer_doctor.findings import ConfChange, Severity
from rankhammer_doctor.static_rules import check_conf
from rankhammer_doctor.static_rules.fixes import fixed
from rankhammer_doctor.static_rules.inputs import EMR, PROPERTIES, SUBMIT, YAML, parse_conf, read_conf
from rankhammer_doctor.static_rules.shape import ClusterShape, read_shape, shape_of, with_site

MAXIMIZE = "maximizeResourceAllocation"
LINE = (
    "PYSPARK_PYTHON=./env/bin/python /opt/spark/bin/spark-submit --master yarn --deploy-mode=cluster \\\n"
    "  --num-executors 29 --executor-cores 4 --conf spark.executor.memory=1g --executor-memory 2g \\\n"
    "  --conf 'spark.driver.extraJavaOptions=-Dx=1 -Dy=2' --conf=spark.network.timeout=5s job.py --conf spark.no=1"
)


def test_a_submit_line_is_read_as_spark_reads_it():
    found = read_conf(LINE)
    assert (found.kind, found.is_python) == (SUBMIT, True)
    assert found.conf == {
        "spark.master": "yarn",
        "spark.submit.deployMode": "cluster",
        "spark.executor.instances": "29",
        "spark.executor.cores": "4",
        # The flag wins, also over a --conf behind it.
        "spark.executor.memory": "2g",
        "spark.driver.extraJavaOptions": "-Dx=1 -Dy=2",
        "spark.network.timeout": "5s",
    }


def test_a_script_with_a_submit_line_is_one_and_a_properties_file_is_read_beside_it(tmp_path):
    (tmp_path / "my.conf").write_text("spark.executor.memory 9g\nspark.executor.cores 2\n")
    (tmp_path / "run.sh").write_text(
        "#!/bin/sh\n# starts spark-submit\nspark-submit --properties-file my.conf --executor-cores 3 a.jar\n"
    )
    found = read_conf(str(tmp_path / "run.sh"))
    assert found.conf == {"spark.executor.memory": "9g", "spark.executor.cores": "3"}
    assert found.is_python is False


def test_properties_have_blanks_or_signs_between_key_and_value():
    text = "# c\n! c\nspark.master yarn\nspark.a.b = 1\nspark.c:2\nspark.d   x = y\nspark.e a,\\\n   b\nspark.f\n"
    found = parse_conf(text)
    assert found.kind == PROPERTIES
    assert found.conf == {
        "spark.master": "yarn",
        "spark.a.b": "1",
        "spark.c": "2",
        "spark.d": "x = y",
        "spark.e": "a,b",
        "spark.f": "",
    }


def test_yaml_may_be_flat_or_nested():
    assert parse_conf("spark.ui.enabled: false\nspark.task.cpus: 2\nspark.x: null\n").conf == {
        "spark.ui.enabled": "false",
        "spark.task.cpus": "2",
    }
    assert parse_conf("spark:\n  executor:\n    memory: 2g\n").kind == YAML


def test_emr_has_classifications_in_classifications():
    text = json.dumps(
        [
            {"Classification": "spark-defaults", "Properties": {"spark.executor.memory": "2g"}},
            {"Classification": "yarn-site", "Properties": {"yarn.nodemanager.vmem-check-enabled": "true"}},
            {"Classification": "x", "Configurations": [{"Classification": "spark", "Properties": {MAXIMIZE: "true"}}]},
        ]
    )
    found = parse_conf(text)
    assert (found.kind, found.conf) == (EMR, {"spark.executor.memory": "2g"})
    assert with_site(ClusterShape(), found.site).vmem_check is True
    assert found.notes


@pytest.mark.parametrize(("given", "expected"), [({}, []), ({"spark.eventLog.enabled": "false"}, ["S21"])])
def test_emr_writes_event_logs_unless_it_is_told_not_to(given, expected):
    entry = {"Classification": "spark-defaults", "Properties": {"spark.executor.memory": "2g", **given}}
    read = parse_conf(json.dumps([entry]))
    found = check_conf(read.conf, platform=read.defaults)
    assert [one.rule for one in found if one.rule == "S21"] == expected


@pytest.mark.parametrize(
    "text",
    ["", "hello world, this is: a text", "{", "[]", "a: 1\n", "spark.a: [1]\n", "spark-submit --conf 'x", "a=1\n"],
)
def test_anything_else_is_refused_with_a_hint(tmp_path, text):
    (tmp_path / "file").write_text(text)
    with pytest.raises(DoctorError) as caught:
        read_conf(str(tmp_path / "file"))
    assert caught.value.hint


def test_a_file_that_is_not_there_or_no_text_is_refused(tmp_path):
    for place in (tmp_path / "no", tmp_path):
        with pytest.raises(DoctorError, match="cannot be read"):
            read_conf(str(place))
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00\x80")
    with pytest.raises(DoctorError, match="cannot be read"):
        read_conf(str(tmp_path / "binary"))


CHANGES = [
    ConfChange("spark.a", "1", "0"),
    ConfChange("spark.new", "true"),
    ConfChange("spark.old", None, "x"),
]


def test_fixing_properties_keeps_what_stands_beside(tmp_path):
    (tmp_path / "f").write_text("# why\nspark.a = 0\nspark.ab 5\nspark.old x\n")
    assert fixed(read_conf(str(tmp_path / "f")), CHANGES) == "# why\nspark.a = 1\nspark.ab 5\nspark.new true\n"


def test_fixing_yaml_keeps_comments_and_quotes_what_yaml_would_take_for_true(tmp_path):
    (tmp_path / "f.yml").write_text('# why\n"spark.a": 0\nspark.old: x\n')
    text = fixed(read_conf(str(tmp_path / "f.yml")), CHANGES)
    assert text.startswith("# why\n")
    assert yaml.safe_load(text) == {"spark.a": 1, "spark.new": "true"}


def test_fixing_emr_writes_into_its_classification(tmp_path):
    entry = {"Classification": "spark-defaults", "Properties": {"spark.old": "x"}}
    (tmp_path / "f.json").write_text(json.dumps([{"Classification": "x"}, entry]))
    values = json.loads(fixed(read_conf(str(tmp_path / "f.json")), CHANGES))
    assert values[1]["Properties"] == {"spark.a": "1", "spark.new": "true"}


def test_a_submit_line_is_given_more_options():
    wanted = "--conf spark.a=1\n--conf spark.new=true\n# without --conf spark.old"
    assert fixed(read_conf(LINE), CHANGES) == wanted


@pytest.mark.parametrize(
    "text",
    ["nods: 3", "nodes: many", "job: 3", "job: {colour: red}", "- 1", "nodes: -2", "shared: perhaps", ":\n  - ]"],
)
def test_a_shape_with_a_wrong_name_or_value_is_refused(tmp_path, text):
    (tmp_path / "shape.yml").write_text(text)
    with pytest.raises(DoctorError) as caught:
        read_shape(tmp_path / "shape.yml")
    assert caught.value.hint


def test_a_shape_takes_sizes_with_units_and_bare_mebibytes(tmp_path):
    (tmp_path / "shape.yml").write_text(
        "yarn_memory: 57344\nmax_allocation: 56g\njob: {shuffle: 1.5t, python: '3.11'}\n"
    )
    shape = read_shape(tmp_path / "shape.yml")
    assert shape.yarn_memory == shape.max_allocation == 56 << 30
    assert shape.job.shuffle == 3 << 39


SPARK = {"spark.executor.memory": "4g", "spark.executor.cores": "4"}
CALCULATOR = {
    "yarn.scheduler.capacity.resource-calculator": "org.apache.hadoop.yarn.util.resource.DominantResourceCalculator"
}
FLAGS = {
    "sparkSubmitJobDriver": {"entryPoint": "s3://b/a.py", "sparkSubmitParameters": "--conf spark.executor.cores=2"}
}
OF_SPARK = [{"Classification": "spark-defaults", "Properties": SPARK}]
OF_JOB = [{"classification": "spark-defaults", "properties": SPARK}]
EVERYWHERE = {
    "a request for a cluster": {"Instances": {"InstanceGroups": [{"Configurations": OF_SPARK}]}, "Configurations": []},
    "overrides of a job": {"configurationOverrides": {"applicationConfiguration": OF_JOB}},
    "a template": [{"Classification": "spark-defaults", "ConfigurationProperties": SPARK}],
}


@pytest.mark.parametrize("name", EVERYWHERE)
def test_classifications_of_emr_are_found_wherever_they_stand(name):
    assert parse_conf(json.dumps(EVERYWHERE[name])).conf == SPARK


def test_a_job_s_flags_win_over_its_classifications():
    values = {"jobDriver": FLAGS, **EVERYWHERE["overrides of a job"]}
    assert parse_conf(json.dumps(values)).conf == {**SPARK, "spark.executor.cores": "2"}


def test_the_scheduler_s_classification_says_whether_queues_share_cores():
    read = parse_conf(json.dumps([{"Classification": "capacity-scheduler", "Properties": CALCULATOR}]))
    assert with_site(shape_of({}), read.site).counts_cores is True


def test_a_key_that_stands_twice_is_named():
    read = parse_conf("spark.executor.memory 4g\nspark.executor.cores 4\nspark.executor.memory=8g\n")
    assert (read.conf["spark.executor.memory"], len(read.notes)) == ("8g", 1)
    assert "spark.executor.memory" in read.notes[0]


@pytest.mark.parametrize("command", ["spark3-submit", "/usr/bin/spark2-submit", "nice spark-submit", "pyspark3"])
def test_commands_of_vendors_are_lines_too(command):
    assert read_conf(f"{command} --executor-memory 4g x.py").conf == {"spark.executor.memory": "4g"}


@pytest.mark.parametrize(
    ("key", "new"),
    [
        ("SPARK.executor.cores", "spark.executor.cores"),
        ("fs.s3a.endpoint", "spark.hadoop.fs.s3a.endpoint"),
        ("export", None),
    ],
)
def test_keys_that_spark_drops_are_named(key, new):
    (found,) = (one for one in check_conf({"spark.master": "local", key: "4"}) if one.rule == "S17")
    assert [change.key for change in found.changes if change.value is not None] == ([new] if new else [])


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("spark.executor.memory", "3"),
        ("spark.executor.memory", "449m"),
        ("spark.driver.memory", "460000k"),
        ("spark.driver.memory", "-1g"),
        ("spark.executor.cores", "0"),
        ("spark.task.maxFailures", "-1"),
        ("spark.sql.shuffle.partitions", "0"),
    ],
)
def test_what_spark_reads_and_does_not_start_with_is_an_error(key, value):
    (found,) = (one for one in check_conf({"spark.master": "yarn", key: value}) if one.rule == "S17")
    assert (found.severity, found.place) == (Severity.ERROR, key)
    assert f"{key}={value}" in found.summary


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("spark.executor.memory", "450"),
        ("spark.driver.memory", "1g"),
        ("spark.task.cpus", "1"),
        ("spark.executor.cores", "${N}"),
    ],
)
def test_the_least_that_spark_starts_with_is_none(key, value):
    assert not [one for one in check_conf({"spark.master": "yarn", key: value}) if one.rule == "S17"]
