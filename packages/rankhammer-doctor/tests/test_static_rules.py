"""Each static rule speaks where its fault is, and is silent on a configuration without it."""

from __future__ import annotations

import pytest

from rankhammer_doctor.committers import MAGIC
from rankhammer_doctor.static_rules import check_conf
from rankhammer_doctor.static_rules.shape import shape_of
from rankhammer_doctor.static_rules.sizes import node_is_filled

SOUND = {
    "spark.master": "yarn",
    "spark.executor.memory": "4g",
    "spark.executor.memoryOverhead": "3g",
    "spark.executor.cores": "4",
    "spark.executor.instances": "6",
    "spark.sql.shuffle.partitions": "72",
    "spark.eventLog.enabled": "true",
    "spark.executor.processTreeMetrics.enabled": "true",
    "spark.network.timeout": "300s",
}
SHAPE = {
    "nodes": 4,
    "node_memory": "32g",
    "yarn_memory": "24g",
    "yarn_vcores": 12,
    "min_allocation": "1g",
    "max_allocation": "24g",
    "max_vcores": 12,
    "shared": True,
    "vmem_check": False,
    "java": 17,
    "python": "3.11",
}


def check(conf=None, shape=None, environ=None, **job):
    conf = {key: value for key, value in {**SOUND, **(conf or {})}.items() if value is not None}
    return check_conf(conf, shape_of({**SHAPE, **(shape or {}), "job": job}), environ=environ)


def rules(*args, **given):
    return {finding.rule: finding.severity.label for finding in check(*args, **given)}


def test_a_sound_configuration_has_nothing():
    assert check(python_udfs=True, shuffle="8g", input="20g", python="3.11", output="/nowhere", hours=1) == []
    assert check_conf(SOUND) == []


DYNAMIC = {"spark.dynamicAllocation.enabled": "true", "spark.dynamicAllocation.maxExecutors": "6"}
MANY = {"spark.sql.shuffle.partitions": "400"}
CASES = [
    ("S1", "warning", {}, {"yarn_memory": "31g"}, {}),
    ("S2", "warning", {"spark.executor.memoryOverhead": None}, {}, {"python_udfs": True}),
    ("S2", "warning", {"spark.task.cpus": "4"}, {}, {"xgboost": True, "matrix": "4g"}),
    ("S3", "error", {"spark.executor.memory": "30g"}, {}, {}),
    ("S3", "error", {}, {"max_vcores": 3}, {}),
    ("S3", "warning", {"spark.executor.instances": "29", **MANY}, {}, {}),
    ("S3", "warning", {}, {"queue_share": 0.25}, {}),
    ("S3", "error", {"spark.submit.deployMode": "cluster", "spark.driver.memory": "30g"}, {}, {}),
    ("S4", "warning", {"spark.executor.cores": "8", "spark.executor.instances": "4"}, {"nodes": 8}, {}),
    ("S4", "warning", {"spark.executor.memory": "2g"}, {}, {"python_udfs": True}),
    ("S5", "warning", {}, {}, {"shuffle": "100g"}),
    (
        "S5",
        "warning",
        {"spark.sql.shuffle.partitions": "2000", "spark.sql.adaptive.enabled": "false"},
        {},
        {"input": "10m"},
    ),
    ("S6", "warning", {"spark.sql.shuffle.partitions": "4"}, {}, {}),
    ("S7", "error", DYNAMIC, {}, {"barrier": True}),
    ("S7", "error", {**DYNAMIC, "spark.dynamicAllocation.shuffleTracking.enabled": "false"}, {}, {}),
    ("S7", "info", DYNAMIC, {"shared": False}, {}),
    ("S8", "warning", {"spark.dynamicAllocation.enabled": "true"}, {}, {}),
    ("S8", "warning", {**DYNAMIC, "spark.dynamicAllocation.maxExecutors": "10"}, {}, {"hours": 5}),
    ("S9", "warning", {}, {}, {"xgboost": True, "matrix": "100m"}),
    ("S10", "error", {"spark.task.cpus": "4"}, {}, {"xgboost": True, "workers": 7, "matrix": "1g"}),
    (
        "S11",
        "warning",
        {"spark.task.cpus": "4"},
        {},
        {"xgboost": True, "workers": 3, "models_in_parallel": 3, "matrix": "1g"},
    ),
    ("S12", "error", {"spark.network.timeout": "5s"}, {}, {}),
    ("S13", "warning", {"spark.task.maxFailures": "1"}, {}, {}),
    ("S14", "warning", {"spark.driver.maxResultSize": "0"}, {}, {}),
    ("S14", "warning", {"spark.driver.maxResultSize": "4g"}, {}, {}),
    ("S15", "warning", {}, {"vmem_check": True}, {}),
    ("S16", "error", {"spark.sql.autoBroadcastJoinThreshold": "2g"}, {}, {}),
    ("S17", "warning", {"spark.storage.memoryFraction": "0.5"}, {}, {}),
    ("S17", "warning", {"spark.akka.frameSize": "10"}, {}, {}),
    ("S17", "warning", {"spark.sql.shuffle.partition": "10"}, {}, {}),
    ("S17", "warning", {"spark.executor.memoryoverhead": "1g"}, {}, {}),
    ("S17", "info", {"spark.shuffle.push.retainedMergerLocations": "9"}, {}, {}),
    ("S17", "info", {"spark.yarn.driver.memoryOverhead": "1g"}, {}, {}),
    ("S17", "error", {"spark.kryoserializer.buffer.max": "1.5g"}, {}, {}),
    ("S17", "error", {"spark.locality.wait": "5 minutes"}, {}, {}),
    ("S17", "error", {"spark.dynamicAllocation.minExecutors": "two"}, {}, {}),
    ("S17", "error", {"spark.speculation": "yes"}, {}, {}),
    ("S18", "warning", {}, {}, {"output": "s3a://bucket/table"}),
    ("S18", "info", {"spark.hadoop.fs.s3a.committer.name": "magic"}, {}, {"output": "s3a://bucket/table"}),
    ("S20", "warning", {}, {}, {"output_size": "1g", "output_files": 5000}),
    ("S20", "warning", {}, {}, {"output_size": "100g", "output_files": 10}),
    ("S21", "warning", {"spark.eventLog.enabled": None}, {}, {}),
    ("S21", "info", {"spark.executor.processTreeMetrics.enabled": None}, {}, {"python_udfs": True}),
    ("S22", "error", {}, {}, {"python": "3.12"}),
    ("S24", "error", {}, {"java": 11}, {}),
    ("S25", "warning", {"spark.hadoop.fs.s3a.secret.key": "abc"}, {}, {}),
]


@pytest.mark.parametrize(("rule", "severity", "conf", "shape", "job"), CASES)
def test_each_fault_has_its_rule_and_no_other(rule, severity, conf, shape, job):
    assert rules(conf, shape, **job) == {rule: severity}


@pytest.mark.parametrize("conf", [MAGIC, {"spark.hadoop.fs.s3a.bucket.b.committer.magic.enabled": "true"}])
def test_a_committer_for_s3_is_silent(conf):
    assert rules(conf, output="s3a://b/table") == {}


@pytest.mark.parametrize(("counts_cores", "found"), [(True, {"S3": "warning"}), (None, {"S3": "warning"}), (False, {})])
def test_a_queue_s_share_is_of_cores_where_yarn_counts_them(counts_cores, found):
    shape = {
        "nodes": 8,
        "node_memory": "80g",
        "yarn_vcores": 16,
        "yarn_memory": "56g",
        "max_allocation": "56g",
        "queue_share": 0.5,
        "counts_cores": counts_cores,
    }
    assert rules({"spark.executor.instances": "27", **MANY}, shape) == found


def test_the_known_template_asks_for_116_cores_of_32():
    shape = {"nodes": 2, "yarn_vcores": 16, "yarn_memory": None}
    (found,) = check({"spark.executor.instances": "29", **MANY}, shape)
    assert "29 executors x 4 = 116 cores" in found.arithmetic
    assert found.changes[0].value == "8"


def test_memory_is_rounded_up_as_yarn_does():
    found = check({"spark.executor.instances": "40"}, {"min_allocation": "5g", "yarn_vcores": 1000})
    # 4 + 3 GB, rounded up to 10; 4 nodes x 24 GB.
    assert found[0].arithmetic[0] == f"40 executors x {10 * 1024:,} = {400 * 1024:,} MiB"
    assert found[0].changes[0].value == str(4 * 24 // 10)


def test_executors_that_leave_much_of_a_node_idle_are_told_the_largest_fit():
    (found,) = check(
        {"spark.executor.memory": "1g", "spark.executor.memoryOverhead": "1g", "spark.executor.instances": "12"}
    )
    assert (found.rule, found.severity.label) == ("S1", "info")
    # 12 / 4 cores: three executors on a node of 24 GB.
    assert found.changes[0].value == f"{(8 - 1) * 1024}m"
    assert node_is_filled.__doc__


def test_an_old_name_of_the_overhead_is_read_and_renamed():
    conf = {"spark.executor.memoryOverhead": None, "spark.yarn.executor.memoryOverhead": "512"}
    found = {finding.rule: finding for finding in check(conf, python_udfs=True)}
    assert [change.key for change in found["S2"].changes] == [
        "spark.executor.memoryOverhead",
        "spark.yarn.executor.memoryOverhead",
    ]
    assert found["S2"].changes[1].value is None


def test_a_half_written_folder_is_named_with_the_command_that_cleans_it(tmp_path):
    output = tmp_path / "a table"
    output.mkdir()
    assert check(output=str(output)) == []
    (output / "part-0").write_text("x")
    (found,) = check(output=str(output))
    assert (found.rule, found.remedies) == ("S19", (f"rm -r -- '{output}'",))
    (output / "_SUCCESS").touch()
    assert check(output=str(output)) == []


def test_the_machine_that_submits_is_looked_at_where_it_is_this_one(tmp_path):
    assert rules(environ={}) == {"S23": "error"}
    assert rules(environ={"HADOOP_CONF_DIR": str(tmp_path)}) == {"S23": "error"}
    (tmp_path / "yarn-site.xml").touch()
    there = {"HADOOP_CONF_DIR": str(tmp_path)}
    assert rules(environ=there) == {}
    assert rules(environ={**there, "SPARK_DIST_CLASSPATH": "/opt/spark-2/jars/*"}) == {"S26": "warning"}
    assert rules(environ={**there, "SPARK_HOME": "/opt/spark-2"}) == {"S26": "warning"}
    assert rules(environ={**there, "SPARK_HOME": "/venv/lib/python3.11/site-packages/pyspark"}) == {}


@pytest.mark.parametrize("value", ["1g", "1024M", "1GiB", " 2048mb ", "0", "${env:SIZE}", "1073741824b"])
def test_a_value_that_spark_reads_is_left_alone(value):
    assert rules({"spark.kryoserializer.buffer.max": value}) == {}


@pytest.mark.parametrize(
    "key",
    [
        "spark.hadoop.fs.s3a.acces.key.provider",
        "spark.mycompany.flag",
        "spark.sql.catalog.mine.uri",
        "spark.rapids.memory",
    ],
)
def test_keys_of_others_are_left_alone(key):
    assert rules({key: "x"}) == {}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("spark.executorEnv.AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
        ("spark.executor.extraJavaOptions", "-Djavax.net.ssl.keyStorePassword=hunter22"),
        ("spark.sql.warehouse.dir", "jdbc:postgresql://me:hunter22@db/x"),
        ("spark.my.id", "AKIAIOSFODNN7EXAMPLE"),
    ],
)
def test_a_secret_is_found_by_key_or_by_value_and_is_never_shown(key, value):
    found = [finding for finding in check({key: value}) if finding.rule == "S25"]
    assert len(found) == 1
    shown = str([one.as_dict() for one in check({key: value})])
    assert value not in shown
    assert "hunter22" not in shown


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("spark.hadoop.fs.s3a.aws.credentials.provider", "com.amazonaws.auth.InstanceProfileCredentialsProvider"),
        ("spark.hadoop.hadoop.security.credential.provider.path", "jceks://hdfs/keys.jceks"),
        ("spark.authenticate.secret.file", "/etc/secret"),
        ("spark.kerberos.keytab", "/etc/me.keytab"),
        ("spark.sql.redaction.string.regex", "x"),
        ("spark.hadoop.fs.s3a.secret.key", "${env:KEY}"),
    ],
)
def test_where_a_secret_is_kept_is_no_secret(key, value):
    assert rules({key: value}) == {}


def test_thresholds_can_be_replaced(tmp_path):
    from rankhammer_doctor.thresholds import read_thresholds

    (tmp_path / "t.yml").write_text("S4: {max_cores: 3}\n")
    found = check_conf(SOUND, shape_of(SHAPE), thresholds=read_thresholds(tmp_path / "t.yml"))
    assert [finding.rule for finding in found] == ["S4"]
