"""A class-data archive is used where it fits, and is otherwise a slower start and one line that says why."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import pytest

from rankhammer.errors import ClusterError
from rankhammer.spark import class_archive, class_archive_build, java
from rankhammer.spark.class_archive import SWITCH, Archive

BUILD = 'openjdk version "17.0.15" 2025-04-15\nOpenJDK Runtime Environment (build 17.0.15+6)'
START = "from rankhammer import spark; spark.hadoop(); print('started')"


@pytest.fixture
def home(tmp_path):
    """A Spark of two jars."""
    (tmp_path / "spark" / "jars").mkdir(parents=True)
    for name in ("a.jar", "b.jar", "notes.txt"):
        (tmp_path / "spark" / "jars" / name).write_text(name)
    return tmp_path / "spark"


@pytest.fixture
def recorded(tmp_path):
    """An archive as far as Python sees it."""
    file = tmp_path / "spark-1.jsa"
    file.write_bytes(b"classes")
    class_archive.record(file, java=BUILD, n_jars=2)
    return file


def test_the_key_tells_java_and_the_jars_in_order_with_size_and_time(home):
    jars = sorted(class_archive.jars_in_order(home))
    assert [jar.name for jar in jars] == ["a.jar", "b.jar"]
    keys = [class_archive.key_of(BUILD, jars), class_archive.key_of(BUILD, jars[::-1])]
    keys.append(class_archive.key_of(BUILD.replace("+6", "+7"), jars))
    os.utime(jars[0], (1, 1))
    keys.append(class_archive.key_of(BUILD, jars))
    jars[0].write_text("a.jar, longer")
    os.utime(jars[0], (1, 1))
    keys.append(class_archive.key_of(BUILD, jars))
    assert len(set(keys)) == len(keys)


def test_an_archive_as_it_was_recorded_can_be_used(recorded):
    assert class_archive.look(recorded) == ""


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda file: file.write_bytes(b"class"), "5 bytes instead of 7"),
        (lambda file: file.write_bytes(b"clAsses"), "content has changed"),
        (lambda file: file.unlink(), "there is none"),
        (lambda file: file.with_suffix(".json").unlink(), "there is none"),
        (lambda file: file.with_suffix(".json").write_text("{half"), "cannot be read"),
        (lambda file: file.with_suffix(".json").write_text('["list"]'), "cannot be read"),
        (lambda file: file.with_suffix(".json").write_text('{"later": 1}'), "cannot be read"),
    ],
    ids=["shortened", "flipped", "deleted", "no record", "half a record", "a list", "a later record"],
)
def test_a_damaged_archive_is_not_used(recorded, damage, message):
    damage(recorded)
    assert message in class_archive.look(recorded)


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({SWITCH: "0"}, "is 0"),
        ({"SPARK_CONF_DIR": "{home}"}, "comes before"),
        ({"SPARK_PREPEND_CLASSES": "1"}, "SPARK_PREPEND_CLASSES"),
        ({"SPARK_HOME": "/nonexistent"}, "not found"),
        ({}, "there is none for this Java"),
    ],
    ids=["switched off", "configuration folder", "prepended", "no Spark", "none made"],
)
def test_what_keeps_an_archive_from_being_used_is_said(home, variables, message):
    environ = {"SPARK_HOME": str(home), **{name: value.format(home=home) for name, value in variables.items()}}
    found = class_archive.find(BUILD, environ)
    assert found.file is None
    assert message in found.reason


def test_a_folder_that_java_would_read_as_two_is_not_used(home, monkeypatch):
    monkeypatch.setenv(SWITCH, "/tmp/a:b")
    assert "':'" in class_archive.find(BUILD, {"SPARK_HOME": str(home)}).reason


def test_a_java_that_makes_no_archive_is_an_error_with_a_hint_and_what_it_printed_is_kept(tmp_path):
    for command in ("false", "/no/such/java", "true"):
        with pytest.raises(ClusterError, match="No class-data archive was made") as caught:
            class_archive_build._run([command], tmp_path / "spark.jsa")
        assert "works without it" in caught.value.hint


def test_settings_that_bring_an_archive_or_classes_of_their_own_win():
    assert class_archive.why_unused("-XX:+UseSerialGC") == ""
    assert "-XX:SharedArchiveFile=mine" in class_archive.why_unused("-Xmx1g -XX:SharedArchiveFile=mine")
    assert "extraClassPath" in class_archive.why_unused("", "/opt/lib.jar")


def test_an_archive_is_found_by_its_key_with_the_base_that_belongs_to_it(home, tmp_path, monkeypatch):
    monkeypatch.setenv(SWITCH, str(tmp_path))
    file = tmp_path / class_archive.file_name(BUILD, class_archive.jars_in_order(home))
    file.write_bytes(b"top")
    class_archive.record(file, java=BUILD, n_jars=2)
    environ = {"SPARK_HOME": str(home)}
    assert class_archive.find(BUILD, environ) == Archive(file)
    assert f"-XX:SharedArchiveFile={file} -Xshare:auto" in class_archive.options(file, 17)
    base = class_archive.base_of(file)
    base.write_bytes(b"base")
    assert class_archive.find(BUILD, environ).file is None
    class_archive.record(base, java=BUILD, n_jars=2)
    assert f"-XX:SharedArchiveFile={base}:{file} " in class_archive.options(class_archive.find(BUILD, environ).file, 17)


def test_a_version_of_java_is_given_only_options_that_it_knows():
    assert "aot" not in class_archive.quiet(17)
    assert "aot" in class_archive.quiet(25)


def _start(folder) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, SWITCH: str(folder)}
    return subprocess.run([sys.executable, "-c", START], env=environ, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Folder with the archive that set-up made for this environment, copied."""
    folder = tmp_path_factory.mktemp("archives")
    found = class_archive.find(java.provide().build)
    assert found.file, f"{found.reason}: run `make setup`"
    for file in found.file.parent.glob(f"{found.file.stem}*"):
        shutil.copy(file, folder)
    return folder / found.file.name


@pytest.mark.slow_start
def test_spark_starts_on_the_archive_and_says_nothing_of_it(made):
    done = _start(made.parent)
    assert (done.stdout, done.returncode) == ("started\n", 0)
    assert "archive" not in done.stderr


@pytest.mark.slow_start
@pytest.mark.parametrize("what", ["damaged", "foreign", "deleted"])
def test_spark_starts_without_an_archive_too_and_says_why_in_one_line(made, tmp_path, what):
    for file in made.parent.iterdir():
        shutil.copy(file, tmp_path)
    file = tmp_path / made.name
    file.chmod(0o644)
    if what == "damaged":
        with file.open("r+b") as stream:
            stream.seek(10**7)
            stream.write(b"nonsense")
    elif what == "foreign":
        file.unlink()
        (jar,) = class_archive.spark_home().glob("jars/spark-launcher_*.jar")
        options = ["-cp", shutil.copy(jar, tmp_path), f"-XX:ArchiveClassesAtExit={file}"]
        # It ends with an error, for want of arguments, and has loaded a class from another path by then.
        subprocess.run([java.provide().command, *options, "org.apache.spark.launcher.Main"], capture_output=True)
        class_archive.record(file, java=BUILD, n_jars=0)
    else:
        file.unlink()
    done = _start(tmp_path)
    assert (done.stdout, done.returncode) == ("started\n", 0)
    (line,) = [line for line in done.stderr.splitlines() if "archive" in line]
    assert {"damaged": "has changed", "foreign": "Java did not take", "deleted": "there is none"}[what] in line


@pytest.mark.slow_start
def test_an_archive_that_is_there_is_not_made_again(made, monkeypatch):
    monkeypatch.setenv(SWITCH, str(made.parent))
    message: list[str] = []
    assert class_archive_build.build(message.append) == made
    assert message == []
    assert json.loads(class_archive.record_of(made).read_text())["n_jars"] > 100


def test_only_the_newest_archives_are_kept(tmp_path):
    for number in range(4):
        file = tmp_path / f"spark-{number}.jsa"
        for part in (file, class_archive.base_of(file), class_archive.record_of(file)):
            part.write_text("")
        os.utime(file, (number, number))
    class_archive_build._forget_old(tmp_path)
    assert sorted({path.name.split(".")[0] for path in tmp_path.iterdir()}) == ["spark-2", "spark-3"]
