"""What Spark's JVM says reaches stderr: all of it but one line that nobody can act on."""

from __future__ import annotations

import logging
import subprocess
import sys
import time
from pathlib import Path

import pytest
from py4j import clientserver, java_gateway

from rankhammer.spark import output

NOTICE = output.NOTICE.decode()


def said(script: str) -> None:
    with output.JvmErrors() as errors:
        subprocess.run(["sh", "-c", script], stderr=errors.writing, check=False)


def test_the_notice_of_incubator_modules_is_left_out_and_every_other_line_is_kept(capsys):
    said(f"echo 'NOTE: Picked up options' >&2; echo '{NOTICE}' >&2; echo 'WARNING: Using incubator modules: x' >&2")
    assert capsys.readouterr().err == "NOTE: Picked up options\nWARNING: Using incubator modules: x\n"


def test_a_line_comes_as_soon_as_it_is_written_and_the_last_one_without_an_end_too(capsys):
    said("printf 'java.lang.OutOf' >&2; printf 'MemoryError' >&2")
    assert capsys.readouterr().err == "java.lang.OutOfMemoryError"


def test_lines_go_where_stderr_leads_when_they_come(capfd, monkeypatch):
    monkeypatch.setattr(sys, "stderr", sys.__stderr__)
    said("echo 'missing class' >&2")
    assert capfd.readouterr().err == "missing class\n"


def test_a_stderr_that_is_closed_does_not_stop_the_jvm(monkeypatch):
    class Closed:
        def write(self, _: str) -> None:
            raise ValueError("I/O operation on closed file")

    monkeypatch.setattr(sys, "stderr", Closed())
    said("head -c 300000 /dev/zero | tr '\\0' '\\n' >&2")


@pytest.mark.parametrize("logger", output._OF_CTRL_C)
def test_ctrl_c_is_not_logged_with_a_traceback_before_it_is_raised(logger):
    record = logging.LogRecord(logger, logging.ERROR, "", 1, output._OF_CTRL_C[logger], (), None)
    assert not output._is_news(record)
    record.msg = "Exception while sending command."
    assert output._is_news(record)


def test_what_pyspark_sends_at_ctrl_c_by_a_connection_that_is_in_use_is_not_logged():
    try:
        try:
            raise RuntimeError("reentrant call inside <_io.BufferedReader>")
        except RuntimeError as inner:
            raise OSError("Error while sending") from inner
    except OSError as error:
        info = (OSError, error, error.__traceback__)
    record = logging.LogRecord("root", logging.ERROR, "", 1, output._SENDING, (), info)
    assert not output._is_news(record)
    assert f'"{output._SENDING}"' in Path(java_gateway.__file__).read_text()
    record.exc_info = (OSError, OSError("The JVM is gone"), None)
    assert output._is_news(record)


@pytest.mark.parametrize(("logger", "module"), list(zip(output._OF_CTRL_C, [java_gateway, clientserver], strict=True)))
def test_py4j_says_of_ctrl_c_what_is_left_out(logger, module):
    source = Path(module.__file__).read_text()
    assert f'"{output._OF_CTRL_C[logger]}"' in source
    assert logger == "root" or f'logging.getLogger("{logger}")' in source


KILLED = """
import time
from pyspark import SparkContext
from rankhammer import spark
spark.hadoop()
print(SparkContext._gateway.proc.pid, flush=True)
time.sleep(600)
"""


@pytest.mark.slow_start
@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_the_jvm_ends_with_its_python_also_when_that_is_killed():
    python = subprocess.Popen([sys.executable, "-c", KILLED], stdout=subprocess.PIPE, text=True)
    jvm = Path("/proc", python.stdout.readline().strip())
    assert "java" in (jvm / "cmdline").read_text()
    python.kill()
    python.communicate()
    deadline = time.monotonic() + 60
    while jvm.exists() and "zombie" not in (jvm / "status").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.1)


SCRIPT = """
from rankhammer import spark
spark.configure(lambda: {{"{key}": "{value}"}})
spark.session()
"""


@pytest.mark.slow_start
@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("spark.driver.memory", "99999t", "Could not reserve enough space"),
        ("spark.driver.extraJavaOptions", "-javaagent:/none.jar", "Error opening zip file"),
    ],
)
def test_why_a_jvm_does_not_start_is_said(key, value, message):
    command = [sys.executable, "-c", SCRIPT.format(key=key, value=value)]
    ended = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert ended.returncode == 1
    before, _, after = ended.stdout.partition("Traceback")
    assert message in before
    assert "JAVA_GATEWAY_EXITED" in after
    assert NOTICE not in ended.stdout
