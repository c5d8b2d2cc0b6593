"""What a command started Spark with is remembered for the same folder, command and environment, and for its owner."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from rankhammer.spark import launches

SETTINGS = {"spark.master": "local[2]", "spark.driver.memory": "2g"}


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)


def typed(monkeypatch, *argv: str) -> None:
    monkeypatch.setattr(sys, "argv", list(argv))


def test_the_same_command_knows_its_settings_however_python_is_told_to_run_it(monkeypatch):
    typed(monkeypatch, "/env/bin/kedro", "run", "--pipeline=train")
    assert launches.recall() is None
    launches.keep(SETTINGS)
    for program in ("kedro", "python -m kedro", "/env/lib/kedro/__main__.py"):
        typed(monkeypatch, program, "run", "--pipeline=features")
        assert launches.recall() == SETTINGS


@pytest.mark.parametrize("argv", [("kedro", "viz"), ("kedro", "run", "--env=prod"), ("rankhammer", "run")])
def test_another_command_or_environment_has_its_own(monkeypatch, argv):
    typed(monkeypatch, "kedro", "run")
    launches.keep(SETTINGS)
    typed(monkeypatch, *argv)
    assert launches.recall() is None


def test_another_folder_has_its_own(monkeypatch, tmp_path):
    typed(monkeypatch, "kedro", "run", "-e", "prod")
    launches.keep(SETTINGS)
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    assert launches.recall() is None


@pytest.mark.parametrize("argv", [("pytest", "tests"), ("kedro",), ("-c", "run")])
def test_nothing_is_kept_for_what_is_no_command_of_the_project(monkeypatch, tmp_path, argv):
    typed(monkeypatch, *argv)
    launches.keep(SETTINGS)
    launches.forget()
    assert launches.recall() is None
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("content", ["", "{", "[1]", '{"spark.master": 2}', '{"spark.master": null}', "\x00"])
def test_what_is_damaged_is_not_used(monkeypatch, content):
    typed(monkeypatch, "kedro", "run")
    launches.keep(SETTINGS)
    launches.file_of(sys.argv, Path.cwd()).write_text(content)
    assert launches.recall() is None
    launches.keep(SETTINGS)
    assert launches.recall() == SETTINGS


def test_what_another_user_has_written_is_not_used(monkeypatch):
    typed(monkeypatch, "kedro", "run")
    launches.keep(SETTINGS)
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    assert launches.recall() is None


def test_only_the_owner_can_read_it_and_a_command_without_spark_forgets_it(monkeypatch):
    typed(monkeypatch, "kedro", "run")
    launches.keep(SETTINGS)
    assert launches.file_of(sys.argv, Path.cwd()).stat().st_mode & 0o777 == 0o600
    launches.forget()
    assert launches.recall() is None


def test_the_commands_of_longest_ago_are_forgotten(monkeypatch):
    monkeypatch.setattr(launches, "_KEPT", 2)
    for age, command in ((30, "a"), (20, "b"), (10, "c")):
        typed(monkeypatch, "kedro", command)
        launches.keep(SETTINGS)
        kept = launches.file_of(sys.argv, Path.cwd())
        os.utime(kept, (kept.stat().st_mtime - age,) * 2)
    typed(monkeypatch, "kedro", "d")
    launches.keep(SETTINGS)
    found = []
    for command in "abcd":
        typed(monkeypatch, "kedro", command)
        found.append(launches.recall() is not None)
    assert found == [False, False, True, True]


def test_a_cache_that_cannot_be_written_stops_nobody(monkeypatch, tmp_path):
    (tmp_path / "cache").write_text("a file")
    typed(monkeypatch, "kedro", "run")
    launches.keep(SETTINGS)
    launches.forget()
    assert launches.recall() is None
