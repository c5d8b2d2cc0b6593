"""What a user is told when a disk is full or Spark's JVM is gone."""

from __future__ import annotations

import errno
import os
import resource
import subprocess
import sys
import textwrap
from types import SimpleNamespace

import pytest
from py4j.protocol import Py4JError, Py4JNetworkError
from pyspark import SparkContext

from rankhammer.errors import ClusterError, ConfigError
from rankhammer.runs.file_size_limit import require_large_files
from rankhammer.runs.user_errors import report_user_errors, user_error
from rankhammer.storage.base import LocalStorage

FULL = (
    "An error occurred while calling o106.parquet.\n: org.apache.spark.SparkException: Job aborted.\n"
    "Caused by: java.io.FileNotFoundException: /out/part-1 (No space left on device)\n\tat java.base/java.io"
)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_is_no_defect_and_says_so(code):
    error = user_error(OSError(code, "No space left on device", "/out/a"))
    assert isinstance(error, ConfigError)
    assert "A disk is full" in error.message
    assert "/out/a" in error.message
    assert "--only-missing-outputs" in error.hint


def test_a_limit_of_file_sizes_is_said_before_a_run_and_where_a_file_met_it(monkeypatch):
    set_to = [1 << 20]
    monkeypatch.setattr("resource.getrlimit", lambda _: (set_to[0], resource.RLIM_INFINITY))
    with pytest.raises(ConfigError, match=r"No file may be larger than 1 MiB here \(`ulimit -f`\)"):
        require_large_files()
    set_to[0] = 1 << 30
    require_large_files()
    library = Py4JError("An error occurred.\nCaused by: java.lang.UnsatisfiedLinkError: no snappyjava\n\tat x")
    for error in (
        OSError(errno.EFBIG, "File too large", "/out/a"),
        library,
        Py4JError(": java.io.IOException: File too large"),
    ):
        told = user_error(error)
        assert isinstance(told, ConfigError)
        assert told.message.startswith("No file may be larger than 1,024 MiB here (`ulimit -f`), and one had to be: ")
        assert "ulimit -f unlimited" in told.hint
    set_to[0] = resource.RLIM_INFINITY
    assert "ulimit" not in str(user_error(library))


def test_a_trace_that_cannot_be_kept_ends_in_no_other(monkeypatch, capsys):
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EFBIG, "File too large")

    def action() -> None:
        raise Py4JError("something new\nCaused by: java.lang.Odd: what it said")

    monkeypatch.setattr("tempfile.NamedTemporaryFile", refuse)
    assert report_user_errors(action) == 1
    told = capsys.readouterr().err
    assert "Error: Spark failed: Odd: what it said" in told
    assert "The whole trace could not be kept: [Errno 27] File too large" in told


def test_a_full_disk_under_spark_is_named_from_its_trace():
    error = user_error(Py4JError(FULL))
    assert isinstance(error, ConfigError)
    assert error.message == (
        "A disk is full: Spark could not write: java.io.FileNotFoundException: /out/part-1 (No space left on device)"
    )


@pytest.mark.parametrize("code", [errno.EROFS, errno.EACCES, errno.EEXIST, errno.ELOOP, errno.EISDIR])
def test_what_cannot_be_written_is_no_defect(code):
    assert isinstance(user_error(OSError(code, "refused", "/out/a")), ConfigError)


def test_a_link_that_leads_nowhere_is_named_and_nothing_is_made_behind_it(tmp_path):
    (tmp_path / "data").symlink_to(tmp_path / "unmounted")
    with pytest.raises(ConfigError, match=r"data is a link to .*unmounted, which is not there"):
        LocalStorage().write(f"{tmp_path}/data/a/b", b"")
    with pytest.raises(ConfigError, match="a link to"):
        LocalStorage().create(f"{tmp_path}/data/a", b"")
    with pytest.raises(ConfigError, match="a link to"):
        LocalStorage().write(f"{tmp_path}/data", b"")
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_a_file_where_a_folder_has_to_be_is_named(tmp_path):
    (tmp_path / "data").write_text("")
    with pytest.raises(ConfigError, match="data is a file, and a folder has to be there"):
        LocalStorage().write(f"{tmp_path}/data/a/b", b"")


def test_a_file_behind_a_link_is_replaced_and_the_link_stays(tmp_path):
    (tmp_path / "real").write_bytes(b"1")
    (tmp_path / "link").symlink_to("real")
    LocalStorage().write(f"{tmp_path}/link", b"2")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"2"


def test_a_write_that_breaks_off_leaves_nothing(tmp_path):
    def parts():
        yield b"1"
        raise OSError(errno.ENOSPC, "full")

    with pytest.raises(OSError, match="full"):
        LocalStorage().write_parts(f"{tmp_path}/a", parts())
    with pytest.raises(TypeError):
        LocalStorage().create(f"{tmp_path}/a", "no bytes")
    assert list(tmp_path.iterdir()) == []


def test_a_killed_jvm_is_told_as_that_whatever_it_led_to(monkeypatch):
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    process.kill()
    process.wait()
    monkeypatch.setattr(SparkContext, "_gateway", SimpleNamespace(proc=process))
    try:
        raise ConfigError("an output cannot be written") from ConnectionRefusedError(errno.ECONNREFUSED, "refused")
    except ConfigError as raised:
        error = user_error(raised)
    assert isinstance(error, ClusterError)
    assert f"Spark died: its JVM (process {process.pid}) was killed by SIGKILL" in error.message
    assert "spark.driver.memory" in error.hint
    assert isinstance(user_error(Py4JNetworkError("Answer from Java side is empty")), ClusterError)


def test_a_connection_that_another_server_refuses_is_none_of_sparks(monkeypatch):
    monkeypatch.setattr(SparkContext, "_gateway", None)
    assert user_error(ConnectionRefusedError(errno.ECONNREFUSED, "refused")) is None


def test_ctrl_c_in_code_that_is_made_of_text_ends_with_the_exit_code_too(tmp_path):
    """Python would end by the signal: a shell shows the same number then, other programs do not."""
    code = """
        import sys
        from rankhammer.runs.user_errors import exit_code
        sys.exit(exit_code(lambda: exec("raise KeyboardInterrupt")))
    """
    (tmp_path / "interrupted.py").write_text(textwrap.dedent(code))
    # By -m, as commands are started: only then does Python look whether an interrupt was left.
    ended = subprocess.run(
        [sys.executable, "-m", "interrupted"], capture_output=True, check=False, text=True,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )  # fmt: skip
    assert (ended.returncode, ended.stderr.strip()) == (130, "Interrupted.")
