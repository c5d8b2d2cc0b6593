"""Fetch the jars that a pom.xml names, once. Standard library only; needs mvn for the first time."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tempfile
from pathlib import Path

from engine_node import CACHE, NodeError

COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"


def folder_of(pom: Path) -> Path:
    """Return where the jars of a pom.xml are kept: another pom.xml is another folder."""
    return CACHE.parent / "jars" / f"{pom.parent.name}-{hashlib.sha256(pom.read_bytes()).hexdigest()[:12]}"


def missing(pom: Path) -> str:
    """Return why the jars cannot be had here; empty when they can."""
    there = folder_of(pom).is_dir() or shutil.which("mvn")
    return "" if there else f"mvn is not on the PATH, and the jars of {pom.parent.name} are not in the cache"


def fetch(pom: Path) -> Path:
    """Return the folder with the jars, downloaded where they are not there yet; never half of them.

    Raises:
        NodeError: Maven is missing or does not find them.
    """
    jars = folder_of(pom)
    if jars.is_dir():
        return jars
    if missing(pom):
        raise NodeError(missing(pom))
    jars.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=jars.parent) as arriving:
        command = ["mvn", "-B", "-ntp", "-q", "-f", str(pom), COPY, f"-DoutputDirectory={arriving}/jars"]
        done = subprocess.run([*command, "-DincludeScope=runtime"], capture_output=True, text=True, check=False)
        if done.returncode:
            raise NodeError(f"Maven did not find the jars of {pom}: {(done.stdout + done.stderr)[-500:]}")
        if not jars.is_dir():
            Path(arriving, "jars").rename(jars)
    return jars
