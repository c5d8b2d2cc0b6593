"""Real Spark writes event logs, and its History Server says what is in them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyspark
import pytest
import watchdog

from rankhammer.spark import java

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
JARS = Path(pyspark.__file__).parent / "jars"
REAL_LOGS = Path(__file__).parents[3] / "shared" / "data" / "spark_event_logs"
_PORT = 18_480
_READY_S = 120


class HistoryServer:
    """The REST interface of a History Server."""

    def __init__(self, port: int) -> None:
        self._base = f"http://127.0.0.1:{port}/api/v1/applications"

    def get(self, path: str = "") -> Any:
        with urllib.request.urlopen(f"{self._base}{path}", timeout=60) as answer:
            return json.loads(answer.read())

    def places(self) -> dict[str, str]:
        """Application to its path, with the last attempt where there are several."""
        found = {}
        for one in self.get("?limit=500"):
            attempt = one["attempts"][0].get("attemptId")
            found[one["id"]] = f"/{one['id']}" + (f"/{attempt}" if attempt else "")
        return found

    def wait_for(self, n: int, output: Path) -> None:
        """Wait until as many applications are listed; `output` is what is shown of the server where they are not."""
        end, found = time.monotonic() + _READY_S, []
        while time.monotonic() < end:
            try:
                found = sorted(one["id"] for one in self.get("?limit=500"))
                if len(found) >= n:
                    return
            except (urllib.error.URLError, ConnectionError):
                pass
            time.sleep(0.5)
        pytest.fail(f"the History Server lists {found} after {_READY_S} s, not {n}: {output.read_text()[-3000:]}")


@contextmanager
def history_server(logs: Path, n: int) -> Iterator[HistoryServer]:
    """Start a History Server on a folder with n logs."""
    command = [
        str(java.machine_java(os.environ).command),
        "-Xmx1g",
        *(f"--add-opens=java.base/{name}=ALL-UNNAMED" for name in ("java.lang", "java.nio", "sun.nio.ch", "java.util")),
        f"-Dspark.history.fs.logDirectory=file:{logs}",
        f"-Dspark.history.ui.port={_PORT}",
        "-Dspark.history.fs.update.interval=2s",
        "-cp",
        f"{JARS}/*",
        "org.apache.spark.deploy.history.HistoryServer",
    ]
    environ = {**os.environ, **watchdog.inherited(), "SPARK_LOCAL_IP": "127.0.0.1"}
    output = logs.parent / "history-server.txt"
    with output.open("wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT, env=environ)
    try:
        server = HistoryServer(_PORT)
        server.wait_for(n, output)
        yield server
    finally:
        process.terminate()
        process.wait(timeout=30)


def run_case(case: str, logs: Path, **settings: str) -> Path:
    """Let real Spark run a case of `cases.py`, and return the folder of its event log.

    Args:
        case: Name of a function there.
        logs: Folder for event logs.
        settings: Spark keys, with _ for the dots.
    """
    folder = logs / case
    folder.mkdir(parents=True)
    keys = [f"{key.replace('__', '.')}={value}" for key, value in settings.items()]
    environ = {**os.environ, **watchdog.inherited(), "SPARK_LOCAL_IP": "127.0.0.1", "PYSPARK_PYTHON": sys.executable}
    command = [sys.executable, str(HERE / "cases.py"), case, str(folder), *keys]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False, timeout=300)
    (folder.parent / f"{case}.txt").write_text(done.stdout + done.stderr)
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


def the_log(folder: Path) -> Path:
    """Return the only event log of a folder."""
    (log,) = [path for path in folder.iterdir() if not path.name.startswith(".")]
    return log


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("doctor_cases")
