"""Small JSON files that one process leaves for the next: read whole, or taken as not there.

A power cut, a full disk, an editor or a newer version may have left anything in them. None of that may end each later
run with a traceback: such a file counts as absent, and one warning names it.
"""

from __future__ import annotations

import hashlib
import json
import logging
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from rankhammer.storage.base import Storage

FORMAT = "format"
"""Key of a file's format; without it, 1."""
CHECKSUM = "checksum"
"""Key of a SHA-256 of everything else in the file, where its writer gave it one."""
NEWER = "is of a newer version"
_warned: set[tuple[str, str]] = set()
logger = logging.getLogger(__name__)


def encode(content: Mapping[str, Any]) -> bytes:
    """Return what is written: JSON with keys in order."""
    return json.dumps(dict(content), sort_keys=True, indent=1).encode()


def sealed(content: Mapping[str, Any]) -> dict[str, Any]:
    """Add a checksum, by which `parse` notices a damaged file that still reads as JSON.

    Args:
        content: JSON-able.
    """
    return {**content, CHECKSUM: _checksum(content)}


def _checksum(content: Mapping[str, Any]) -> str:
    """Return the SHA-256 of what JSON keeps of it; numbers that are equal have one spelling there."""
    kept = {name: value for name, value in json.loads(json.dumps(dict(content))).items() if name != CHECKSUM}
    return hashlib.sha256(encode(kept)).hexdigest()


def read(
    storage: Storage, path: str, *, keys: Collection[str] = (), newest_format: int = 1, instead: str
) -> dict[str, Any] | None:
    """Read a file if it can be used.

    Args:
        storage: Where it is.
        path: Its path.
        keys: What it has to hold.
        newest_format: The newest format that this version understands.
        instead: What is done without it, for the warning, e.g. "its hand-off counts as missing".

    Returns:
        The content; None where there is no file, or one that cannot be used.
    """
    if not storage.exists(path):
        return None
    content, fault = parse(storage.read(path), keys=keys, newest_format=newest_format)
    if fault:
        warn_once(path, fault, instead)
    return content


def parse(content: bytes, *, keys: Collection[str] = (), newest_format: int = 1) -> tuple[dict[str, Any] | None, str]:
    """Read a file's content, without the checksum that `sealed` gave it.

    Returns:
        (content, ""), or (None, what is wrong with it).
    """
    if not content:
        return None, "is empty"
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        return None, "is cut off, or no JSON"
    if not isinstance(found, dict):
        return None, "holds something else"
    if CHECKSUM in found and found.pop(CHECKSUM) != _checksum(found):
        return None, "is damaged: its content does not have the checksum that stands in it"
    written = found.get(FORMAT, 1)
    if not isinstance(written, int) or written > newest_format:
        return None, f"{NEWER} (format {written}; this one knows {newest_format})"
    missing = sorted(set(keys) - found.keys())
    return (None, f"holds no {missing[0]!r}") if missing else (found, "")


def warn_once(path: str, fault: str, instead: str) -> None:
    """Warn of a file, once a process."""
    if (path, fault) not in _warned:
        _warned.add((path, fault))
        logger.warning("%s %s; %s.", path, fault, instead)
