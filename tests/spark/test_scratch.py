"""A killed JVM's scratch files are removed at the next start, and those of a living one are not."""

from __future__ import annotations

import os

import pytest

from rankhammer import processes
from rankhammer.spark import scratch


@pytest.fixture(autouse=True)
def no_variable(monkeypatch):
    monkeypatch.delenv("SPARK_LOCAL_DIRS", raising=False)


def test_what_processes_that_are_gone_have_left_is_removed_and_nothing_else(tmp_path):
    made = scratch.settings({"spark.local.dir": str(tmp_path)})[scratch.LOCAL_DIR]
    ours = tmp_path / made.removeprefix(f"{tmp_path}/").partition("/")[0]
    started = processes.started(os.getpid())
    assert made == f"{ours}/{os.getpid()}-{started}"
    kept = [f"{os.getpid()}-{started}", "somebody's", "12-ab", "notes-1"]
    gone = [f"{2**22 + 1}-5", f"{os.getpid()}-1"]
    for name in (*kept, *gone):
        (ours / name / "blockmgr-1/00").mkdir(parents=True)
        (ours / name / "blockmgr-1/00/shuffle_0").write_bytes(b"1")
    scratch.settings({"spark.local.dir": str(tmp_path)})
    assert {path.name for path in ours.iterdir()} == set(kept)


def test_each_of_several_disks_gets_a_folder(tmp_path):
    made = scratch.settings({"spark.local.dir": f"{tmp_path}/a, {tmp_path}/b"})[scratch.LOCAL_DIR].split(",")
    assert [path.split("/rankhammer-")[0] for path in made] == [f"{tmp_path}/a", f"{tmp_path}/b"]


def test_a_cluster_and_a_variable_of_the_environment_have_their_own_places(monkeypatch):
    assert scratch.settings({"spark.master": "yarn"}) == {}
    monkeypatch.setenv("SPARK_LOCAL_DIRS", "/scratch")
    assert scratch.settings({"spark.master": "local[2]"}) == {}


def test_the_session_keeps_its_scratch_files_there(spark):
    assert f"/{os.getpid()}-" in spark.conf.get("spark.local.dir")
