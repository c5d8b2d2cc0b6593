"""The Python that travels to the nodes: whole, relocatable, the same bytes each time, and plain about what it needs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from rankhammer.errors import ClusterError, ConfigError
from rankhammer.yarn import archive, environment
from rankhammer.yarn.extras import lock_of
from rankhammer.yarn.interpreter import glibc_needed, read_interpreter

ROOT = Path(__file__).parents[2]
MACHINE = os.uname().machine
LOCK = """\
a==1 \\
    --hash=sha256:00
    # via the-project (pyproject.toml)
b==2 ; sys_platform == 'linux' \\
    --hash=sha256:00
    # via
    #   a
    #   c
c==3 \\
    --hash=sha256:00
    # via the-project (pyproject.toml)
d==4 \\
    --hash=sha256:00
    # via c
"""


@pytest.mark.parametrize(("without", "kept"), [((), "abcd"), (("c",), "ab"), (("a",), "bcd"), (("a", "c"), "")])
def test_what_only_an_unwanted_package_needs_is_left_out_with_it(without, kept):
    assert [pin.name for pin in environment.needed(environment.read_lock(LOCK), without=without)] == list(kept)


def test_nodes_get_no_second_spark_and_every_package_with_its_hashes():
    pins = environment.read_lock((ROOT / environment.LOCK).read_text())
    kept = {pin.name for pin in environment.needed(pins, without=("pyspark", "kedro-viz"))}
    assert {"pyspark", "py4j", "kedro-viz", "fastapi"} & kept == set()
    assert {"kedro", "numpy", "xgboost-cpu", "pyarrow"} <= kept
    assert [pin.name for pin in pins if "--hash=sha256:" not in pin.text] == []


@pytest.fixture(scope="module")
def planned() -> environment.EnvironmentSpec:
    """Plan of an archive with one small package, from the project's own locks."""
    whole = environment.plan(ROOT)
    small = [pin.text for pin in environment.read_lock(whole.packages) if pin.name == "snowballstemmer"]
    return replace(whole, packages="".join(small))


@pytest.fixture(scope="module")
def uv_cache() -> str:
    command = [sys.executable, "-m", "uv", "cache", "dir"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture(scope="module")
def built(planned, uv_cache, tmp_path_factory) -> Path:
    """The archive of `planned`, in a cache of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UV_CACHE_DIR", uv_cache)
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        return environment.build(planned, lambda text: None)


@pytest.fixture(scope="module")
def unpacked(built, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("node") / "env"
    folder.mkdir()
    subprocess.run(["tar", "-xzf", str(built), "-C", str(folder)], check=True)
    return folder


def test_nodes_get_the_packages_of_the_extras_they_need_and_of_no_other():
    bare, neural, boosted = (
        {pin.name for pin in environment.read_lock(environment.plan(ROOT, extras=extras).packages)}
        for extras in ((), ("neural",), ("catboost", "lightgbm"))
    )
    assert {"jax", "jaxlib", "optax", "rax"} <= neural - bare
    assert {"catboost", "lightgbm", "matplotlib"} <= boosted - bare
    assert not neural & {"catboost", "lightgbm", "matplotlib"}
    assert not boosted & {"jax", "rax"}
    assert bare <= neural & boosted
    without = environment.plan(ROOT, extras=("neural",), without=("pyspark",)).packages
    assert "pyspark==" not in without


def test_an_unknown_extra_is_named_and_a_project_without_its_lock_is_told(tmp_path):
    with pytest.raises(ConfigError, match="'neurl' is no extra that nodes can get; these are catboost, lightgbm"):
        environment.plan(ROOT, extras=("neurl",))
    with pytest.raises(ClusterError, match=r"need the extra neural, whose packages .* pins; there is no such file"):
        lock_of(tmp_path, ("neural",))


def test_archive_runs_where_the_interpreter_it_came_from_is_gone(planned, unpacked):
    code = (
        "import bz2, ctypes, lzma, sqlite3, ssl, uuid, zlib, snowballstemmer, sys; print(sys.prefix);"
        "print(*{line.split()[-1] for line in open('/proc/self/maps') if '.so' in line})"
    )
    command = [str(unpacked / "python"), "-c", code]
    if _may_hide(planned.python.prefix):
        hide = f'mount -t tmpfs none "{planned.python.prefix}" && exec "$@"'
        command = ["unshare", "--mount", "sh", "-c", hide, "sh", *command]
    environ = {"PATH": "/usr/bin:/bin", "LD_LIBRARY_PATH": f"/usr/lib/{MACHINE}-linux-gnu:/usr/lib64"}
    answer = subprocess.run(command, capture_output=True, text=True, check=False, env=environ)
    assert answer.returncode == 0, answer.stderr
    prefix, libraries = answer.stdout.splitlines()
    assert prefix == str(unpacked)
    # LD_LIBRARY_PATH, which Hadoop sets in containers, does not put the node's libraries before the archive's own.
    foreign = {Path(path).name.partition(".")[0] for path in libraries.split() if not path.startswith(prefix)}
    loader = {name for name in foreign if name.startswith("ld-linux")}
    assert foreign - loader <= {"libc", "libm", "libdl", "libpthread", "libgcc_s", "libstdc++", "librt", "libutil"}


def _may_hide(prefix: str) -> bool:
    """Say whether the interpreter's folder can be hidden: in /usr the shell would be hidden, too."""
    if prefix in ("/usr", "/usr/local"):
        return False
    return subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode == 0


def test_same_modules_become_the_same_bytes_in_another_folder_at_another_time(unpacked, tmp_path):
    made = []
    for name, time in (("one", 10**9), ("two", 10**9 + 1)):
        env = tmp_path / name / "env"
        (env / "lib").mkdir(parents=True)
        (env / "bin").symlink_to(unpacked / "bin")
        for package in ("email", "json"):
            source = next(unpacked.glob(f"lib/python3.*/{package}"))
            copy = shutil.copytree(source, env / "lib" / package, ignore=shutil.ignore_patterns("__pycache__"))
            os.utime(copy / "__init__.py", (time, time))
        environment._compile(str(env / "bin" / "python3"), env)
        archive.write_tar(tmp_path / f"{name}.tar.gz", archive.tree(env / "lib"), level=1)
        made.append(archive.content_hash(tmp_path / f"{name}.tar.gz"))
    assert list((tmp_path / "one").rglob("*.pyc"))
    assert made[0] == made[1]


def test_archive_is_taken_from_the_cache_until_lock_or_python_change(planned, built, monkeypatch):
    on_progress = []
    monkeypatch.setenv("XDG_CACHE_HOME", str(built.parents[2]))
    assert environment.build(planned, on_progress.append) == built
    assert len(on_progress) == 1
    assert replace(planned, packages=planned.packages + "#").key != planned.key
    assert replace(planned, python=replace(planned.python, version="3.11.99")).key != planned.key


def test_archive_holds_no_tests_no_foreign_commands_and_one_time(built):
    with tarfile.open(built) as opened:
        entries = opened.getmembers()
    assert {entry.mtime for entry in entries} == {0}
    assert {(entry.uid, entry.gid, entry.uname, entry.gname) for entry in entries} == {(0, 0, "", "")}
    names = [entry.name for entry in entries]
    assert names == sorted(names)
    minor = ".".join(map(str, sys.version_info[:2]))
    commands = {name for name in names if name.startswith("bin/")}
    assert commands == {"bin/python", "bin/python3", f"bin/python{minor}"}
    assert [name for name in names if "/tests/" in name or name.endswith("/RECORD")] == []
    assert any(name.endswith("snowballstemmer/__init__.py") for name in names)


def test_manifest_names_python_glibc_platform_and_lock(planned, unpacked):
    facts = json.loads((unpacked / "manifest.json").read_text())
    assert set(facts) == {"python", "glibc", "machine", "system", "lock"}
    assert (facts["python"], facts["machine"]) == (planned.python.version, MACHINE)
    here = tuple(map(int, os.confstr("CS_GNU_LIBC_VERSION").split()[1].split(".")))
    assert (2, 17) <= tuple(map(int, facts["glibc"].split("."))) <= here


def test_check_says_that_this_machine_can_run_it(unpacked):
    answer = subprocess.run(["sh", str(unpacked / "check")], capture_output=True, text=True, check=True)
    assert answer.stdout.startswith(f"ok {os.uname().nodename}: Python {sys.version.split()[0]}, glibc ")


@pytest.mark.parametrize(
    ("command", "answer", "said"),
    [
        ("getconf", "glibc 2.5", "or newer, this machine has 2.5"),
        ("getconf", "", "this machine has no glibc"),
        ("uname", "Darwin", "this machine runs Darwin"),
    ],
)
def test_node_that_cannot_run_the_archive_says_why(unpacked, tmp_path, command, answer, said):
    (tmp_path / command).write_text(f"#!/bin/sh\necho '{answer}'\n")
    (tmp_path / command).chmod(0o755)
    environ = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    check = subprocess.run(["sh", str(unpacked / "check")], env=environ, capture_output=True, text=True, check=False)
    assert (check.returncode, said in check.stdout) == (1, True), check.stdout
    report = ["sh", str(unpacked / "check"), "report"]
    on_progress = subprocess.run(report, env=environ, input="1\n", capture_output=True, text=True, check=True).stdout
    assert (on_progress.startswith("refused "), said in on_progress) == (True, True)
    start = subprocess.run([str(unpacked / "python"), "-V"], env=environ, capture_output=True, text=True, check=False)
    assert (start.returncode, said in start.stderr) == (2, True)


def test_other_machine_architecture_is_named(unpacked, tmp_path):
    text = (unpacked / "check").read_text().replace(f"machine={MACHINE}", "machine=s390x")
    (tmp_path / "check").write_text(text)
    check = subprocess.run(["sh", str(tmp_path / "check")], capture_output=True, text=True, check=False)
    assert (check.returncode, f"is for s390x, this machine is {MACHINE}" in check.stdout) == (1, True)


@pytest.mark.parametrize(("system", "libc", "name"), [("Darwin", "", "macOS"), ("Linux", "", "Linux without glibc")])
def test_archive_for_linux_nodes_is_refused_on_another_system(monkeypatch, system, libc, name):
    python = replace(read_interpreter(sys.executable), system=system, libc=libc)
    monkeypatch.setattr(environment, "read_interpreter", lambda command: python)
    with pytest.raises(ClusterError, match=f"cannot be built on {name}"):
        environment.plan(ROOT)


def test_interpreter_that_does_not_start_is_named():
    with pytest.raises(ClusterError, match="/no/python does not start"):
        read_interpreter("/no/python")


def test_folder_without_the_lock_is_told(tmp_path):
    with pytest.raises(ClusterError, match=r"requirements\.lock"):
        environment.plan(tmp_path)


def test_package_that_cannot_be_fetched_ends_the_build_with_uv_s_own_words(planned, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("UV_OFFLINE", "1")
    wrong = replace(planned, tools="no-such-package-anywhere==1 --hash=sha256:" + "0" * 64 + "\n")
    with pytest.raises(ClusterError, match="no-such-package-anywhere"):
        environment.build(wrong, lambda text: None)
    assert list((tmp_path / "rankhammer" / "environments").iterdir()) == []


def test_newest_glibc_that_a_program_asks_for_counts(tmp_path):
    (tmp_path / "old").write_bytes(b"\x7fELF..\0GLIBC_2.4\0GLIBC_2.28\0")
    (tmp_path / "new").write_bytes(b"\x7fELF..\0GLIBC_2.30\0GLIBC_PRIVATE\0")
    (tmp_path / "text").write_bytes(b"\0GLIBC_2.99\0")
    assert glibc_needed(sorted(tmp_path.iterdir())) == "2.30"
    assert glibc_needed([tmp_path / "text"]) == "2.17"


def test_only_the_newest_archives_stay(tmp_path):
    for age, name in enumerate(["env-a", "env-b", "env-c", "env-d", "env-e"]):
        (tmp_path / f"{name}.tar.gz").touch()
        os.utime(tmp_path / f"{name}.tar.gz", (1000 - age, 1000 - age))
    assert [path.name for path in environment._stale(tmp_path)] == ["env-d.tar.gz", "env-e.tar.gz"]


def test_zip_has_the_same_bytes_wherever_and_whenever_its_files_were_written(tmp_path):
    for folder, time in (("one", 1), ("two", 10**9)):
        (tmp_path / folder).mkdir()
        for name in ("b.txt", "a.txt"):
            (tmp_path / folder / name).write_text(name)
            os.utime(tmp_path / folder / name, (time, time))
        files = [(path.name, path) for path in (tmp_path / folder).iterdir()]
        archive.write_zip(tmp_path / f"{folder}.zip", files, is_packed=True)
    assert archive.content_hash(tmp_path / "one.zip") == archive.content_hash(tmp_path / "two.zip")
    shutil.unpack_archive(tmp_path / "one.zip", tmp_path / "out")
    assert (tmp_path / "out" / "a.txt").read_text() == "a.txt"
