"""Packages of the project's extras, which travel to the nodes where a ranker or an experiment needs them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rankhammer.errors import ClusterError, ConfigError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

LOCK, EXTRAS_LOCK = "requirements.lock", "requirements-rankers.lock"
"""The second one holds the packages of the first, in the same versions, and those of each extra below."""
PACKAGES = {"catboost": ("catboost",), "lightgbm": ("lightgbm",), "neural": ("jax", "optax", "rax")}
"""Extra to the packages that it names itself."""


def require_known(names: Iterable[str]) -> None:
    """Refuse what is no extra that can travel.

    Args:
        names: Of extras.

    Raises:
        ConfigError: One is none; the one that was meant is in the hint.
    """
    for name in names:
        if name not in PACKAGES:
            known = ", ".join(sorted(PACKAGES))
            hint = did_you_mean(name, set(PACKAGES))
            raise ConfigError(f"{name!r} is no extra that nodes can get; these are {known}.", hint=hint, name=name)


def lock_of(project: Path, extras: Iterable[str]) -> Path:
    """Return the lock file that nodes with these extras are made from.

    Args:
        project: Folder of the project.
        extras: Names of extras.

    Raises:
        ConfigError: One is none.
        ClusterError: The project folder was made before there was such a lock.
    """
    wanted = frozenset(extras)
    require_known(wanted)
    lock = project / (EXTRAS_LOCK if wanted else LOCK)
    if wanted and not lock.is_file():
        raise ClusterError(
            f"The nodes need the extra {', '.join(sorted(wanted))}, whose packages {lock} pins; there is no such file.",
            hint="Copy it from what `rankhammer new` makes, or set `python.on_nodes` in conf/<env>/cluster.yml to a "
            "Python of the nodes that has them.",
        )
    return lock


def left_out(extras: Iterable[str]) -> frozenset[str]:
    """Return the packages of the other extras, which nodes with these ones do without."""
    return frozenset(package for name, own in PACKAGES.items() if name not in set(extras) for package in own)


def packages_of(extras: Iterable[str]) -> tuple[str, ...]:
    """Return the packages that extras name themselves, in order."""
    return tuple(sorted({package for name in extras for package in PACKAGES[name]}))
