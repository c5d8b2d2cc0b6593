"""A copy of a Python interpreter that needs nothing of the place it came from."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rankhammer.canonical_json import to_text
from rankhammer.errors import ClusterError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

_ASK = """
import json, os, platform, sys
print(json.dumps({
    "version": platform.python_version(), "build": sys.version, "system": platform.system(),
    "machine": platform.machine(), "libc": platform.libc_ver()[0], "prefix": sys.base_prefix,
    "executable": os.path.realpath(getattr(sys, "_base_executable", sys.executable)),
    "stdlib": os.path.dirname(os.__file__)}))
"""
LEFT_OUT = frozenset(
    """__pycache__ config dist-packages ensurepip idlelib lib2to3 pydoc_data site-packages test tests tkinter
    turtledemo venv""".split()  # noqa: SIM905 - a list would take a line a name
)
"""Folders of the standard library that no run needs, or that are filled again."""
_LEFT_OUT_MODULE = re.compile(r"(_tkinter|_test\w*|_xx\w*|xx\w*|_ctypes_test|nis|readline|_curses\w*)\.")
_OF_GLIBC = re.compile(
    r"(ld-linux.*|linux-vdso|lib(c|m|dl|rt|pthread|util|resolv|anl|nss_\w+|thread_db|gcc_s|stdc\+\+))\.so.*"
)
"""What each Linux with glibc has; another machine's own copy of these must be used."""
_NEEDED = re.compile(r"^\s*(\S+) => (/\S+|not found)", re.MULTILINE)
_GLIBC = re.compile(rb"\0GLIBC_(\d+)\.(\d+)")


@dataclass(frozen=True)
class Interpreter:
    """Facts of a Python, as it tells them itself.

    Args:
        version: Such as 3.11.7.
        build: With compiler and date of the build.
        system: Linux, Darwin, ...
        machine: x86_64, aarch64, ...
        libc: `glibc`, or empty for another one.
        prefix: Folder that it is installed in.
        executable: The command, no link and no virtual environment's.
        stdlib: Folder of its standard library.
    """

    version: str
    build: str
    system: str
    machine: str
    libc: str
    prefix: str
    executable: str
    stdlib: str

    @property
    def minor(self) -> str:
        """Return the version that packages with machine code are built for, such as 3.11."""
        return ".".join(self.version.split(".")[:2])

    @property
    def identity(self) -> str:
        """Return a text that differs between two Pythons that are not exchangeable."""
        return to_text(asdict(self))


def read_interpreter(command: str) -> Interpreter:
    """Ask a Python what it is.

    Args:
        command: Path of a `python`; that of a virtual environment stands for the Python under it.

    Raises:
        ClusterError: It does not start.
    """
    try:
        answer = subprocess.run([command, "-I", "-c", _ASK], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as exc:
        hint = "Correct `python.interpreter` in conf/<env>/cluster.yml."
        raise ClusterError(f"The Python {command} does not start: {exc}", hint=hint) from exc
    return Interpreter(**json.loads(answer.stdout))


def copy_interpreter(python: Interpreter, target: Path, *, patchelf: str) -> None:
    """Copy command, standard library and the shared libraries that they need; each finds the others beside it.

    Args:
        python: What to copy.
        target: New folder.
        patchelf: Command that changes where a program looks for its libraries.
    """
    modules = target / Path(python.stdlib).relative_to(python.prefix)
    shutil.copytree(python.stdlib, modules, ignore=_ignored)
    (target / "lib").mkdir(exist_ok=True)
    command = target / "bin" / f"python{python.minor}"
    command.parent.mkdir()
    shutil.copy(python.executable, command)
    for name in ("python", "python3"):
        command.with_name(name).symlink_to(command.name)
    programs = [command, *sorted((modules / "lib-dynload").glob("*.so"))]
    # Asked before anything is changed: a copy elsewhere may find other libraries.
    sources = [Path(python.executable), *(Path(python.stdlib, "lib-dynload", path.name) for path in programs[1:])]
    libraries = [_copy_library(path, target / "lib" / name) for name, path in _libraries(sources).items()]
    for program in [*programs, *libraries]:
        _look_beside(program, target / "lib", patchelf)


def glibc_needed(files: Iterable[Path]) -> str:
    """Return the newest glibc that a set of files asks for, such as 2.34; files that are no programs do not count."""
    found = {(2, 17)}
    for path in files:
        with path.open("rb") as file:
            content = file.read() if file.read(4) == b"\x7fELF" else b""
        found |= {(int(major), int(minor)) for major, minor in _GLIBC.findall(content)}
    return ".".join(map(str, max(found)))


def _ignored(folder: str, names: list[str]) -> Collection[str]:
    return [
        name for name in names if name in LEFT_OUT or name.startswith("config-") or name.endswith((".a", ".pyc"))
    ] + [name for name in names if folder.endswith("lib-dynload") and _LEFT_OUT_MODULE.match(name)]


def _libraries(programs: Iterable[Path]) -> dict[str, Path]:
    """Ask the loader which libraries programs use, directly or not, but for those of each Linux."""
    found: dict[str, Path] = {}
    for program in programs:
        if program.exists():
            answer = subprocess.run(["ldd", str(program)], capture_output=True, text=True, check=False)
            found |= {name: Path(path) for name, path in _NEEDED.findall(answer.stdout) if path != "not found"}
    return {name: path for name, path in sorted(found.items()) if not _OF_GLIBC.fullmatch(name)}


def _copy_library(source: Path, target: Path) -> Path:
    if not target.exists():
        shutil.copyfile(source, target)
    target.chmod(0o755)
    return target


def _look_beside(program: Path, libraries: Path, patchelf: str) -> None:
    """Write an RPATH, which goes before LD_LIBRARY_PATH: Hadoop's containers set that one."""
    place = "$ORIGIN" if program.parent == libraries else f"$ORIGIN/{os.path.relpath(libraries, program.parent)}"
    program.chmod(0o755)
    command = [patchelf, "--force-rpath", "--set-rpath", place, str(program)]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    if answer.returncode:
        raise ClusterError(f"patchelf refused {program.name}: {answer.stderr.strip()}", hint="Pack another Python.")
