"""What Spark's JVM says on stderr: every line reaches the user but one, and none is lost under a progress bar."""

from __future__ import annotations

import logging
import os
import sys
import threading
from typing import Any

NOTICE = b"WARNING: Using incubator modules: jdk.incubator.vector"
"""Said by every JVM that Spark's launcher starts, because it asks for this module by name; nobody can act on it."""
_OF_CTRL_C = {
    "root": "KeyboardInterrupt while sending command.",
    "py4j.clientserver": "Exception occurred while shutting down connection",
}
"""What py4j logs of Ctrl-C, by logger: the second when the JVM has closed its end of the connection first."""
_SENDING, _REENTERED = "Exception while sending command.", "reentrant call"
"""What it logs where Ctrl-C came while it was reading: pyspark's handler cancels the jobs, by the same connection."""
_STDERR = 2
logger = logging.getLogger(__name__)
_BLOCK = 1 << 16
_DRAINED_WITHIN_S = 5.0


class JvmErrors:
    """A pipe that a JVM gets as its stderr, and the thread that hands on what comes through it.

    The thread starts first, so that whatever keeps the JVM from starting is shown, and a full pipe stops nobody.
    """

    def __init__(self) -> None:
        reading, self.writing = os.pipe()
        self._thread = threading.Thread(target=_hand_on, args=(reading,), name="jvm-stderr", daemon=True)
        self._thread.start()

    def __enter__(self) -> JvmErrors:
        return self

    def __exit__(self, *_: object) -> None:
        self.close(is_over=True)

    def close(self, *, is_over: bool) -> None:
        """Leave the writing end to the JVM.

        Args:
            is_over: Whether the JVM has ended: then what it said last is waited for.
        """
        os.close(self.writing)
        if is_over:
            self._thread.join(_DRAINED_WITHIN_S)


def quieten_ctrl_c() -> None:
    """Let py4j and pyspark log no traceback where Ctrl-C, or a JVM that is gone, ends what they do."""
    from pyspark import accumulators

    for name in _OF_CTRL_C:
        logging.getLogger(name).addFilter(_is_news)
    server: Any = accumulators.AccumulatorTCPServer
    server.handle_error = _note_lost_connection


def _is_news(record: logging.LogRecord) -> bool:
    """Say no to what py4j logs of Ctrl-C, with a traceback, before it raises it."""
    error = record.exc_info[1] if record.exc_info else None
    if record.msg == _SENDING and error is not None:
        return not any(_REENTERED in str(one) for one in (error, error.__cause__, error.__context__))
    return record.msg not in _OF_CTRL_C.values()


def _note_lost_connection(server: object, request: object, client_address: object) -> None:  # noqa: ARG001 - a server's
    """Print no traceback where the JVM that sends accumulators is gone: whoever waits for it says so."""
    logger.debug("The JVM's connection for accumulators was interrupted", exc_info=True)


def _hand_on(reading: int) -> None:
    """Copy lines to stderr until the last writer has gone."""
    rest = b""
    while block := os.read(reading, _BLOCK):
        *lines, rest = (rest + block).split(b"\n")
        _write(b"".join(line + b"\n" for line in lines if line.rstrip() != NOTICE))
    _write(rest)
    os.close(reading)


def _write(content: bytes) -> None:
    """Write to whatever stderr is now: the terminal, or what a notebook, a test or a progress bar has put there."""
    stream = sys.stderr
    try:
        if stream is None or stream is sys.__stderr__:
            # Past Python's own buffer, whose lock must not be held by a thread that dies with the process.
            _write_whole(content)
        elif content:
            stream.write(content.decode(errors="replace"))
    except (OSError, ValueError):
        # A closed stderr takes nothing; the JVM must be able to go on writing anyway.
        return


def _write_whole(content: bytes) -> None:
    while content:
        content = content[os.write(_STDERR, content) :]
