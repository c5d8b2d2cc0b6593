"""The settings that a command has started Spark with: next time it starts the JVM before it has read its own.

A file of the user's cache for each folder, command and environment. What is kept is never trusted: once the command has
read its configuration, the JVM is used only if it is the one that these settings would start.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_PROGRAMS = ("kedro", "rankhammer")
_KEPT = 50
"""Commands that are remembered; the one that was not used for longest goes first."""
_OPTIONS_OF_ENV = ("--env", "-e")
_MODULE = "__main__.py"


def file_of(argv: Sequence[str], folder: Path) -> Path | None:
    """Return where the settings of a command are kept; None for what is none of this project's commands.

    Args:
        argv: The command line.
        folder: That it was typed in.
    """
    # A path, or "python -m kedro", as Kedro has it.
    name = re.split("[/ ]", argv[0].removesuffix(f"/{_MODULE}"))[-1]
    words = [word for word in argv[1:] if not word.startswith("-")]
    if name not in _PROGRAMS or not words:
        return None
    key = "\0".join([str(folder), sys.prefix, name, words[0], _env_in(argv)])
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache, "rankhammer", "launches", f"{hashlib.sha256(key.encode()).hexdigest()[:16]}.json")


def recall() -> dict[str, str] | None:
    """Return the settings that this command started Spark with last time, or None."""
    try:
        file = file_of(sys.argv, Path.cwd())
        if file is None or file.stat().st_uid != os.getuid():
            return None
        found = json.loads(file.read_text())
    except (OSError, ValueError, RuntimeError):
        return None
    is_flat = isinstance(found, dict) and all(isinstance(text, str) for pair in found.items() for text in pair)
    return found if is_flat else None


def keep(settings: Mapping[str, str]) -> None:
    """Remember what this command starts Spark with; where that cannot be written, nothing is.

    Args:
        settings: Flat Spark keys to values; they hold no secrets (`secret_settings`).
    """
    if recall() == dict(settings):
        return
    try:
        file = file_of(sys.argv, Path.cwd())
        if file is None:
            return
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        unfinished = file.with_suffix(f".{os.getpid()}.tmp")
        unfinished.touch(mode=0o600)
        unfinished.write_text(json.dumps(dict(settings)))
        unfinished.replace(file)
        _remove_oldest(file.parent)
    except (OSError, RuntimeError):
        return


def forget() -> None:
    """Remember nothing of this command: it did without Spark."""
    try:
        file = file_of(sys.argv, Path.cwd())
        if file is not None:
            file.unlink(missing_ok=True)
    except (OSError, RuntimeError):
        return


def _env_in(argv: Sequence[str]) -> str:
    """Return the environment that a command line names; empty: the default one."""
    for place, word in enumerate(argv):
        option, has_value, value = word.partition("=")
        if option in _OPTIONS_OF_ENV:
            return value if has_value else "".join(argv[place + 1 : place + 2])
    return ""


def _remove_oldest(folder: Path) -> None:
    files = sorted(folder.glob("*.json"), key=lambda file: file.stat().st_mtime, reverse=True)
    for file in files[_KEPT:]:
        file.unlink(missing_ok=True)
