"""On the real filesystems: a file is created once, and an upload that is killed is not kept for ever."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import boto3
import hadoop_cluster
import pytest
import s3_server

pytestmark = pytest.mark.chaos
N_PARTS = 30

WITH_STORAGE = """
import json, os, signal, sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from rankhammer.datasets import PublishedDataset
from rankhammer.storage.base import storage_for
bootstrap_project(Path.cwd())
session = KedroSession.create(env="prod")
session.load_context()
root = sys.argv[1]
storage = storage_for(root)
"""
RACE = """
with ThreadPoolExecutor(8) as pool:
    won = [list(pool.map(lambda n: storage.create(f"{root}/race/{key}", b"%d" % n), range(8))) for key in range(5)]
kept = [int(storage.read(f"{root}/race/{key}")) for key in range(5)]
published = PublishedDataset(filepath=f"{root}/published", keep=1, grace_h=0)
published.handoff.check_writable()
published.save({"a/b": b"1"})
late = PublishedDataset(filepath=f"{root}/published")
late.handoff.check_writable()
published.save({"a/b": b"2"})
try:
    late.save({"a/b": b"3"})
    told = ""
except Exception as error:
    told = str(error)
print(json.dumps({"won": [[n for n, is_won in enumerate(one) if is_won] for one in won], "kept": kept, "told": told,
                  "read": published.load()["a/b"].decode(), "files": list(storage.files(f"{root}/published"))}))
"""
DIE = """
def parts():
    for _ in range(3):
        yield os.urandom(5 << 20)
    # The JVM first: nothing may close the stream.
    from pyspark import SparkContext
    os.kill(SparkContext._gateway.proc.pid, signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)
storage.write_parts(f"{root}/versions/big", parts())
"""
ABANDON = """
n = [storage.abandon_uploads(root, 3600), storage.abandon_uploads(root), storage.abandon_uploads(root)]
print(json.dumps({"ended": n, "there": storage.exists(f"{root}/versions/big")}))
"""


def on(site, code: str, root: str, expect: int = 0):
    done = subprocess.run(
        [sys.executable, "-c", WITH_STORAGE + code, root],
        cwd=site.project,
        env={**os.environ, **site.variables},
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert done.returncode == expect, done.stderr
    return json.loads(done.stdout.splitlines()[-1]) if expect == 0 else None


@pytest.mark.parametrize("root", ["hdfs:///apps/rankhammer/race", "s3a://search-rankers/race"])
def test_of_many_writers_one_creates_a_file_and_one_publishes(site, root):
    found = on(site, RACE, root)
    assert [[n] for n in found["kept"]] == found["won"]
    assert found["read"] == "2"
    assert "published 000002-" in found["told"]
    assert [name for name in found["files"] if name.startswith("versions/000001")] == []


def test_an_upload_that_was_killed_is_ended_by_the_next_writer(site):
    settings = site.project / "conf" / "prod" / "spark_parts.yml"
    settings.write_text("spark.hadoop.fs.s3a.multipart.size: 5M\nspark.hadoop.fs.s3a.multipart.threshold: 5M\n")
    try:
        on(site, DIE, "s3a://search-rankers/killed", expect=-signal.SIGKILL)
    finally:
        settings.unlink()
    assert on(site, ABANDON, "s3a://search-rankers/killed") == {"ended": [0, 1, 0], "there": False}


def test_a_copy_from_hdfs_to_s3_that_was_killed_is_gone_on_with(site, tmp_path):
    file = tmp_path / "part"
    file.write_bytes(os.urandom(4 << 20))
    for number in range(N_PARTS):
        hadoop_cluster.put(site.hadoop, file, f"/tmp/copied/part-{number:02}")
    copy = ("rankhammer", "copy", "hdfs:///tmp/copied", "s3a://search-rankers/copied", "--env=prod", "--threads=1")
    run = site.start(*copy)
    run.wait_for(lambda: 2 <= len(arrived(site, "copied/versions/")) < N_PARTS)
    run.process.kill()
    run.end(-signal.SIGKILL)
    assert not arrived(site, "copied/pointers/")
    said = site.start(*copy).end()
    assert f": {N_PARTS} files, {N_PARTS * (4 << 20) / 1e6:.1f} MB; " in said
    assert "were there already" in said
    sizes = arrived(site, "copied/versions/")
    assert len(sizes) == N_PARTS
    assert {*sizes.values()} == {4 << 20}
    assert [*arrived(site, "copied/pointers/")] == ["copied/pointers/000001.json"]


def arrived(site, prefix: str) -> dict[str, int]:
    """Ask the S3 server itself what is there: key to bytes."""
    keys, settings = s3_server.keys(site.s3), s3_server.hadoop_settings(site.s3)
    client = boto3.client(
        "s3",
        endpoint_url=settings["fs.s3a.endpoint"],
        region_name=settings["fs.s3a.endpoint.region"],
        aws_access_key_id=keys["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=keys["AWS_SECRET_ACCESS_KEY"],
    )
    pages = client.get_paginator("list_objects_v2").paginate(Bucket="search-rankers", Prefix=prefix)
    return {entry["Key"]: entry["Size"] for page in pages for entry in page.get("Contents", ())}
