"""Experiments on this machine: real processes that meet, fail, are killed, and start again from a checkpoint."""

from __future__ import annotations

import os
import signal
import threading
import time

import machine_speed
import psutil
import pytest

from rankhammer.errors import DataError
from rankhammer.experiments import lease
from rankhammer.experiments.folder import ExperimentFolder, GroupStatus, Instance
from rankhammer.experiments.group import GroupDriver, GroupTask
from rankhammer.experiments.local import run_here
from rankhammer.experiments.metrics_table import read_metrics
from rankhammer.experiments.roles import read_experiment
from rankhammer.experiments.runners import LocalRunner
from rankhammer.experiments.table import status

FUNCTION = """
import os, time

def train(context):
    if context.role == "evaluator":
        for step in context.new_checkpoints(0.05):
            context.metrics.log(step, seen=float(context.checkpoints.read(step)))
        return
    names = [os.environ[name] for name in ("RANK", "WORLD_SIZE", "MASTER_ADDR")]
    context.client.write(f"met/{context.role}-{context.index}-{context.attempt}", " ".join(names).encode())
    done = context.checkpoints.latest() if context.attempt > 1 else 0
    for step in range((done or 0) + 1, 4):
        if step == 2 and context.attempt == 1 and context.role == context.arguments.get("fails"):
            raise ValueError("too hot")
        while context.arguments.get("waits") and context.attempt == 1:
            time.sleep(0.05)
        if context.is_chief:
            context.checkpoints.save(step, str(step).encode())
"""


@pytest.fixture
def made(tmp_path):
    """Write an experiment; returns its folder."""
    (tmp_path / "function.py").write_text(FUNCTION)

    def make(**changes):
        values = {"function": f"{tmp_path}/function.py:train", "roles": {"chief": {}, "worker": {}, "evaluator": {}}}
        folder = ExperimentFolder(f"{tmp_path}/experiment")
        folder.write_spec(read_experiment({**values, **changes}))
        return folder

    return make


def test_a_failed_instance_ends_all_and_the_whole_goes_on_from_the_last_checkpoint(made):
    folder = made(retries=1, arguments={"fails": "worker"})
    lines = []
    assert run_here(folder, on_line=lines.append) == 0
    assert any("worker 0 failed: ValueError: too hot" in line for line in lines)
    read = folder.storage.read
    assert read(f"{folder.path}/files/met/chief-0-2") == b"0 2 127.0.0.1"
    assert read(f"{folder.path}/files/met/worker-0-2") == b"1 2 127.0.0.1"
    seen = [row for row in read_metrics(folder) if row["metric"] == "seen"]
    assert seen[-1]["value"] == 3.0
    assert {row["state"] for row in status(folder)["instances"]} == {"done"}


def test_an_experiment_without_retries_ends_with_the_reason(made):
    folder = made(arguments={"fails": "chief"}, roles={"chief": {}})
    assert run_here(folder) == 1
    found = status(folder)
    assert (found["state"], found["message"]) == ("failed", "chief 0 failed: ValueError: too hot")


def test_a_function_that_is_not_there_is_not_tried_again(made):
    folder = made(function="rankhammer.nothing:train", roles={"chief": {}}, retries=5)
    assert run_here(folder) == 1
    assert (folder.newest_attempt(), "rankhammer.nothing" in status(folder)["message"]) == (1, True)


def _is_instance(process):
    try:
        return "rankhammer.experiments.process" in process.cmdline()
    except psutil.Error:
        # A process that another test started, and that has just ended.
        return False


def test_a_killed_process_ends_its_peers_within_seconds(made):
    folder = made(arguments={"waits": True}, roles={"chief": {}, "worker": {"instances": 2}})
    thread = threading.Thread(target=run_here, args=(folder,))
    thread.start()
    while len(folder.storage.glob(f"{folder.path}/files/met/*")) < 3:
        time.sleep(0.05)
    mine = [p for p in psutil.Process().children(recursive=True) if _is_instance(p)]
    assert len(mine) == 3
    os.kill(mine[1].pid, signal.SIGKILL)
    thread.join(30)
    assert not thread.is_alive()
    assert "was ended by SIGKILL" in status(folder)["message"]
    assert not any(process.is_running() for process in mine)


def test_an_instance_that_does_not_come_is_named(made):
    folder = made(start_limit_s=1.0)
    # Only the chief's group is started: as where the worker's queue is full.
    held = lease.Lease(folder, "test")
    ended = GroupDriver(folder, GroupTask("chief", 1, log_folder=f"{folder.path}/logs"), LocalRunner()).drive()
    held.close()
    assert (ended.state, ended.message) == ("failed", "worker 0 did not come within 1 s (start_limit_s)")


def test_groups_end_without_whoever_submitted_them(made, monkeypatch):
    monkeypatch.setattr(lease, "EXPIRES_S", 1.0)
    folder = made(roles={"chief": {}}, arguments={"waits": True})
    folder.write(lease.FILE, {"holder": "submitter", "number": 1})
    ended = GroupDriver(folder, GroupTask("chief", 1, log_folder=f"{folder.path}/logs"), LocalRunner()).drive()
    assert ended.state == "failed"
    assert "whoever submitted this has been gone" in ended.message


WITH_CHILD = """
import subprocess, sys, time

def train(context):
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    context.client.write(f"child-{context.index}", str(child.pid).encode())
    while context.arguments["waits"]:
        time.sleep(0.05)
"""


@pytest.mark.parametrize("waits", [False, True], ids=["ends", "is ended"])
def test_what_a_function_has_started_ends_with_it(made, tmp_path, waits):
    (tmp_path / "function.py").write_text(WITH_CHILD)
    limit = {"time_limit_s": 3.0 * machine_speed.slowdown()} if waits else {}
    folder = made(roles={"chief": {}}, arguments={"waits": waits}, **limit)
    assert run_here(folder) == int(waits)
    child = int(folder.file("child-0"))
    deadline = time.monotonic() + 20
    while psutil.pid_exists(child) and psutil.Process(child).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_file_that_no_instance_has_written_is_refused_by_name(made):
    with pytest.raises(DataError, match=r"has no file 'results/table\.csv'"):
        made().file("results/table.csv")


ODD = """
import os
import sys
from pathlib import Path

def reads(context):
    assert sys.stdin.read() == ""

def long(context):
    raise ValueError("too hot\\x1b[31m\\n" + "x" * 5000)

def empty(context):
    context.checkpoints.save(1, Path("/no/such/folder"))

def text(context):
    context.checkpoints.save(1, "text")

def leaves(context):
    os._exit(0)

def is_content(context):
    sys.exit(0)
"""


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("reads", "done"),
        ("long", "chief 0 failed: ValueError: too hot [31m xxx"),
        ("empty", "made of /no/such/folder, which has no file"),
        ("text", "made of a str"),
        ("leaves", "chief 0 failed: its process ended with exit code 0 before the function returned"),
        ("is_content", "done"),
    ],
)
def test_odd_functions_end_with_one_short_line(made, tmp_path, name, said):
    (tmp_path / "odd.py").write_text(ODD)
    folder = made(function=f"{tmp_path}/odd.py:{name}", roles={"chief": {}}, time_limit_s=60)
    assert run_here(folder) == int(said != "done")
    message = status(folder)["message"]
    assert said in message
    assert len(message) < 600
    assert message.isprintable()


@pytest.mark.parametrize(
    "name", ["spec.json", "attempts/1/groups/chief.json", "outcome.json", "files/metrics/chief-0/001-000001.jsonl"]
)
@pytest.mark.parametrize("content", [b"{", b"[1]", b"\xff"])
def test_a_damaged_file_is_named(made, name, content):
    folder = made(roles={"chief": {}})
    folder.write("attempt.json", {"number": 1})
    folder.storage.write(f"{folder.path}/{name}", content)
    read = read_metrics if "metrics" in name else status
    with pytest.raises(DataError, match=f"{name} is damaged"):
        read(folder)


def test_an_experiment_whose_submitter_was_killed_is_lost_and_so_are_its_instances(made):
    folder = made()
    group = GroupStatus("chief", instances=[Instance(0, host="127.0.0.1", state="running", started=1.0)])
    folder.write("attempt.json", {"number": 1})
    folder.write_group(1, group)
    folder.write(lease.FILE, {"holder": "submitter", "number": 7})
    assert (status(folder)["state"], status(folder)["instances"][0]["state"]) == ("running", "running")
    long_ago = time.time() - 2 * lease.EXPIRES_S - 1
    os.utime(f"{folder.path}/{lease.FILE}", (long_ago, long_ago))
    found = status(folder)
    assert (found["state"], found["instances"][0]["state"]) == ("lost", "lost")
    assert "nobody has kept it alive for 81 s" in found["message"]
