"""Experiments on a real YARN: three roles meet, and whatever is killed ends or starts again as it should."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import time
from pathlib import Path

import psutil
import pyspark
import pytest

pytestmark = pytest.mark.chaos

SETTINGS = {
    "python": {"on_nodes": sys.executable},
    "runtime": {"root": "hdfs:///apps/rankhammer/runtime", "spark": f"nodes:{Path(pyspark.__file__).parent}/jars"},
    "submit": {"poll_s": 0.5},
}
LOOPBACK = [f"--conf=spark.{who}.SPARK_LOCAL_IP=127.0.0.1" for who in ("yarn.appMasterEnv", "executorEnv")]
THREE = ["--role=chief", "--role=worker:instances=1", "--role=evaluator"]
MASTER = "org.apache.spark.deploy.yarn.ApplicationMaster"
LEASE_BOUND_S = 60
LONG = ["--arg=steps=100000", "--arg=pause_s=0.3"]


@pytest.fixture
def experiment(site):
    """Starts the example of the documentation; every node of this machine has its Python and its Spark."""
    file = site.project / "conf" / "prod" / "cluster.yml"
    before = file.read_text()
    site.configure("cluster.yml", json.dumps(SETTINGS))
    examples = site.project / "examples"
    examples.mkdir(exist_ok=True)
    (examples / "hello.py").write_text((Path(__file__).parents[2] / "examples" / "hello.py").read_text())

    def start(*more: str):
        function = "examples/hello.py:hello"
        return site.start("rankhammer", "experiment", "run", function, "--env=prod", *THREE, *LOOPBACK, *more)

    yield start
    file.write_text(before)


def status(site) -> dict:
    return json.loads(site.start("rankhammer", "experiment", "status", "--env=prod", "--json").end(None))


def running(name: str) -> list[int]:
    """Return the processes of an instance's function on this machine."""
    found = psutil.process_iter(["cmdline"])
    return [one.pid for one in found if (one.info["cmdline"] or ())[-2:] == ["rankhammer.experiments.process", name]]


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


def application(pid: int) -> str:
    """Return the YARN application in whose container a process runs."""
    (name,) = re.findall(r"application_\d+_\d+", psutil.Process(pid).cwd())
    return name


def master_of(name: str, site) -> int:
    """Return the process of the application master of an instance's group."""
    wanted = application(running(name)[0])
    return next(pid for pid in site.containers(MASTER) if application(pid) == wanted)


def require_end_of_all(site) -> None:
    """Wait until no process of an experiment is left, which is at most as long as its lease."""
    began = time.monotonic()
    while any(map(running, ("chief-0", "worker-0", "evaluator-0"))) or site.containers(MASTER):
        assert time.monotonic() - began < LEASE_BOUND_S, "orphans"
        time.sleep(0.5)


def test_three_roles_meet_end_and_leave_a_checkpoint_and_metrics(site, experiment):
    output = experiment("--arg=steps=5").end(0)
    assert "evaluator 0: done" in output
    found = site.start("rankhammer", "experiment", "metrics", "--env=prod").end(0)
    # Of 1 x step by the chief and 2 x step by the worker, at step 5.
    assert [line.split()[-1] for line in found.splitlines() if "total" in line] == [f"{5 * (1 + 2)}.0"]
    assert [line.split()[-1] for line in found.splitlines() if "seen" in line] == [f"{5 * (1 + 2)}.0"]


def test_whatever_is_killed_starts_again_from_the_last_checkpoint_and_ends_without_its_submitter(site, experiment):
    run = experiment(*LONG, "--retries=3")
    run.wait_for("evaluator 0: running")
    for attempt, name in enumerate(("worker-0", "chief-0"), 1):
        run.wait_for(lambda name=name: running(name))
        time.sleep(3)
        kill(running(name)[0])
        run.wait_for(f"Starting again, from the last checkpoint: attempt {attempt + 1}")
    run.wait_for(lambda: running("chief-0") and running("worker-0"))
    kill(running("evaluator-0")[0])
    run.wait_for("evaluator is started again, alone")
    # The driver of a group is in the container of its application master. That of the evaluator, which was killed, may
    # still be there, and an evaluator's end does not end the others.
    kill(master_of("chief-0", site))
    run.wait_for("attempt 4")
    run.wait_for(lambda: running("chief-0") and running("worker-0"))
    kill(run.process.pid)
    require_end_of_all(site)


def test_a_checkpoint_that_storage_does_not_take_leaves_the_last_one(site, experiment):
    run = experiment(*LONG)
    run.wait_for(lambda: running("chief-0"))
    time.sleep(5)
    site.dfsadmin("-safemode", "enter")
    try:
        output = run.end(None)
    finally:
        site.dfsadmin("-safemode", "leave")
    assert run.process.returncode in (1, 2), output
    assert "safe mode" in output
    assert "Traceback" not in output
    found = site.start("rankhammer", "experiment", "metrics", "--env=prod").end(0)
    assert "seen" in found
    # HDFS did not take the word that all is over: groups see that nobody keeps the experiment alive.
    require_end_of_all(site)


def test_a_worker_that_never_comes_is_named_within_the_limit(site, experiment):
    filling = experiment(*LONG, "--role=worker:memory_mb=3000")
    filling.wait_for(lambda: running("chief-0") and running("worker-0"))
    output = experiment("--role=worker:memory_mb=3000", "--start-limit=20").end(None)
    assert "did not come within 20 s (start_limit_s)" in output, f"{filling.output}\n---\n{output}"
    filling.process.send_signal(signal.SIGINT)
    filling.end(130)
    require_end_of_all(site)
