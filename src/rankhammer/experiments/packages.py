"""Packages that an experiment needs beside those of the project: resolved and pinned when it is submitted."""

from __future__ import annotations

import platform
import re
import subprocess
import sys
from importlib import metadata
from typing import TYPE_CHECKING

from rankhammer.digests import hex_digest
from rankhammer.errors import ClusterError, ConfigError
from rankhammer.spark.installer import uv_environment
from rankhammer.yarn.environment import cache_folder
from rankhammer.yarn.extras import packages_of
from rankhammer.yarn.standalone import read_standalone

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from rankhammer.experiments.roles import Experiment
    from rankhammer.yarn.standalone import Standalone

_NAME = re.compile(r"[A-Za-z0-9][\w.-]*")


def pinned(
    packages: Sequence[str], lock: Path, on_progress: Callable[[str], None], standalone: Standalone | None = None
) -> str:
    """Resolve packages beside the project's lock, whose versions stay; those of an earlier time are taken again.

    Args:
        packages: As pip takes them, such as `torch` or `lightgbm>=4`.
        lock: Of what the nodes get anyway.
        on_progress: Called with a line where it takes time.
        standalone: The Python of the nodes, where they are no machines like this one.

    Returns:
        Pins with hashes, in the form of a lock; empty for no packages.

    Raises:
        ClusterError: They do not go with the project's packages, or no index has them.
    """
    if not packages:
        return ""
    python = read_standalone(standalone.archive) if standalone else None
    version, machine = (python.version, python.machine) if python else (platform.python_version(), platform.machine())
    nodes = ["--python-version", version]
    nodes += ["--python-platform", standalone.platform(machine)] if standalone else []
    asked = "\n".join([*sorted(packages), *nodes[1:], machine, lock.read_text()])
    kept = cache_folder() / "packages" / f"{hex_digest(asked, 16)}.lock"
    if not kept.is_file():
        on_progress(f"resolving {', '.join(packages)}")
        kept.parent.mkdir(parents=True, exist_ok=True)
        found = _resolve(packages, lock, nodes)
        kept.write_text(found)
    return kept.read_text()


def require_here(experiment: Experiment) -> None:
    """Refuse an experiment whose processes run on this machine, and whose packages are not installed here.

    Args:
        experiment: What runs.

    Raises:
        ConfigError: With the packages that are missing.
    """
    is_gpu = any(role.environment == "gpu" for role in experiment.roles.values())
    asked = [*experiment.pip_packages, *(experiment.pip_packages_gpu if is_gpu else ())]
    names = [*packages_of(experiment.extras), *(found[0] for text in asked if (found := _NAME.match(text.strip())))]
    missing = [name for name in dict.fromkeys(names) if not _is_installed(name)]
    if missing:
        raise ConfigError(
            f"On this machine an experiment runs by this Python, which lacks {', '.join(missing)}.",
            hint=f"pip install {' '.join(missing)}",
            missing=missing,
        )


def _is_installed(name: str) -> bool:
    try:
        metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def _resolve(packages: Sequence[str], lock: Path, nodes: Sequence[str]) -> str:
    command = [sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--generate-hashes", "--no-header"]
    how = ["--no-emit-index-url", *nodes, "--constraint", str(lock), "-"]
    # Named as wanted by the project, as those of its own lock are.
    text = "".join(f"{package}\n" for package in packages)
    environ = uv_environment([sys.executable, "-m", "pip", "--disable-pip-version-check"])
    answer = subprocess.run([*command, *how], input=text, env=environ, capture_output=True, text=True, check=False)
    if answer.returncode:
        raise ClusterError(
            f"The packages {', '.join(packages)} cannot be had beside those of {lock.name}:\n{answer.stderr.strip()}",
            hint="Ask for other versions; an index, mirror or proxy is read from pip's and uv's settings.",
        )
    return answer.stdout
