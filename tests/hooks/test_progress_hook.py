"""The bars leave the terminal as they found it, however a run ends."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

HIDE, SHOW = b"\x1b[?25l", b"\x1b[?25h"
INTERRUPTED = """
from kedro.pipeline import node, pipeline
from rankhammer.hooks import ProgressHook
ProgressHook().before_pipeline_run(pipeline([node(len, "a", "b")]), {})
raise KeyboardInterrupt
"""


def test_an_interrupted_run_gives_the_cursor_back():
    terminal, inside = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color"}
    with subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED], stdin=inside, stdout=inside, stderr=subprocess.DEVNULL, env=environment
    ) as process:
        process.wait(timeout=60)
    os.close(inside)
    shown = os.read(terminal, 100_000)
    os.close(terminal)
    assert shown.count(HIDE) == shown.count(SHOW) == 1
