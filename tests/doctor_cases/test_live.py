"""A run in progress, as real Spark shows it: the thread of a task that does not end, and the driver between jobs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import watchdog
from click.testing import CliRunner

from rankhammer_doctor.cli import doctor
from rankhammer_doctor.exit_codes import USER_ERROR

pytestmark = [pytest.mark.doctor_cases, pytest.mark.limit(1200)]
SCRIPT = """
import sys, time
from pyspark.sql import SparkSession
keys = {"spark.ui.enabled": "true", "spark.ui.port": "0", "spark.driver.host": "127.0.0.1",
        "spark.driver.memory": "600m", "spark.ui.showConsoleProgress": "false"}
builder = SparkSession.builder.master("local[2]").appName("<script>alert(1)</script>")
for key, value in keys.items():
    builder = builder.config(key, value)
spark = builder.getOrCreate()
print("pages:", spark.sparkContext.uiWebUrl, flush=True)
sys.stdin.readline()

def slow(n):
    time.sleep(0.1 if n < 7 else 600)
    return n

spark.sparkContext.setJobDescription("labeling: judge")
spark.sparkContext.parallelize(range(8), 8).map(slow).count()
"""
SOON = "L1: {min_task_s: 5, time_ratio: 5}\n"
PATIENCE_S = 400


@pytest.fixture(scope="module")
def running():
    """A process whose Spark waits for a line before it starts a job, and the address of its pages."""
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT],
        env={**os.environ, **watchdog.inherited(), "SPARK_LOCAL_IP": "127.0.0.1", "PYSPARK_PYTHON": sys.executable},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        address = next(line for line in process.stdout if line.startswith("pages: ")).removeprefix("pages: ").strip()
        yield process, address
    finally:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


def look(address, *arguments):
    """Look until there is an answer: on a busy machine Spark's pages come later than their address."""
    end = time.monotonic() + PATIENCE_S
    while True:
        done = CliRunner().invoke(doctor, ["live", address, "--json", *arguments], catch_exceptions=False)
        if done.exit_code != USER_ERROR:
            return done.exit_code, json.loads(done.stdout)
        assert time.monotonic() < end, done.stderr


def test_between_jobs_and_then_in_a_task_that_does_not_end(running, tmp_path):
    process, address = running
    assert address.startswith("http://127.0.0.1:")
    code, facts = look(address, "--seconds=0")
    assert (code, [one["rule"] for one in facts["findings"]]) == (0, ["L6"])
    process.stdin.write("\n")
    process.stdin.flush()
    (tmp_path / "soon.yml").write_text(SOON)
    end = time.monotonic() + PATIENCE_S
    while code != 4:
        assert time.monotonic() < end, facts
        code, facts = look(address, "--seconds=1", f"--thresholds={tmp_path / 'soon.yml'}")
    (finding,) = facts["findings"]
    assert (finding["rule"], finding["place"]) == ("L1", "stage 0 (labeling: judge)")
    assert "waits for its Python worker; it stood there before" in finding["evidence"][0]
    assert facts["stages"][0]["complete_tasks"] == 7
    assert any("PythonRunner" in frame for frame in facts["stages"][0]["longest"][0]["frames"])


def test_an_official_client_gets_answers_over_mcp(tmp_path):
    """In the environment that `make doctor-cases` makes of requirements-mcp.lock."""
    python = Path(__file__).parents[2] / ".venvs" / "mcp" / "bin" / "python"
    if not python.exists():
        pytest.skip("make .venvs/mcp/bin/mcp")
    (tmp_path / "spark.conf").write_text("spark.network.timeout 5s\n")
    done = subprocess.run(
        [python, "-c", CLIENT, str(tmp_path)], capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    assert done.returncode == 0, done.stderr
    names, fine, refused = map(json.loads, done.stdout.splitlines())
    assert len(names) == 5
    assert fine["findings"][0]["rule"] == "S12"
    assert "is not below" in refused


CLIENT = """
import asyncio, json, sys
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

async def main():
    arguments = ["-m", "rankhammer_doctor", "mcp", "--root", sys.argv[1]]
    server = StdioServerParameters(command=sys.executable, args=arguments)
    async with Client(stdio_client(server)) as client:
        print(json.dumps([tool.name for tool in (await client.list_tools()).tools]))
        found = await client.call_tool("check_conf", {"source": "spark.conf"})
        print(json.dumps(found.structured_content))
        found = await client.call_tool("diagnose_log", {"log": "../other"})
        assert found.is_error
        print(json.dumps(found.content[0].text))

asyncio.run(main())
"""
