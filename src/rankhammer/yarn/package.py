"""The project itself as it travels: a wheel of its code and an archive of its configuration, without secrets."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from rankhammer.errors import ClusterError
from rankhammer.project_template import checkout
from rankhammer.yarn import archive
from rankhammer.yarn.environment import cache_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

_NOT_IN_WHEELS = {"INSTALLER", "REQUESTED", "RECORD", "direct_url.json"}
"""What an installer has written into the dist-info folder; RECORD is not asked for by who imports from a wheel."""


def pack(folder: Path, *, name: str = "rankhammer") -> Path:
    """Pack the files of an installed distribution as the wheel that they came from; equal files make equal bytes.

    Args:
        folder: Where wheels are kept: the file is `<hash of the content>/<name>-<version>-py3-none-any.whl` there.
        name: Of the distribution.

    Raises:
        ClusterError: It is not installed from a wheel.
    """
    distribution = metadata.distribution(name)
    files = _files(distribution)
    if not any(entry.startswith(f"{name}/") for entry in files):
        raise ClusterError(
            f"{name} {distribution.version} is not installed from a wheel, so its code cannot be sent to a cluster.",
            hint="pip install <folder of the repository>, without -e.",
        )
    wheel = folder / _hash_installed(files) / f"{name}-{distribution.version}-py3-none-any.whl"
    if not wheel.exists():
        wheel.parent.mkdir(parents=True, exist_ok=True)
        written = wheel.with_name(f".{wheel.name}.{os.getpid()}")
        _write(written, files)
        written.replace(wheel)
    return wheel


def _files(distribution: metadata.Distribution) -> dict[str, Path]:
    """Return name in the wheel to file, without commands, compiled modules and the installer's notes."""
    names = sorted(str(path) for path in distribution.files or [])
    kept = (name for name in names if not name.startswith("..") and not name.endswith(".pyc"))
    return {name: Path(str(distribution.locate_file(name))) for name in kept if Path(name).name not in _NOT_IN_WHEELS}


def _hash_installed(files: dict[str, Path]) -> str:
    digest = hashlib.sha256()
    for name, path in files.items():
        digest.update(name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def _write(target: Path, files: dict[str, Path]) -> None:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as wheel:
        for name, path in files.items():
            wheel.writestr(zipfile.ZipInfo(name), path.read_bytes(), zipfile.ZIP_DEFLATED)


SOURCES = ("pyproject.toml", "README.md", "LICENSE", "src")
_LOCAL, _SECRETS = "local", "credentials"


def build_wheel(project: Path) -> Path:
    """Build the wheel of Rankhammer's code, or take it from the cache; needs no network.

    Args:
        project: Folder of the project. Code in it is built; where there is none (`rankhammer new`), the code that runs
            here is packed.

    Returns:
        The wheel.

    Raises:
        ClusterError: The build failed; the text is pip's.
    """
    if not (project / "src" / "rankhammer").is_dir():
        root = checkout()
        return pack(cache_folder() / "wheels") if root is None else build_wheel(root)
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
        message = (answer.stderr or answer.stdout).strip()[-2000:]
        raise ClusterError(
            f"The project's wheel could not be built:\n{message}", hint="`make setup` brings setuptools."
        )
