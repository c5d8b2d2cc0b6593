"""The process of Spark's JVM: it starts while pyspark is still being imported, and pyspark takes it over.

A JVM needs a second and more until it answers. pyspark starts it when it is there itself, and waits.
"""

from __future__ import annotations

import atexit
import logging
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rankhammer.spark import class_archive
from rankhammer.spark.output import JvmErrors, quieten_ctrl_c

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pyspark import SparkConf

_CONNECTION = "_PYSPARK_DRIVER_CONN_INFO_PATH"
"""Names the file into which the JVM writes its port and the secret of this session."""
_ALWAYS = {"SPARK_CONNECT_MODE": "0"}
_POLL_S = 0.01
_waiting: JvmProcess | None = None
logger = logging.getLogger(__name__)


class JvmProcess:
    """A JVM that was started and that nobody talks to yet."""

    def __init__(self, command: Sequence[str], environ: Mapping[str, str]) -> None:
        """Start it.

        Args:
            command: spark-submit with its arguments.
            environ: Environment variables.

        Raises:
            OSError: There is no such command.
        """
        self._command, self._environ = list(command), _comparable(environ)
        self._folder = Path(tempfile.mkdtemp())
        self.errors = JvmErrors()
        try:
            self.process = subprocess.Popen(
                self._command,
                # Spark's gateway watches its input, and ends with whoever holds the other end.
                stdin=subprocess.PIPE,
                stderr=self.errors.writing,
                env={**environ, _CONNECTION: str(self._folder / "connection")},
                preexec_fn=_ignore_ctrl_c,  # noqa: PLW1509 - as pyspark does; it takes no lock
            )
        except OSError:
            shutil.rmtree(self._folder)
            self.errors.close(is_over=True)
            raise
        self._is_waiting = True
        atexit.register(self._end_unused)

    def is_for(self, command: Sequence[str], environ: Mapping[str, str]) -> bool:
        """Say whether this is what a command in an environment would start.

        Args:
            command: As for a new one.
            environ: Likewise.
        """
        return self._command == list(command) and self._environ == _comparable(environ)

    def hand_over(self, file: Path) -> None:
        """Wait until the JVM can be talked to.

        Args:
            file: Gets what the JVM says of its connection; without it the JVM has ended.
        """
        written = self._folder / "connection"
        while not written.exists() and self.process.poll() is None:
            time.sleep(_POLL_S)
        if written.exists():
            shutil.move(written, file)
        self._is_waiting = False
        shutil.rmtree(self._folder)

    def end(self) -> None:
        """End it: it is not the one that is needed."""
        self._is_waiting = False
        self.process.kill()
        self.process.wait()
        self.errors.close(is_over=True)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _end_unused(self) -> None:
        """A JVM that cannot write down its connection any more would stay."""
        if self._is_waiting:
            self.end()


def start(settings: Mapping[str, str]) -> None:
    """Start the JVM that `launch` connects to; where it needs another one, this one is ended.

    Args:
        settings: What spark-submit is called with.
    """
    global _waiting  # noqa: PLW0603 - one JVM a process
    home = class_archive.spark_home()
    if is_connected() or home is None:
        return
    flags = [part for key, value in settings.items() for part in ("--conf", f"{key}={value}")]
    wanted = shlex.split(os.environ.get("PYSPARK_SUBMIT_ARGS", "pyspark-shell"))
    # Put together as pyspark does, which compares nothing but this text.
    command = [os.path.join(home, "./bin/spark-submit"), *flags, *wanted]
    environ = {**os.environ, **_ALWAYS}
    if _waiting is not None and not _waiting.is_for(command, environ):
        _waiting.end()
        _waiting = None
    if _waiting is None:
        _waiting = JvmProcess(command, environ)


def is_connected() -> bool:
    """Say whether pyspark talks to a JVM; does not import it."""
    context: Any = getattr(sys.modules.get("pyspark"), "SparkContext", None)
    return context is not None and context._gateway is not None


def launch(conf: SparkConf) -> None:
    """Connect pyspark to the JVM that was started, or to a new one, unless it is connected.

    The JVM ends with this process, however that ends.

    Args:
        conf: What spark-submit is called with.

    Raises:
        PySparkRuntimeError: The JVM ended at once; what it said is on stderr.
    """
    from pyspark import SparkContext, java_gateway

    from rankhammer.spark.remembered_names import remember

    gateway_module: Any = java_gateway
    with SparkContext._lock:
        if SparkContext._gateway is not None:
            return
        quieten_ctrl_c()
        taken: list[JvmProcess] = []

        def take_over(command: Sequence[str], *, env: Mapping[str, str], **_: object) -> subprocess.Popen[bytes]:
            taken.append(_process_for(command, env))
            taken[0].hand_over(Path(env[_CONNECTION]))
            if taken[0].process.poll() is not None:
                # pyspark takes an exit code of 0 for a JVM that is still starting.
                taken[0].process.returncode = taken[0].process.returncode or 1
            return taken[0].process

        gateway_module.Popen = take_over
        gateway: Any = None
        try:
            gateway = gateway_module.launch_gateway(conf)
        finally:
            gateway_module.Popen = subprocess.Popen
            for process in taken:
                process.errors.close(is_over=gateway is None)
        SparkContext._ensure_initialized(gateway=gateway)
        remember(SparkContext._jvm)


def _process_for(command: Sequence[str], environ: Mapping[str, str]) -> JvmProcess:
    """Return the JVM that waits, if it is the right one, or a new one."""
    global _waiting
    waiting, _waiting = _waiting, None
    if waiting is not None:
        if waiting.is_for(command, environ):
            return waiting
        logger.debug("Another JVM is needed than the one that was started")
        waiting.end()
    return JvmProcess(command, environ)


def _comparable(environ: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environ.items() if name != _CONNECTION}


def _ignore_ctrl_c() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
