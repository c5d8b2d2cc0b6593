"""Renames on S3 are told by the committer, and weighed by files and time (D6)."""

from __future__ import annotations

import pytest
from event_logs import CONF, SQL, T0, LogBuilder

from rankhammer_doctor.committers import MAGIC, Way, committer_of

PLAIN = "org.apache.spark.sql.execution.datasources.SQLHadoopMapReduceCommitProtocol"
NAME, VERSION = "spark.hadoop.fs.s3a.committer.name", "spark.hadoop.mapreduce.fileoutputcommitter.algorithm.version"
FACTORY, PROTOCOL = list(MAGIC)[1:3]
EMR = "spark.sql.parquet.fs.optimized.committer.optimization-enabled"


def written(*, conf=(), output="s3a://b/out", gap=500, files=400, n=1, version="4.1.0"):
    log = LogBuilder().started(conf={**CONF, **dict(conf)}, version=version)
    names = ["number of written files", "written output", "job commit time"]
    metrics = [{"name": name, "accumulatorId": place, "metricType": "sum"} for place, name in enumerate(names)]
    text = f"(3) Execute InsertIntoHadoopFsRelationCommand\nInput: []\nArguments: {output}, false, Parquet"
    plan = {"nodeName": "Execute InsertIntoHadoopFsRelationCommand", "metrics": metrics, "children": []}
    for number in range(n):
        begin, own = number * 1000, {"spark.sql.execution.id": str(number)}
        log.add(
            f"{SQL}SparkListenerSQLExecutionStart",
            executionId=number,
            description=f"write {number}",
            time=T0 + begin,
            physicalPlanDescription=text,
            sparkPlanInfo=plan,
        )
        log.job(number, [number], at=begin, **own).task(number, begin, begin + 500)
        log.stage(number, begin, begin + 500, tasks=1, **own).job_end(number, begin + 500)
        updates = [[0, files], [1, files * 1000], [2, gap]]
        log.add(f"{SQL}SparkListenerDriverAccumUpdates", executionId=number, accumUpdates=updates)
        log.add(f"{SQL}SparkListenerSQLExecutionEnd", executionId=number, time=T0 + begin + 500 + gap)
    return log.ended(max(1000 * n, gap + 500))


def test_many_files_that_are_renamed_are_a_warning_however_quick_the_server_is(tmp_path):
    (found,) = written(gap=10_600).findings(tmp_path)
    assert (found.rule, found.severity.label) == ("D6", "warning")
    assert dict(found.facts) == {"gap_ms": 10_600, "files": 400, "committer": "renames"}
    assert found.arithmetic == ("10.6 s / 400 files = 26 ms a file",)
    assert "its commit 10.6 s" in found.evidence[1]
    assert [change.key for change in found.changes] == list(MAGIC)


@pytest.mark.parametrize(
    ("given", "rules"),
    [
        ({"files": 4}, {"D6": "info"}),
        ({"files": 4, "gap": 90_000}, {"D6": "warning"}),
        ({"output": "hdfs://b/out"}, {}),
        ({"output": "hdfs://b/out", "gap": 90_000}, {"D6": "info"}),
        ({"conf": MAGIC, "gap": 10_000}, {}),
        ({"conf": MAGIC, "gap": 90_000}, {"D6": "info"}),
        ({"conf": {VERSION: "2"}}, {"D6": "warning"}),
        ({"output": "s3://b/out", "conf": {EMR: "true"}}, {}),
        ({"output": "s3://b/out", "conf": {EMR: "true"}, "gap": 90_000}, {"D6": "warning"}),
        ({"output": "s3://b/out", "conf": {EMR: "false"}}, {"D6": "warning"}),
        ({"version": "3.5.1-amzn-0"}, {}),
    ],
)
def test_files_and_time_weigh_and_the_committer_decides(tmp_path, given, rules):
    assert written(**given).rules(tmp_path) == rules


def test_a_committer_that_was_turned_off_is_turned_on(tmp_path):
    (found,) = written(conf={"spark.hadoop.fs.s3a.committer.magic.enabled": "false"}).findings(tmp_path)
    assert ("spark.hadoop.fs.s3a.committer.magic.enabled", "true") in [(one.key, one.value) for one in found.changes]


def test_writes_of_one_committer_are_one_finding(tmp_path):
    (found,) = written(n=30, files=4).findings(tmp_path)
    assert dict(found.facts)["files"] == 30 * 4
    assert found.severity.label == "warning"


S3A, BINDING = "org.apache.hadoop.fs.s3a.commit.S3ACommitterFactory", MAGIC[PROTOCOL]


@pytest.mark.parametrize(
    ("conf", "way"),
    [
        ({}, Way.RENAMES),
        ({VERSION: "2"}, Way.RENAMES_IN_TASKS),
        (MAGIC, Way.UPLOADS),
        ({**MAGIC, NAME: "partitioned"}, Way.UPLOADS),
        ({**MAGIC, NAME: "file"}, Way.RENAMES),
        ({PROTOCOL: BINDING}, Way.RENAMES),
        (
            {PROTOCOL: BINDING, FACTORY: "org.apache.hadoop.fs.s3a.commit.magic.MagicS3GuardCommitterFactory"},
            Way.UPLOADS,
        ),
        ({PROTOCOL: BINDING, "spark.hadoop.fs.s3a.bucket.b.committer.name": "magic"}, Way.UPLOADS),
        ({**MAGIC, "spark.hadoop.fs.s3a.bucket.other.committer.name": "file"}, Way.UPLOADS),
        ({**MAGIC, f"sql.modified.{PROTOCOL}": PLAIN, NAME: "file"}, Way.RENAMES),
        ({PROTOCOL: "com.databricks.sql.transaction.directory.DirectoryAtomicCommitProtocol"}, Way.UNKNOWN),
        ({PROTOCOL: PLAIN, NAME: "magic", FACTORY: S3A}, Way.UNKNOWN),
        ({PROTOCOL: PLAIN}, Way.RENAMES),
    ],
)
def test_a_committer_is_told_by_its_keys(conf, way):
    assert committer_of("s3a://b/out", conf).way is way


def test_hadoops_own_keys_count_where_spark_has_none():
    said = {"fs.s3a.committer.name": "magic", "mapreduce.outputcommitter.factory.scheme.s3a": S3A}
    assert committer_of("s3a://b/out", {PROTOCOL: BINDING}, said).way is Way.UPLOADS
    assert committer_of("s3://b/out", {}, {"fs.s3.impl": "org.apache.hadoop.fs.s3a.S3AFileSystem"}).way is Way.RENAMES
    assert committer_of("s3://b/out", {}).way is Way.UNKNOWN
