"""One run at a time writes to a folder; one that is dead or silent is taken over."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from rankhammer import processes
from rankhammer.errors import ClusterError
from rankhammer.storage import lock as output_lock
from rankhammer.storage.append_log import AppendOnlyLog
from rankhammer.storage.base import LocalStorage
from rankhammer.storage.lock import FolderGuard, OutputLock


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
    """Let the last heartbeat have been some seconds ago."""
    for path in (folder / ".lock").iterdir():
        at = path.stat().st_mtime - seconds
        os.utime(path, (at, at))


def test_a_second_run_is_told_who_holds_the_lock_and_gets_it_when_it_was_given_back(tmp_path):
    first = lock(tmp_path, run="nightly")
    first.acquire()
    with pytest.raises(ClusterError, match=rf"run nightly, process {os.getpid()}.*heartbeat \d+ s ago"):
        lock(tmp_path).acquire()
    first.release()
    second = lock(tmp_path)
    second.acquire()
    second.release()


def test_the_lock_of_a_process_that_is_gone_is_free_at_once_on_its_own_machine(tmp_path, caplog):
    code = (
        "import os, sys; from rankhammer.storage.lock import OutputLock;"
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
    assert "no heartbeat for 3" in caplog.text
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
    beat = tmp_path / f".lock/{held._me['token']}.beat"
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
    message = json.loads((tmp_path / ".lock/000001.json").read_text())
    assert message.keys() == {"heartbeat_s", "host", "machine", "pid", "run", "since", "started", "token", "user"}


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
        patch.setattr(AppendOnlyLog, "prune", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            taken.acquire()
    taken.release()
    lock(tmp_path).acquire()


@pytest.fixture
def no_guard(monkeypatch):
    """As between machines: the kernel keeps nobody out."""
    monkeypatch.setattr(FolderGuard, "take", lambda _: True)


def test_the_folder_of_the_lock_can_be_deleted_and_there_is_one_holder_all_the_same(tmp_path, caplog):
    first = lock(tmp_path)
    first.acquire()
    shutil.rmtree(tmp_path / ".lock")
    with pytest.raises(ClusterError, match=r"a run on this machine, whose entry in .* was removed"):
        lock(tmp_path).acquire()
    first.require_held()
    assert caplog.text.count("was removed; it is written again") == 1
    with pytest.raises(ClusterError, match=f"process {os.getpid()}"):
        lock(tmp_path).acquire()
    first.release()
    lock(tmp_path).acquire()


@pytest.mark.parametrize("n_before", [0, 1])
def test_who_took_a_lock_whose_entry_was_removed_keeps_it_and_the_other_stops(tmp_path, no_guard, n_before):
    for _ in range(n_before):
        earlier = lock(tmp_path)
        earlier.acquire()
        earlier.release()
    first, second = lock(tmp_path), lock(tmp_path)
    first.acquire()
    shutil.rmtree(tmp_path / ".lock")
    second.acquire()
    with pytest.raises(ClusterError, match="took over"):
        first.require_held()
    first.release()
    second.require_held()
    second.release()
    assert "released_by" in max((tmp_path / ".lock").glob("*.json")).read_text()


def test_a_holder_is_told_of_another_that_has_come_and_gone(tmp_path, no_guard):
    first, second = lock(tmp_path), lock(tmp_path)
    first.acquire()
    shutil.rmtree(tmp_path / ".lock")
    second.acquire()
    second.release()
    with pytest.raises(ClusterError, match="took over"):
        first.require_held()


def test_a_holder_whose_entry_alone_was_removed_holds_the_lock(tmp_path, no_guard):
    lock_before = lock(tmp_path)
    lock_before.acquire()
    lock_before.release()
    held = lock(tmp_path)
    held.acquire()
    max((tmp_path / ".lock").glob("*.json")).unlink()
    held.require_held()
    with pytest.raises(ClusterError):
        lock(tmp_path).acquire()


def test_a_removed_entry_is_written_again_with_the_next_sign_of_life(tmp_path):
    held = lock(tmp_path, heartbeat_s=0.01)
    held.acquire()
    shutil.rmtree(tmp_path / ".lock")
    deadline = time.monotonic() + 10
    while not (tmp_path / ".lock/000001.json").exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    held.release()


def test_a_sign_of_life_from_the_future_is_judged_by_whether_its_process_lives(tmp_path):
    held = lock(tmp_path)
    held.acquire()
    silence(tmp_path, -1e6)
    with pytest.raises(ClusterError, match="last heartbeat 0 s ago"):
        lock(tmp_path).acquire()
    entry = tmp_path / ".lock/000001.json"
    entry.write_text(json.dumps(json.loads(entry.read_text()) | {"pid": 2**22 + 1}))
    silence(tmp_path, -1e6)
    lock(tmp_path).acquire()


def test_a_sign_of_life_from_the_future_of_another_machine_is_watched(tmp_path, elsewhere, caplog):
    held = elsewhere(tmp_path, heartbeat_s=0.05)
    beat = tmp_path / f".lock/{held._me['token']}.beat"
    while not beat.exists():
        time.sleep(0.01)
    silence(tmp_path, -1e6)
    with pytest.raises(ClusterError):
        lock(tmp_path).acquire()
    held._over.set()
    # Its last heartbeat takes the file away.
    while beat.exists():
        time.sleep(0.01)
    silence(tmp_path, -1e6)
    lock(tmp_path).acquire()
    assert "no heartbeat for 0.1 s, and the last one is dated in the future" in caplog.text


def test_a_process_that_has_got_the_number_of_the_holder_is_not_taken_for_it(tmp_path, caplog):
    lock(tmp_path).acquire()
    entry = tmp_path / ".lock/000001.json"
    entry.write_text(json.dumps(json.loads(entry.read_text()) | {"started": "1"}))
    lock(tmp_path).acquire()
    assert "its process is gone" in caplog.text


def test_a_process_that_has_ended_and_that_nobody_waited_for_is_gone():
    process = subprocess.Popen([sys.executable, "-c", "pass"])
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert not processes.is_alive(process.pid)
    process.wait()


@pytest.mark.parametrize("content", ["", '{"tok', "[]", '{"format": 9}'])
def test_an_entry_that_cannot_be_read_says_what_to_do_and_expires(tmp_path, content, caplog):
    (tmp_path / ".lock").mkdir()
    entry = tmp_path / ".lock/000003.json"
    entry.write_text(content)
    with pytest.raises(ClusterError, match=r"may be writing to .*000003\.json (is|holds)") as caught:
        lock(tmp_path).acquire()
    assert caught.value.hint == f"See that none is at work there; then: rm {entry}"
    silence(tmp_path, 301)
    lock(tmp_path).acquire()
    assert "no heartbeat for 30" in caplog.text


def test_what_a_killed_run_left_in_the_locks_folder_is_removed(tmp_path):
    (tmp_path / ".lock").mkdir()
    for name in (".000001.json.0a", ".now-0b", "0c.beat"):
        (tmp_path / ".lock" / name).write_text("")
    silence(tmp_path, 301)
    (tmp_path / ".lock/.now-0d").write_text("")
    lock(tmp_path).acquire()
    assert {path.name for path in (tmp_path / ".lock").iterdir()} == {"000001.json", ".now-0d"}
