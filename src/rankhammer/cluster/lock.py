"""Which packages of a lock file the nodes of a cluster need."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

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
