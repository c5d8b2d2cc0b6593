"""What holds on a cluster besides faults: no secret is written anywhere, and a notebook has all it needs."""

from __future__ import annotations

import io
import os
import sys
import urllib.parse
import urllib.request
from pathlib import Path

import hadoop_cluster
import pyarrow as pa
import pytest

pytestmark = pytest.mark.chaos

WRITTEN = ("/apps/rankhammer", "/spark-history")


def command_lines() -> bytes:
    """Return what `ps` shows of all processes."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(file.read_bytes())
        except OSError:
            continue
    return b"\n".join(found)


def files_below(site, path: str) -> list[tuple[str, bytes]]:
    """Return all files of a folder on HDFS, unpacked where they are compressed."""
    found = []
    for status in hadoop_cluster.web_hdfs(site.hadoop, "GET", path, op="LISTSTATUS")["FileStatuses"]["FileStatus"]:
        name = f"{path}/{status['pathSuffix']}"
        if status["type"] == "DIRECTORY":
            found += files_below(site, name)
        elif status["length"] < 50_000_000:
            found.append((name, unpacked(name, read(site, name))))
    return found


def read(site, path: str) -> bytes:
    port = hadoop_cluster._ports(site.hadoop)["nn_http"]
    url = f"http://127.0.0.1:{port}/webhdfs/v1{urllib.parse.quote(path)}?op=OPEN"
    with urllib.request.urlopen(url, timeout=60) as answer:
        return answer.read()


def unpacked(name: str, content: bytes) -> bytes:
    if not name.endswith((".zstd", ".zst")):
        return content
    with pa.input_stream(io.BytesIO(content), compression="zstd") as stream:
        return stream.read()


def test_a_secret_is_in_no_log_no_report_and_no_process_list(site, baseline):
    run = site.start("kedro", "run", "--pipeline=train", "--env=prod")
    while run.process.poll() is None:
        assert site.secret.encode() not in command_lines()
    assert site.secret not in run.end()
    written = [file for path in WRITTEN for file in files_below(site, path)]
    assert any(name.startswith("/spark-history") for name, _ in written)
    assert [name for name, content in written if site.secret.encode() in content] == []
    application = hadoop_cluster.resource_manager(site.hadoop, "cluster/apps")["apps"]["app"][-1]["id"]
    logs = hadoop_cluster.tool(site.hadoop, "logs", "-applicationId", application).stdout
    assert "launch_container.sh" in logs
    assert site.secret not in logs


def test_a_notebook_has_catalog_parameters_and_a_session_on_the_cluster(site, baseline):
    runs = hadoop_cluster.web_hdfs(site.hadoop, "GET", "/apps/rankhammer/runs", op="LISTSTATUS")
    newest = max(runs["FileStatuses"]["FileStatus"], key=lambda status: status["modificationTime"])["pathSuffix"]
    typed = "\n".join(
        (
            f"%reload_kedro --env=prod --params=run={newest}",
            "from rankhammer import spark",
            "print('MASTER', spark.session().sparkContext.master)",
            "print('ROWS', catalog.load('training_rows').count() > 0)",
            "print('SEED', context.params['random_state'])",
            "exit",
            "",
        )
    )
    # Kedro looks for the command `ipython`, as in a shell with the environment switched on.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    on_progress = site.start("kedro", "ipython", "--env=prod", "--simple-prompt", typed=typed, PATH=path).end()
    assert "MASTER yarn" in on_progress
    assert "ROWS True" in on_progress
    assert "SEED 42" in on_progress
