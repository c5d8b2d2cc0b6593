"""What a process has started ends with it, also when it is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import psutil
import pytest
import s3_server
import watchdog
from nested import PLACES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PATIENCE_S = 40
STARTS_A_SERVER = """
import sys, time
from pathlib import Path
import s3_server, watchdog
if "watched" in sys.argv:
    watchdog.start()
s3_server.start(Path(sys.argv[1]))
print("up", flush=True)
time.sleep(600)
"""
STARTS_A_CHAIN = """
import subprocess, sys, time
import watchdog
watchdog.start(patience_s=1)
deaf = "import os, signal, subprocess, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
deaf += "subprocess.Popen(['sleep', '600'], start_new_session=True); print('up', flush=True); time.sleep(600)"
subprocess.Popen([sys.executable, "-c", deaf], start_new_session=True)
time.sleep(600)
"""


@pytest.fixture(autouse=True)
def _unmarked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the mark of this run: it is a new one that is looked at."""
    monkeypatch.delenv(watchdog.NAME, raising=False)


@pytest.fixture
def start() -> Iterator:
    """Starts a process that says when it is up, and sees to it that it ends."""
    started = []

    def begin(code: str, *arguments: str) -> subprocess.Popen[str]:
        environ = {**os.environ, "PYTHONPATH": PLACES}
        command = [sys.executable, "-c", code, *arguments]
        process = subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout.readline() == "up\n"
        return process

    yield begin
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


def _mark_of(process: subprocess.Popen[str]) -> str:
    """Return the mark of what a process has started, as its children carry it."""
    marks = {child.environ().get(watchdog.NAME) for child in psutil.Process(process.pid).children()}
    (mark,) = marks - {None}
    return mark


def _goes(is_there) -> bool:
    deadline = time.monotonic() + PATIENCE_S
    while is_there() and time.monotonic() < deadline:
        time.sleep(0.1)
    return not is_there()


@pytest.mark.skipif(bool(s3_server.missing()), reason=s3_server.missing())
def test_a_server_ends_with_the_process_that_started_it_and_was_killed(start, tmp_path: Path) -> None:
    process = start(STARTS_A_SERVER, str(tmp_path), "watched")
    assert s3_server.running(tmp_path)
    process.kill()
    assert _goes(lambda: s3_server.running(tmp_path))


@pytest.mark.skipif(bool(s3_server.missing()), reason=s3_server.missing())
def test_a_server_outlives_who_started_it_without_a_watchdog(start, tmp_path: Path) -> None:
    process = start(STARTS_A_SERVER, str(tmp_path))
    process.kill()
    process.wait()
    time.sleep(4 * watchdog.LOOK_S)
    assert s3_server.running(tmp_path)
    s3_server.stop(tmp_path, signal.SIGKILL)


def test_what_started_processes_have_started_ends_too_and_who_does_not_listen_is_forced(start) -> None:
    process = start(STARTS_A_CHAIN)
    mark = _mark_of(process)
    (dog,) = (c for c in psutil.Process(process.pid).children() if watchdog.__file__ in " ".join(c.cmdline()))
    assert len(watchdog.carriers(mark)) == 2
    assert watchdog.NAME not in dog.environ()
    process.kill()
    process.wait()
    assert _goes(dog.is_running)
    assert watchdog.carriers(mark) == []


def test_servers_that_get_few_variables_get_the_mark(monkeypatch: pytest.MonkeyPatch) -> None:
    assert watchdog.inherited() == {}
    monkeypatch.setenv(watchdog.NAME, "1-2")
    assert watchdog.inherited() == {watchdog.NAME: "1-2"}
