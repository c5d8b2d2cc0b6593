"""`rankhammer submit` on a real YARN: the driver's verdict comes back, Ctrl-C ends what was started, no key is seen."""

from __future__ import annotations

import getpass
import json
import signal
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import hadoop_cluster
import psutil
import pyspark
import pytest
import yaml

from rankhammer.yarn import hadoop_conf, resource_manager, secrets

pytestmark = pytest.mark.chaos

SETTINGS = {
    "python": {"on_nodes": sys.executable},
    "runtime": {"root": "hdfs:///apps/rankhammer/runtime", "spark": f"nodes:{Path(pyspark.__file__).parent}/jars"},
    "resources": {"profile": "small", "max_share": 0.9},
    "runs": {"folder": "hdfs:///apps/rankhammer/runs"},
}
SIZE = {"instances": 1, "cores": 1, "memory_mb": 640, "overhead_mb": 896, "driver_memory_mb": 1024}
LOOPBACK = [f"--conf=spark.{who}.SPARK_LOCAL_IP=127.0.0.1" for who in ("yarn.appMasterEnv", "executorEnv")]


@pytest.fixture
def configured(site):
    """Lets a test write cluster.yml."""
    file = site.project / "conf" / "prod" / "cluster.yml"
    before = file.read_text()
    yield lambda settings: site.configure("cluster.yml", json.dumps(settings))
    file.write_text(before)


@pytest.fixture
def submitted(site, configured):
    """Starts a submission in cluster mode; every node of this machine has its Python and its Spark."""
    configured(SETTINGS)
    return lambda *more: site.start("rankhammer", "submit", "--pipeline=ingestion", "--env=prod", *LOOPBACK, *more)


def _applications(site) -> list[dict]:
    (address,) = resource_manager.web_addresses(hadoop_conf.read([site.conf]))
    with urllib.request.urlopen(f"{address}/ws/v1/cluster/apps") as answer:
        return (json.load(answer)["apps"] or {"app": []})["app"]


def _key_stores(site) -> list[tuple[str, str]]:
    """Return (name, mode) of each; nothing where nobody has submitted yet."""
    folder = f"/user/{getpass.getuser()}/{secrets.FOLDER}"
    try:
        found = hadoop_cluster.web_hdfs(site.hadoop, "GET", folder, op="LISTSTATUS")["FileStatuses"]["FileStatus"]
    except urllib.error.HTTPError as error:
        if error.code == 404:
            return []
        raise
    return [(file["pathSuffix"], file["permission"]) for file in found]


def _seen_with(secret: str) -> list[str]:
    lines = (" ".join(process.info["cmdline"] or ()) for process in psutil.process_iter(["cmdline"]))
    return [line for line in lines if secret in line]


def _files_with(folder: Path, secret: bytes, since: float) -> list[Path]:
    """Find new files on the disks of HDFS and YARN, which go on working: what is deleted meanwhile is left out."""
    found = []
    for file in folder.rglob("*"):
        try:
            if file.is_file() and file.stat().st_mtime >= since and secret in file.read_bytes():
                found.append(file)
        except FileNotFoundError:
            continue
    return found


def test_what_the_driver_refuses_ends_submit_with_its_words_and_its_code(site, submitted):
    # What corpora there are is in the log, which the driver alone reads.
    output = submitted("--params=corpora=nowhere").end(2)
    assert "nowhere" in output.split("End of the driver's log", 1)[-1]
    assert "End of the driver's log (container_" in output
    assert site.secret not in output


def test_what_can_be_refused_here_is_not_submitted(site, submitted):
    n_before = len(_applications(site))
    assert "there is no key 'ingestion.nonsense'" in submitted("--params=ingestion.nonsense=1").end(2)
    assert len(_applications(site)) == n_before


def test_interrupted_submit_ends_the_application_and_leaves_no_key(site, submitted):
    began = time.time()
    before = set(_key_stores(site))
    run = submitted()
    run.wait_for("RUNNING")
    ((name, mode),) = set(_key_stores(site)) - before
    assert (Path(name).suffix, mode) == (".jceks", "600")
    assert _seen_with(site.secret) == []
    run.process.send_signal(signal.SIGTERM)
    assert "is killed" in run.end(130)
    newest = max(_applications(site), key=lambda application: application["startedTime"])
    assert newest["finalStatus"] == "KILLED"
    assert set(_key_stores(site)) <= before
    assert _files_with(site.hadoop, site.secret.encode(), since=began) == []


def test_corpora_are_submitted_by_their_size_and_publish_what_a_run_here_does(site, baseline, configured):
    """The driver runs in YARN, with the Python and the Spark that travel."""
    cluster = yaml.safe_load((site.project / "conf" / "prod" / "cluster.yml").read_text())
    rules = [{"max_rows": 2000, "profile": "small"}, {"profile": "medium"}]
    resources = {"max_share": 0.9, "profiles": {"small": SIZE, "medium": {**SIZE, "instances": 2}}, "rules": rules}
    configured({**cluster, "resources": resources})
    run = site.start("rankhammer", "submit", "--pipeline=train", "--env=prod", "--by-size", *LOOPBACK)
    output = run.end()
    assert "Profile small: network" in output
    assert "Profile medium: stdlib" in output
    assert output.count("ended: SUCCEEDED") == 2
    assert site.published() == baseline
