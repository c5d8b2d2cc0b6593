"""`.ci/run`: what it runs, in which order, and what it says to each part; nothing outlives it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).parents[2]
MAKE = """#!/bin/sh
part=${RANKHAMMER_FUZZ_PART:+part=$RANKHAMMER_FUZZ_PART }
echo "make $* ${part}engines=$RANKHAMMER_REQUIRE_ENGINES slow=$RANKHAMMER_SLOWDOWN tests=$RANKHAMMER_TEST_S"
[ "$RANKHAMMER_CI_BEGAN" -gt 1000000000 ] || exit 9
[ "$1" = "$BREAKS" ] && exit 3
[ "$1" = "$HANGS" ] && exec sleep 600
exit 0
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder with the script, in which `make` and the set-up only say that they were called."""
    for name in (".ci/run", "dev/machine_speed.py", "dev/watchdog.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    for name, text in (("dev/setup", "#!/bin/sh\necho setup $*\n"), ("bin/make", MAKE)):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "python").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    (tmp_path / ".venv" / "bin" / "python").chmod(0o755)
    return tmp_path


def _start(checkout: Path, **environ: str) -> subprocess.Popen[str]:
    # What CI itself, and whoever starts it, may have set.
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("RANKHAMMER_")}
    variables = {**inherited, "PATH": f"{checkout / 'bin'}{os.pathsep}{os.environ['PATH']}", **environ}
    return subprocess.Popen([checkout / ".ci" / "run"], env=variables, stdout=subprocess.PIPE, text=True)


def test_tests_come_first_and_faults_are_told_how_long_they_took(checkout: Path) -> None:
    run = _start(checkout)
    setup, speed, tests, fuzz, faults = run.communicate(timeout=60)[0].splitlines()
    assert run.returncode == 0
    assert setup == "setup dev"
    slow = speed.partition("This machine is ")[2].partition(" times")[0]
    assert float(slow) >= 1
    assert speed.endswith("CI ends within 75 min.")
    assert tests == f"make test engines=1 slow={slow} tests="
    assert fuzz.startswith("make fuzz part=commit ")
    assert faults.rstrip("0123456789") == f"make chaos ARGS=--in-time engines=1 slow={slow} tests="
    assert faults[-1].isdigit()


def test_no_fault_is_begun_when_a_test_fails(checkout: Path) -> None:
    run = _start(checkout, BREAKS="test")
    output, _ = run.communicate(timeout=60)
    assert run.returncode == 3
    assert "chaos" not in output


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_what_ci_has_started_ends_with_it(checkout: Path, how: signal.Signals) -> None:
    run = _start(checkout, HANGS="test")
    lines = iter(run.stdout.readline, "")
    assert any(line.startswith("make test") for line in lines)
    (hanging,) = (child for child in psutil.Process(run.pid).children() if child.name() in ("sleep", "sh", "make"))
    run.send_signal(how)
    run.wait(30)
    deadline = time.monotonic() + 30
    while hanging.is_running() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not hanging.is_running()
    run.stdout.close()
