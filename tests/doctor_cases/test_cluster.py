"""Each rule about a cluster speaks on a log of real Spark on YARN, HDFS and S3, and is silent where all is well."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path

import cluster as dev_cluster
import hadoop_cluster
import pytest
import s3_server
import watchdog
from pyarrow.fs import S3FileSystem

from rankhammer_doctor.dynamic_rules import check_run
from rankhammer_doctor.event_log import read_run
from rankhammer_doctor.findings import Severity
from rankhammer_doctor.text_logs import read_text_logs
from rankhammer_doctor.thresholds import defaults
from rankhammer_doctor.what_if import what_if

pytestmark = [pytest.mark.doctor_cases, pytest.mark.limit(2400)]
CASES = Path(__file__).with_name("cluster_cases.py")
# What cluster.py puts on HDFS; the driver needs the connector to S3, too.
REPOSITORY = Path(__file__).parents[2]
PATIENCE_S = 1000
# Otherwise a NodeManager of Hadoop 3.5 leaves memory to control groups, which are not there, and kills nothing.
KILLS = {"yarn.nodemanager.resource.memory.enforced": "false"}
S3 = {"spark.jars": f"hdfs://{dev_cluster.JARS}/*.jar"}
RENAMES = {"spark.hadoop.fs.s3a.committer.magic.enabled": "false"}


@dataclass(frozen=True)
class Ended:
    """A case that has run."""

    application: str
    log: Path
    text: Path

    def findings(self, **limits):
        found = check_run(read_run(str(self.log)), {**defaults(), **limits}, read_text_logs(self.text))
        return {one.rule: one for one in found if one.severity > Severity.INFO}

    def grave(self, **limits):
        return {rule: one.severity.label for rule, one in self.findings(**limits).items()}


@dataclass(frozen=True)
class Cluster:
    """A cluster of this machine."""

    folder: Path
    variables: dict[str, str]

    @property
    def hadoop(self) -> Path:
        return self.folder / "hadoop"

    def start(self, case: str, **settings: str) -> subprocess.Popen[str]:
        own = {"PYSPARK_PYTHON": sys.executable, "PYSPARK_DRIVER_PYTHON": sys.executable}
        command = [sys.executable, str(CASES), case, *(f"{key}={value}" for key, value in settings.items())]
        return subprocess.Popen(
            command,
            env={**os.environ, **watchdog.inherited(), **self.variables, **own},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def wait(self, process: subprocess.Popen[str], before: str = "") -> tuple[str, str]:
        """Return the application's id and what its driver has said."""
        try:
            output = before + process.communicate(timeout=PATIENCE_S)[0]
        finally:
            process.kill()
        assert process.returncode == 0, output[-4000:]
        return output.partition("application: ")[2].partition("\n")[0], output

    def end(self, process: subprocess.Popen[str], before: str = "") -> Ended:
        application, output = self.wait(process, before)
        text = self.folder / "text" / application
        text.mkdir(parents=True)
        (text / "driver.log").write_text(output)
        return Ended(application, self.fetch(application), text)

    def run(self, case: str, **settings: str) -> Ended:
        return self.end(self.start(case, **settings))

    def fetch(self, application: str) -> Path:
        """Copy an application's log from HDFS."""
        target = self.folder / "logs"
        target.mkdir(exist_ok=True)
        done = hadoop_cluster.tool(self.hadoop, "fs", "-get", f"/spark-history/*{application}*", str(target))
        assert done.returncode == 0, done.stderr
        (found,) = target.glob(f"*{application}*")
        return found

    def aggregated(self, application: str, folder: Path) -> None:
        """Write what YARN has gathered of all containers' logs."""
        done = hadoop_cluster.tool(self.hadoop, "logs", "-applicationId", application)
        folder.mkdir()
        (folder / "aggregated.log").write_text(done.stdout)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    why = dev_cluster.missing()
    if why:
        pytest.skip(why)
    folder = tmp_path_factory.mktemp("doctor_cluster")
    try:
        yield Cluster(folder, dev_cluster.start(folder, extra=KILLS))
    finally:
        dev_cluster.stop(folder)


def test_a_healthy_run_on_yarn_is_not_spoken_about(cluster):
    assert cluster.run("healthy").grave() == {}


def test_idle_executors_are_no_findings(cluster):
    # A copy of a slow task is not started on the task's own host, and all nodes are this one: a real log has that case
    # (packages/rankhammer-doctor/tests/test_real_logs.py).
    found = cluster.run(
        "benign",
        **{
            "spark.dynamicAllocation.enabled": "true",
            "spark.dynamicAllocation.shuffleTracking.enabled": "true",
            "spark.dynamicAllocation.executorIdleTimeout": "3s",
            "spark.dynamicAllocation.minExecutors": "0",
            "spark.dynamicAllocation.maxExecutors": "3",
        },
    )
    run = read_run(str(found.log))
    assert any("idle" in one.reason or "driver" in one.reason for one in run.executors.values() if one.removed_ms)
    assert found.grave() == {}


def test_a_kill_by_yarn_names_the_memory_and_its_remedy_cures_it(cluster, tmp_path):
    killed = cluster.run("native")
    (finding,) = (one for rule, one in killed.findings().items() if rule == "D1")
    assert dict(finding.facts)["memory"] in ("native", "Python")
    (change,) = finding.changes
    assert change.key == "spark.executor.memoryOverhead"
    assert killed.grave() == {"D1": "error"}
    cluster.aggregated(killed.application, tmp_path / "text")
    assert read_text_logs(tmp_path / "text").n_lines > 20
    assert cluster.run("native", **{change.key: change.value}).grave() == {}


def test_a_full_heap_of_an_executor(cluster):
    found = cluster.run("heap")
    # On YARN Spark ends such an executor at once (SIGTERM): what it did not come to tell the driver is in its own log.
    cluster.aggregated(found.application, found.text / "containers")
    assert found.grave()["D7"] == "error"


def test_an_executor_that_was_killed(cluster):
    assert cluster.run("lost").grave() == {"D26": "warning"}


def test_shuffle_files_that_vanish(cluster):
    assert cluster.run("fetch").grave() == {"D16": "warning"}


def test_a_queue_that_is_full(cluster):
    holder = cluster.start("hold", **{"spark.executor.memory": "4700m", "spark.executor.memoryOverhead": "420m"})
    said = ""
    while "holding" not in said:
        line = holder.stdout.readline()
        assert line, said
        said += line
    waited = cluster.run("little", **{"spark.scheduler.minRegisteredResourcesRatio": "0"})
    held = cluster.end(holder, said)
    assert waited.grave() == {"D12": "warning"}
    assert held.grave() == {}


def test_a_commit_to_s3_by_renames(cluster):
    renamed = cluster.run("write", **S3, **RENAMES, **{"spark.case.path": f"s3a://{dev_cluster.BUCKET}/renamed"})
    assert renamed.grave() == {"D6": "warning"}
    said = dict(renamed.findings()["D6"].facts)
    assert (said["files"], said["committer"]) == (400, "renames")
    # Spark sets the keys of the magic committer itself, since it finds spark-hadoop-cloud.
    magic = cluster.run("write", **S3, **{"spark.case.path": f"s3a://{dev_cluster.BUCKET}/magic"})
    assert magic.grave() == {}
    (write,) = read_run(str(magic.log)).executions.values()
    assert write.files_written == 400


def test_a_block_of_which_the_only_replica_is_lost(cluster):
    few = {"spark.case.files": "8"}
    cluster.run("write", **few, **{"spark.case.path": "hdfs:///one", "spark.hadoop.dfs.replication": "1"})
    cluster.run("write", **few, **{"spark.case.path": "hdfs:///two"})
    hadoop_cluster.kill(cluster.hadoop, "dn1")
    try:
        assert cluster.run("read", **{"spark.case.path": "hdfs:///two"}).grave() == {}
        assert cluster.run("read", **{"spark.case.path": "hdfs:///one"}).grave() == {"D16": "error"}
    finally:
        hadoop_cluster.up(cluster.hadoop, "dn1")


# No more executors than a small machine has cores: else they slow each other down, and the log of the run says so.
@pytest.mark.parametrize(("ran", "asked"), [(1, 2), (2, 1)])
def test_an_estimate_is_within_a_quarter_of_what_another_size_takes(cluster, ran, asked):
    def run(executors):
        return read_run(str(cluster.run("work", **{"spark.executor.instances": str(executors)}).log))

    def work_ms(found):
        return sum(job.completed_ms - job.submitted_ms for job in found.jobs.values())

    estimates = what_if(run(ran))
    assert estimates is not None
    estimate = next(one for one in estimates.estimates if one.executors == asked)
    measured = work_ms(run(asked))
    assert abs(estimate.wall_ms - estimates.driver_ms - measured) <= 0.25 * measured


@pytest.fixture(scope="module")
def project(cluster):
    """A project folder whose prod is that of the repository."""
    folder = cluster.folder / "project"
    folder.mkdir()
    for part in ("conf", "src", "pyproject.toml", "README.md", ".telemetry"):
        copy = shutil.copytree if (REPOSITORY / part).is_dir() else shutil.copy
        copy(REPOSITORY / part, folder / part)
    return folder


def asked(cluster, project, *arguments: str) -> dict:
    """Ask `rankhammer doctor log`, and return its report."""
    command = [sys.executable, "-m", "rankhammer", "doctor", "log", *arguments, "--env=prod", "--json"]
    environ = {**os.environ, **watchdog.inherited(), **cluster.variables}
    done = subprocess.run(command, cwd=project, env=environ, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode in (0, 4, 5), done.stderr[-3000:]
    return json.loads(done.stdout)


def test_a_log_is_read_where_the_cluster_keeps_it(cluster, project, tmp_path):
    killed = cluster.run("native")
    cluster.aggregated(killed.application, tmp_path / "text")
    address = ET.parse(cluster.hadoop / "conf" / "core-site.xml").findtext(".//property[name='fs.defaultFS']/value")
    expected = {one.rule for one in check_run(read_run(str(killed.log)), defaults())}
    for place in (killed.application, *(f"{host}/spark-history/{killed.log.name}" for host in (address, "hdfs://"))):
        found = asked(cluster, project, place)
        assert found["application"]["id"] == killed.application
        assert {one["rule"] for one in found["findings"]} == expected >= {"D1"}
    with_logs = asked(cluster, project, killed.application, f"--logs={tmp_path / 'text'}")
    assert {one["rule"] for one in with_logs["findings"]} == expected
    assert with_logs["log"]["text_logs"]["lines"] > 20


def test_a_log_on_s3_is_read_there(cluster, project):
    s3 = cluster.folder / "s3"
    settings, keys = s3_server.hadoop_settings(s3), s3_server.keys(s3)
    store = S3FileSystem(
        access_key=keys["AWS_ACCESS_KEY_ID"],
        secret_key=keys["AWS_SECRET_ACCESS_KEY"],
        endpoint_override=settings["fs.s3a.endpoint"],
        region=settings["fs.s3a.endpoint.region"],
    )
    # Spark does not begin without the folder for its event log.
    store.create_dir(f"{dev_cluster.BUCKET}/history")
    folder = f"s3a://{dev_cluster.BUCKET}/history"
    application, _ = cluster.wait(cluster.start("healthy", **S3, **{"spark.eventLog.dir": folder}))
    found = asked(cluster, project, f"{folder}/eventlog_v2_{application}")
    assert (found["application"]["id"], found["counts"]["warning"], found["counts"]["error"]) == (application, 0, 0)
