"""One run at a time writes to a folder; one that is dead or silent is taken over."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from rankhammer import output_lock
from rankhammer.errors import ClusterError
from rankhammer.numbered import NumberedFiles
from rankhammer.output_lock import OutputLock
from rankhammer.storage import LocalStorage


def lock(folder, **options) -> OutputLock:
    return OutputLock(str(folder), **{"heartbeat_s": 60, "expires_s": 300} | options)


@pytest.fixture
def elsewhere(monkeypatch):
    """Let what is locked next be locked by a run on another machine."""

    def take(folder, **options) -> OutputLock:
        with monkeypatch.context() as patch:
            patch.setattr(output_lock, "_machine", lambda: "another machine")
            held = lock(folder, **options)
        held.acquire()
        return held

    return take


def silence(folder, seconds: float) -> None:
    """Let the last sign of life have been some seconds ago."""
    for path in (folder / ".lock").glob("0*"):
        at = path.stat().st_mtime - seconds
        os.utime(path, (at, at))


def test_a_second_run_is_told_who_holds_the_lock_and_gets_it_when_it_was_given_back(tmp_path):
    first = lock(tmp_path, run="nightly")
    first.acquire()
    with pytest.raises(ClusterError, match=rf"run nightly, process {os.getpid()}.*sign of life \d+ s ago"):
        lock(tmp_path).acquire()
    first.release()
    second = lock(tmp_path)
    second.acquire()
    second.release()


def test_the_lock_of_a_process_that_is_gone_is_free_at_once_on_its_own_machine(tmp_path, caplog):
    code = (
        "import os, sys; from rankhammer.output_lock import OutputLock;"
        "OutputLock(sys.argv[1], heartbeat_s=60, expires_s=300).acquire(); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False, timeout=60)
    lock(tmp_path).acquire()
    assert "its process is gone" in caplog.text


def test_a_pid_of_another_machine_says_nothing(tmp_path, elsewhere, monkeypatch):
    monkeypatch.setattr(output_lock, "_is_alive", lambda pid: False)
    elsewhere(tmp_path)
    with pytest.raises(ClusterError):
        lock(tmp_path).acquire()


def test_a_silent_run_is_taken_over_and_stops_before_it_writes_again(tmp_path, elsewhere, caplog):
    silent = elsewhere(tmp_path)
    silence(tmp_path, 299)
    with pytest.raises(ClusterError):
        lock(tmp_path).acquire()
    silent.require_held()
    silence(tmp_path, 10)
    lock(tmp_path).acquire()
    assert "no sign of life for 3" in caplog.text
    with pytest.raises(ClusterError, match="took over"):
        silent.require_held()
    silent.release()
    with pytest.raises(ClusterError):
        lock(tmp_path).acquire()


def test_a_wrong_clock_of_this_host_expires_nothing(tmp_path, elsewhere, monkeypatch):
    elsewhere(tmp_path)
    monkeypatch.setattr(time, "time", lambda: 4e9)
    with pytest.raises(ClusterError):
        lock(tmp_path).acquire()


def test_signs_of_life_are_given_until_the_end(tmp_path, elsewhere, monkeypatch):
    held = elsewhere(tmp_path, heartbeat_s=0.01)
    beat = tmp_path / ".lock/000001.beat"
    deadline = time.monotonic() + 10
    while not beat.exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    # One that fails does not end them.
    with monkeypatch.context() as patch:
        failed = threading.Event()
        patch.setattr(LocalStorage, "write", lambda *_: failed.set() or (_ for _ in ()).throw(OSError("away")))
        assert failed.wait(10)
    beat.unlink()
    while not beat.exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    held.release()


def test_of_many_runs_at_once_one_gets_the_lock(tmp_path):
    def try_it(_: int) -> bool:
        try:
            lock(tmp_path).acquire()
        except ClusterError:
            return False
        return True

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(try_it, range(16))) == 1


def test_the_lock_says_who_holds_it(tmp_path):
    lock(tmp_path, run="nightly").acquire()
    told = json.loads((tmp_path / ".lock/000001.json").read_text())
    assert told.keys() == {"host", "machine", "pid", "run", "since", "token", "user"}


def test_a_lock_that_was_not_won_gives_nothing_back(tmp_path):
    first, second = lock(tmp_path), lock(tmp_path)
    first.acquire()
    second._number = 1
    second.release()
    with pytest.raises(ClusterError):
        lock(tmp_path).acquire()


def test_ctrl_c_while_the_lock_is_taken_gives_it_back(tmp_path, monkeypatch):
    taken = lock(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(NumberedFiles, "prune", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            taken.acquire()
    taken.release()
    lock(tmp_path).acquire()
