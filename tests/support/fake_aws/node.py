"""A node of the fake cluster: this machine, with an `aws` command that copies files from and to the real S3 server."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import psutil
import watchdog

from rankhammer.spark import java

_AWS = """#!{python} -S
import http.client, json, os, sys
if sys.argv[1:3] == ["secretsmanager", "get-secret-value"]:
    print(open(os.path.join({secrets!r}, sys.argv[sys.argv.index("--secret-id") + 1].replace("/", "-"))).read())
    sys.exit(0)
if sys.argv[1:3] != ["s3", "cp"]:
    sys.exit("only `aws s3 cp` and secrets are here")
source, target = [a for a in sys.argv[3:] if not a.startswith("--")]
place = lambda p: p if p.startswith("s3://") else os.path.abspath(p)
caller = http.client.HTTPConnection("127.0.0.1", {port})
caller.request("POST", "/node/cp", json.dumps([place(source), place(target)]))
answer = caller.getresponse()
text = answer.read().decode()
sys.exit(text if answer.status != 200 else 0)
"""


class Node:
    """Where steps run.

    Args:
        folder: For its commands.
        port: Of the control plane.
        environ: Variables that a node has: who it is to S3 (on EC2 the role of its profile says so).
    """

    def __init__(self, folder: Path, port: int, environ: dict[str, str]) -> None:
        self._folder, self._environ = folder, environ
        folder.mkdir(parents=True, exist_ok=True)
        command = folder / "aws"
        command.write_text(_AWS.format(python=sys.executable, port=port, secrets=str(folder)))
        command.chmod(0o755)

    @property
    def environ(self) -> dict[str, str]:
        found = java.provide().home
        home = {"HOME": str(self._folder), "TMPDIR": str(self._folder)} | ({"JAVA_HOME": found} if found else {})
        path = f"{self._folder}:{Path(sys.executable).parent}:{os.defpath}"
        return {"PATH": path, **home, **watchdog.inherited(), **self._environ}

    def start(self, command: list[str]) -> subprocess.Popen:
        with (self._folder / "node.log").open("ab") as log:
            return subprocess.Popen(
                command, env=self.environ, cwd=self._folder, stdout=log, stderr=log, start_new_session=True
            )

    def log(self) -> str:
        file = self._folder / "node.log"
        return file.read_text() if file.exists() else ""


def kill(process: subprocess.Popen) -> None:
    """End a process and all that it has started."""
    if process.poll() is None:
        # Not by group: `timeout` gives its command one of its own.
        for one in [*psutil.Process(process.pid).children(recursive=True), process]:
            with contextlib.suppress(psutil.NoSuchProcess):
                one.kill()
        process.wait()
