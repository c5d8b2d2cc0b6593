"""Thread dumps of the JVMs that this process has started, or that those have started: Spark, search engines, Hadoop."""

from __future__ import annotations

import contextlib
import shutil
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil

PATIENCE_S = 30
LINES = 400


def below_this_process() -> list[str]:
    """Return each JVM's dump, under a line that says which it is."""
    found = _found()
    if not found:
        return ["No JVM runs below this process."]
    with ThreadPoolExecutor(len(found)) as pool:
        return list(pool.map(_dump, found))


def kill_below_this_process() -> None:
    """End each JVM at once."""
    for one in _found():
        with contextlib.suppress(psutil.Error):
            one.kill()


def _found() -> list[psutil.Process]:
    return [one for one in psutil.Process().children(recursive=True) if _is_jvm(one)]


def _is_jvm(process: psutil.Process) -> bool:
    try:
        return process.name() == "java" and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _dump(process: psutil.Process) -> str:
    try:
        title = f"What JVM {process.pid} does ({_main_class(process.cmdline())}):"
        beside = Path(process.exe()).with_name("jcmd")
    except psutil.Error:
        return f"JVM {process.pid} has ended meanwhile."
    jcmd = str(beside) if beside.is_file() else shutil.which("jcmd")
    return f"{title}\n{_asked(jcmd, process) if jcmd else _signalled(process)}"


def _asked(jcmd: str, process: psutil.Process) -> str:
    command = [jcmd, str(process.pid), "Thread.print"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    except subprocess.TimeoutExpired:
        return _signalled(process)
    if done.returncode:
        return f"{done.stderr}{_signalled(process)}"
    return "\n".join(done.stdout.splitlines()[:LINES])


def _signalled(process: psutil.Process) -> str:
    """Let a JVM that no tool can ask print its dump itself."""
    process.send_signal(signal.SIGQUIT)
    return "It prints its threads where its own output goes: above, or in the log of its folder."


def _main_class(command: list[str]) -> str:
    """Return the first argument that is neither an option nor a class path."""
    names = [word for word in command[1:] if not word.startswith("-") and ":" not in word and "/*" not in word]
    return names[0] if names else " ".join(command[:2])
