"""A test that hangs ends, says where it hung, and ends the run."""

from __future__ import annotations

import shutil
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from nested import run_pytest
from pytest_plugins import limits

if TYPE_CHECKING:
    from pathlib import Path

JAVA = """
public class Sleeper {
    public static void main(String[] words) throws Exception {
        System.out.println("up");
        waitsForNobody();
    }
    static void waitsForNobody() throws Exception { Thread.sleep(600_000); }
}
"""
HANGS = """
import subprocess, time
import pytest

JVM = subprocess.Popen(["java", "-XX:TieredStopAtLevel=1", {java!r}], stdout=subprocess.PIPE)
assert JVM.stdout.readline() == b"up\\n"

@pytest.fixture(scope="module", autouse=True)
def _ended():
    yield
    JVM.kill()
    JVM.wait()
    JVM.stdout.close()

def waits_for_ever():
    time.sleep(600)

@pytest.mark.limit(1)
def test_that_hangs():
    waits_for_ever()

def test_after_it():
    print("the next test was begun")
"""
ENDS_LATE = """
import time
import pytest

@pytest.mark.limit(1)
def test_that_hears_nothing():
    while True:
        try:
            time.sleep(600)
        except BaseException:
            pass
"""


def _item(**marks: tuple) -> SimpleNamespace:
    known = {name: SimpleNamespace(args=arguments) for name, arguments in marks.items()}
    return SimpleNamespace(get_closest_marker=known.get)


@pytest.mark.slow_start
@pytest.mark.skipif(not shutil.which("java"), reason="no java on the PATH")
def test_a_hung_test_fails_with_the_threads_of_python_and_of_the_jvm_and_ends_the_run(tmp_path: Path) -> None:
    (tmp_path / "Sleeper.java").write_text(JAVA)
    code = HANGS.format(java=str(tmp_path / "Sleeper.java"))
    done = run_pytest(tmp_path, code, plugins=("limits",), RANKHAMMER_SLOWDOWN="1")
    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout + done.stderr
    assert "test_that_hangs did not end within 1 s" in done.stderr
    assert "in waits_for_ever" in done.stderr
    assert "Full thread dump" in done.stderr
    assert "Sleeper.waitsForNobody" in done.stderr
    assert "1 failed" in done.stdout.splitlines()[-1]
    assert "the next test was begun" not in done.stdout


def test_a_test_that_cannot_be_ended_takes_the_run_with_it(tmp_path: Path) -> None:
    at_once = "from pytest_plugins import limits\nlimits.GRACE_S = 1.0\n"
    began = time.monotonic()
    done = run_pytest(tmp_path, at_once + ENDS_LATE, plugins=("limits",), RANKHAMMER_SLOWDOWN="1")
    assert done.returncode == pytest.ExitCode.TESTS_FAILED
    assert "in test_that_hears_nothing" in done.stderr
    assert "The run is ended by force." in done.stderr
    assert time.monotonic() - began < 60


def test_a_test_in_time_is_left_alone(tmp_path: Path) -> None:
    code = "import time\nimport pytest\n@pytest.mark.limit(5)\ndef test_quick():\n    time.sleep(0.1)\n"
    done = run_pytest(tmp_path, code, plugins=("limits",))
    assert (done.returncode, done.stderr) == (0, "")


def test_a_slow_machine_has_longer_limits_and_a_mark_has_its_own() -> None:
    assert limits.allowed(_item(), 1.0) == limits.DEFAULT_S
    assert limits.allowed(_item(), 3.0) == 3 * limits.DEFAULT_S
    assert limits.allowed(_item(chaos=()), 1.0) == limits.CHAOS_S
    assert limits.allowed(_item(chaos=(), limit=(7,)), 2.0) == 2 * 7


def test_no_limit_goes_beyond_the_end_of_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANKHAMMER_CI_MINUTES", "75")
    monkeypatch.setenv("RANKHAMMER_CI_BEGAN", str(time.time() - 70 * 60))
    assert limits.allowed(_item(), 3.0) == pytest.approx(5 * 60 - limits.GRACE_S, abs=2)
    monkeypatch.setenv("RANKHAMMER_CI_BEGAN", str(time.time() - 80 * 60))
    assert limits.allowed(_item(), 3.0) == limits.LEAST_S
