"""Results on a real HDFS: a dashboard that copies them, and tables that a tool for reports asks by JDBC."""

from __future__ import annotations

import csv
import io
import os
import re
import socket
import subprocess
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pyspark
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.chaos

SPARK = Path(pyspark.__file__).parent
THRIFT_SERVER = "org.apache.spark.sql.hive.thriftserver.HiveThriftServer2"
QUESTION = "SELECT corpus, count(*) AS n FROM {} GROUP BY corpus ORDER BY corpus"


def test_a_dashboard_shows_what_a_run_left_on_hdfs(site, baseline, tmp_path):
    shown = site.start(
        *("rankhammer", "dashboard", "--env=prod", "--port=0", f"--token-file={tmp_path / 'token.json'}", "--every=2"),
        XDG_CACHE_HOME=str(tmp_path / "cache"),
    )
    shown.wait_for("Dashboard: http://")
    address = re.search(r"Dashboard: (\S+)", shown.output)[1]
    token = re.search(r"Token: (\S+)", shown.output)[1]
    reader = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
    reader.open(f"{address}login", f"token={token}".encode()).read()

    def page(place: str) -> str:
        return reader.open(address + place).read().decode()

    first = page("")
    assert "from hdfs:///apps/rankhammer/history" in first
    # Other faults have left runs that trained nothing, and of older runs the folders are gone.
    runs = sorted({int(number) for number in re.findall(r'/runs/(\d+)"', first)}, reverse=True)
    trained = [run for run in runs if "Ranker: " in page(f"runs/{run}")]
    queries = {run: page(f"runs/{run}/queries?corpus=stdlib") for run in trained}
    whole = [run for run, text in queries.items() if "test queries of stdlib" in text]
    assert whole, queries
    assert [run for run, text in queries.items() if 'class="fault"' not in text] == whole
    shown.process.terminate()
    shown.end(expect=None)


def test_tables_of_hive_on_hdfs_are_asked_by_jdbc(site, baseline, tmp_path):
    said = site.start("rankhammer", "tables", "hive", "--env=prod", "-o", str(tmp_path / "tables.sql")).end()
    assert "tables of the database rankhammer" in said
    assert "LOCATION 'hdfs:///apps/rankhammer/runs/" in (tmp_path / "tables.sql").read_text()
    with _thrift_server(site, tmp_path) as url:
        _beeline(site, url, "-f", str(tmp_path / "tables.sql"))
        # A second time as after another run: nothing is in the way.
        _beeline(site, url, "-f", str(tmp_path / "tables.sql"))
        for table in ("serps", "training_matrix", "evaluation"):
            question = QUESTION.format(table)
            asked = _beeline(site, f"{url}/rankhammer", "--outputformat=csv2", "-e", question)
            here = site.start("rankhammer", "sql", "--env=prod", "--csv", question, XDG_CACHE_HOME=str(tmp_path)).end()
            assert _rows(asked) == _rows(here) != []


@contextmanager
def _thrift_server(site, folder) -> Iterator[str]:
    """Run Spark's server of Hive's protocol, with a metastore of its own; return its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    conf = {
        "spark.ui.enabled": "false",
        "spark.sql.warehouse.dir": f"file://{folder}/warehouse",
        "spark.hadoop.javax.jdo.option.ConnectionURL": f"jdbc:derby:{folder}/metastore;create=true",
    }
    command = [SPARK / "bin/spark-submit", "--master=local[2]", *(f"--conf={k}={v}" for k, v in conf.items())]
    command += ["--class", THRIFT_SERVER, "spark-internal", "--hiveconf", f"hive.server2.thrift.port={port}"]
    command += ["--hiveconf", "hive.server2.thrift.bind.host=127.0.0.1"]
    with (folder / "server.log").open("w") as log:
        process = subprocess.Popen(command, cwd=folder, env=_variables(site), stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 120
        while "HiveThriftServer2 started" not in (folder / "server.log").read_text():
            assert process.poll() is None, (folder / "server.log").read_text()[-3000:]
            assert time.monotonic() < deadline, (folder / "server.log").read_text()[-3000:]
            time.sleep(0.2)
        yield f"jdbc:hive2://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(60)


def _beeline(site, url: str, *arguments: str) -> str:
    done = subprocess.run(
        [SPARK / "bin/beeline", "-u", url, "--silent=true", *arguments],
        env=_variables(site),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _variables(site) -> dict[str, str]:
    return {**os.environ, **site.variables, "SPARK_HOME": str(SPARK), "SPARK_LOCAL_IP": "127.0.0.1"}


def _rows(text: str) -> list[dict[str, str]]:
    """Read rows of CSV from what a command printed: beeline's prompt stands before them."""
    lines = [line.rpartition("> ")[2] for line in text.splitlines()]
    rows = [line for line in lines[lines.index("corpus,n") :] if line.count(",") == 1]
    return list(csv.DictReader(io.StringIO("\n".join(rows))))
