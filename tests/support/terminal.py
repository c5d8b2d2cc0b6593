"""A terminal for tests: runs a command in one and says what its user saw, and what is left on the screen."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import termios
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

HIDE, SHOW = "\x1b[?25l", "\x1b[?25h"
_PARTS = re.compile(r"\x1b\[(?P<numbers>[0-9;?]*)(?P<command>[A-Za-z])|(?P<control>[\r\n])|(?P<text>[^\x1b\r\n]+)")


class Terminal:
    """A command that runs in a terminal of its own.

    Args:
        command: What to run.
        folder: Where.
        environment: More variables.
    """

    def __init__(self, command: Sequence[str], folder: Path | None = None, **environment: str) -> None:
        own, inside = pty.openpty()
        fcntl.ioctl(inside, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 120, 0, 0))
        self.process = subprocess.Popen(
            command,
            cwd=folder,
            stdin=inside,
            stdout=inside,
            stderr=inside,
            env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "120", "LINES": "50", **environment},
            # A session of its own, whose terminal this is: then Ctrl-C reaches the command.
            start_new_session=True,
            preexec_fn=_own_terminal,
        )
        os.close(inside)
        self._own, self._raw = own, b""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def shown(self) -> str:
        """Everything that came, with what moved the cursor."""
        return self._raw.decode(errors="replace")

    @property
    def text(self) -> str:
        """Everything that came, without what moved the cursor or chose a colour."""
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self.shown)

    @property
    def left(self) -> list[str]:
        """Lines that are left on the screen and above it."""
        return screen(self.shown)

    def type(self, keys: str) -> None:
        """Press keys; Ctrl-C is \\x03, which the terminal turns into an interrupt."""
        os.write(self._own, keys.encode())

    def ended(self, within_s: float = 120) -> int:
        """Wait for the end; return the exit code."""
        try:
            code = self.process.wait(within_s)
        finally:
            self.process.kill()
        # A JVM that is ending holds the terminal a moment longer.
        self._reader.join(30)
        return code

    def _read(self) -> None:
        while True:
            try:
                block = os.read(self._own, 1 << 16)
            except OSError:
                # Linux says so when the last process has left.
                return
            if not block:
                return
            self._raw += block


def _own_terminal() -> None:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    # Where tests run in the background Ctrl-C is ignored, and children inherit that.
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def screen(shown: str) -> list[str]:
    """Work out which lines are left, as a terminal does it that never scrolls.

    Args:
        shown: What was written, with carriage returns, cursor movements and erasures.
    """
    lines, row, column = [""], 0, 0
    for part in _PARTS.finditer(shown):
        if part["control"] == "\n":
            row += 1
            lines += [""] * (row + 1 - len(lines))
        elif part["control"] == "\r":
            column = 0
        elif part["command"] == "A":
            row = max(0, row - int(part["numbers"] or 1))
        elif part["command"] == "K":
            lines[row] = ""
        elif part["text"]:
            before = lines[row].ljust(column)
            lines[row] = before[:column] + part["text"] + before[column + len(part["text"]) :]
            column += len(part["text"])
    return [line.rstrip() for line in lines if line.strip()]
