"""The project itself as it travels: a wheel of its code and an archive of its configuration, without secrets."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from rankhammer.cluster import archive
from rankhammer.cluster.environment import cache_folder
from rankhammer.errors import ClusterError

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCES = ("pyproject.toml", "README.md", "LICENSE", "src")
_LOCAL, _SECRETS = "local", "credentials"


def build_wheel(project: Path) -> Path:
    """Build the wheel of the project's code, or take it from the cache; needs no network.

    Args:
        project: Folder of the project.

    Returns:
        The wheel.

    Raises:
        ClusterError: The build failed; the text is pip's.
    """
    folder = cache_folder() / "wheels" / _hash(_code(project), project)
    found = sorted(folder.glob("*.whl"))
    if found:
        return found[0]
    with tempfile.TemporaryDirectory(prefix="rankhammer-wheel-") as temporary:
        # A build writes beside its sources; the checkout stays as it is.
        copy, out = Path(temporary, "project"), Path(temporary, "out")
        for path in _code(project):
            (copy / path.relative_to(project)).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy / path.relative_to(project))
        _pip_wheel(copy, out)
        folder.mkdir(parents=True, exist_ok=True)
        wheel = next(out.glob("*.whl"))
        written = folder / f".{wheel.name}.{os.getpid()}"
        shutil.copyfile(wheel, written)
        return written.replace(folder / wheel.name)


def conf_files(conf: Path) -> list[tuple[str, Path]]:
    """List the configuration that travels: all of it but conf/local and everything called credentials.

    Args:
        conf: Folder of the configuration.

    Returns:
        Name in the archive, below `conf`, and file.
    """
    found = [path for path in sorted(conf.rglob("*")) if path.is_file() and not path.is_symlink()]
    names = ((path.relative_to(conf), path) for path in found)
    return [(f"conf/{name.as_posix()}", path) for name, path in names if not _is_secret(name)]


def build_conf(conf: Path, target: Path) -> Path:
    """Write the configuration that travels as a .tar.gz.

    Args:
        conf: Folder of the configuration.
        target: File to write.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    archive.write_tar(target, conf_files(conf), level=6)
    return target


def _is_secret(name: Path) -> bool:
    """Kedro reads credentials from files and folders whose name begins so, in each environment."""
    return name.parts[0] == _LOCAL or any(part.lower().startswith(_SECRETS) for part in name.parts)


def _code(project: Path) -> Iterator[Path]:
    for name in SOURCES:
        found = [project / name] if (project / name).is_file() else sorted((project / name).rglob("*"))
        yield from (path for path in found if path.is_file() and not _is_leftover(path.relative_to(project)))


def _is_leftover(name: Path) -> bool:
    return any(part == "__pycache__" or part.endswith((".pyc", ".egg-info")) for part in name.parts)


def _hash(files: Iterator[Path], project: Path) -> str:
    digest = hashlib.sha256()
    for path in files:
        digest.update(path.relative_to(project).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def _pip_wheel(project: Path, out: Path) -> None:
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--quiet"]
    how = ["--no-build-isolation", "--no-deps", "--no-index", "--wheel-dir", str(out), str(project)]
    environ = {**os.environ, "SOURCE_DATE_EPOCH": "315532800"}
    answer = subprocess.run([*pip, *how], env=environ, capture_output=True, text=True, check=False)
    if answer.returncode:
        told = (answer.stderr or answer.stdout).strip()[-2000:]
        raise ClusterError(f"The project's wheel could not be built:\n{told}", hint="`make setup` brings setuptools.")
