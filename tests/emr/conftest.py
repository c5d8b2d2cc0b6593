"""A control plane of EMR and a real S3 server on this machine, and a project folder that launches on them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import maven_jars
import pytest
import s3_server
from fake_aws import FakeAws
from launching import configure_emr

if TYPE_CHECKING:
    from collections.abc import Iterator

REPOSITORY = Path(__file__).parents[2]
BUCKET, REGION = "my-search-rankers", "us-east-1"
SECRET = "made/for+this=machine/alone+0123456789ab"
"""With the signs that break it where it stands in an address."""
PARTS = (
    "conf",
    "dev",
    "src",
    "pyproject.toml",
    "README.md",
    ".telemetry",
    "requirements.lock",
    "requirements-rankers.lock",
)


@dataclass
class Site:
    """What launches use.

    Args:
        folder: For files of the test.
        aws: The control plane.
        project: A project folder.
        s3: Client of the S3 server.
    """

    folder: Path
    aws: FakeAws
    project: Path
    s3: object
    started: list[subprocess.Popen] = field(default_factory=list)

    def start(self, *arguments: str, **environ: str) -> subprocess.Popen:
        command = [sys.executable, "-m", "rankhammer", "emr", *arguments]
        own = {**os.environ, **self.aws.environ, "COLUMNS": "200", **environ}
        own.pop("AWS_PROFILE", None)
        process = subprocess.Popen(
            command,
            cwd=self.project,
            env=own,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            # Where tests run in the background it is ignored, and children inherit that.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        self.started.append(process)
        return process

    def run(self, *arguments: str, **environ: str) -> tuple[int, str]:
        """Run `rankhammer emr ...`; return its exit code and what it printed."""
        process = self.start(*arguments, **environ)
        said, _ = process.communicate(timeout=300)
        return process.returncode, said

    def set(self, **values: object) -> None:
        """Change keys of emr.yml, by their names with __ for a dot."""
        file = self.project / "conf" / "emr" / "emr.yml"
        found = json.loads(file.read_text())
        for name, value in values.items():
            *sections, last = name.split("__")
            place = found
            for section in sections:
                place = place.setdefault(section, {})
            place[last] = value
        file.write_text(json.dumps(found))

    def objects(self, prefix: str = "") -> list[str]:
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
        return [entry["Key"] for page in pages for entry in page.get("Contents", ())]

    def read(self, key: str) -> str:
        return self.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read().decode()


@pytest.fixture(scope="session")
def s3_home(tmp_path_factory) -> Iterator[Path]:
    if s3_server.missing():
        (pytest.fail if os.environ.get("RANKHAMMER_REQUIRE_ENGINES") else pytest.skip)(s3_server.missing())
    folder = tmp_path_factory.mktemp("s3")
    _write_keys(folder)
    s3_server.start(folder, BUCKET)
    yield folder
    s3_server.stop(folder, signal.SIGKILL)


def _write_keys(folder: Path) -> None:
    """Give the server a key whose secret has signs that mean something in an address."""
    keys = {"AWS_ACCESS_KEY_ID": "DEVEMR0000000000001", "AWS_SECRET_ACCESS_KEY": SECRET}
    pair = {"accessKey": keys["AWS_ACCESS_KEY_ID"], "secretKey": SECRET}
    known = {"name": "developer", "credentials": [pair], "actions": ["Admin", "Read", "Write", "List", "Tagging"]}
    (folder / "server.json").write_text(json.dumps({"identities": [known]}))
    (folder / "keys.json").write_text(json.dumps(keys))


@pytest.fixture
def site(tmp_path, s3_home, monkeypatch) -> Iterator[Site]:
    keys = s3_server.keys(s3_home)
    url = s3_server.hadoop_settings(s3_home)["fs.s3a.endpoint"]
    project = _project(tmp_path / "project", tmp_path / "node")
    client = boto3.client(
        "s3",
        endpoint_url=url,
        region_name=REGION,
        aws_access_key_id=keys["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=keys["AWS_SECRET_ACCESS_KEY"],
    )
    environ = {"SPARK_CONF_DIR": str(_spark_conf(tmp_path / "spark-conf", s3_home))}
    with FakeAws(tmp_path / "node", url, keys, environ=environ) as aws:
        found = Site(tmp_path, aws, project, client)
        yield found
        for cluster in aws.emr.clusters.values():
            # Whatever a test did to it: nobody has to come back for it.
            assert not cluster.keeps_alive or cluster.asked["AutoTerminationPolicy"]["IdleTimeout"] >= 60
        for process in found.started:
            if process.poll() is None:
                process.kill()
                process.communicate()


@pytest.fixture
def on_s3(site, s3_home) -> Site:
    """A project whose inputs and results are on S3, and whose Spark is this machine's."""
    jars = ":".join(map(str, sorted(maven_jars.fetch(s3_server.POM).glob("*.jar"))))
    spark = {f"spark.hadoop.{key}": value for key, value in s3_server.hadoop_settings(s3_home).items()}
    spark |= {"spark.master": "local[2]", "spark.submit.deployMode": None, "spark.driver.extraClassPath": jars}
    spark |= {"spark.driver.memory": "1g", "spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}
    spark |= {"spark.sql.shuffle.partitions": "2", "spark.ui.enabled": "false"}
    root = f"s3a://{BUCKET}/story"
    inputs = ("click_log", "documents", "reference_judgments")
    configure_emr(site, "spark.yml", spark)
    configure_emr(site, "cluster.yml", {"runs": {"root": f"{root}/results"}})
    configure_emr(site, "parameters.yml", {"training": {"n_trials": 2, "batch_size": 2, "n_rounds": 20}})
    paths = {"paths": {"root": f"{root}/results"}}
    configure_emr(site, "globals.yml", paths | {name: {"path": f"{root}/01_raw/{name}"} for name in inputs})
    return site


def _spark_conf(folder: Path, s3_home: Path) -> Path:
    """Write what a node's Spark knows of S3: the connector, and where the server is; no key is among it."""
    folder.mkdir()
    jars = sorted(maven_jars.fetch(s3_server.POM).glob("*.jar"))
    settings = {f"spark.hadoop.{key}": value for key, value in s3_server.hadoop_settings(s3_home).items()}
    settings |= {"spark.jars": ",".join(map(str, jars)), "spark.master": "local[1]", "spark.ui.enabled": "false"}
    settings |= {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}
    (folder / "spark-defaults.conf").write_text("".join(f"{key} {value}\n" for key, value in settings.items()))
    return folder


def _project(folder: Path, node: Path) -> Path:
    """Make a project folder whose nodes have this machine's Python."""
    folder.mkdir()
    for name in PARTS:
        source = REPOSITORY / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__", "local"))
        else:
            shutil.copy(source, folder)
    (folder / "conf" / "local").mkdir()
    settings = {
        "region": REGION,
        "bucket": BUCKET,
        "node": {"folder": str(node / "mnt"), "python": sys.executable},
        "fleets": {"primary": {"types": ["m5.xlarge"]}, "core": {"types": ["m5.xlarge"]}},
        "poll_s": 0.1,
        "log_s": 1,
    }
    (folder / "conf" / "emr" / "emr.yml").write_text(json.dumps(settings))
    return folder
