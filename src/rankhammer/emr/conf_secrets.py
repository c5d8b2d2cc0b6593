"""Static keys where they must not stand: in the configuration that travels, and in the arguments of a job."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rankhammer.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_KEY_ID = re.compile(r"\b(AKIA|ASIA)[A-Z0-9]{16}\b")
_ASSIGNED = re.compile(
    r"(aws_access_key_id|aws_secret_access_key|aws_session_token|fs\.s3a\.(access|secret)\.key|secret_key)"
    r"['\"]?\s*[:=]\s*['\"]?(?!null\b|none\b|\$\{)[^\s'\"]",
    re.IGNORECASE,
)
_LOGIN = re.compile(r"://[^/\s@:]*:[^/\s@]+@")
_HINT = "Nodes have a role (roles in emr.yml), people a profile (AWS_PROFILE): remove the key, and have it revoked."


def require_no_keys(files: Iterable[tuple[str, Path]]) -> None:
    """Refuse configuration with keys of AWS in it.

    Args:
        files: Name and path of each file that travels.

    Raises:
        ConfigError: One holds a key; file and line are named, and nothing of it is quoted.
    """
    for name, path in files:
        for number in _lines_with_keys(path):
            raise ConfigError(f"{name}, line {number}: a key of AWS stands there.", hint=_HINT)


def require_no_keys_in(arguments: Iterable[str]) -> None:
    """Refuse a job's arguments with a secret in them: EMR shows a step's arguments to all who may look at it.

    Raises:
        ConfigError: One does; its number is named, and it is not quoted.
    """
    for number, text in enumerate(arguments, 1):
        if _holds_key(text) or _LOGIN.search(text):
            raise ConfigError(f"Argument {number} of the job holds a secret, which EMR would show.", hint=_HINT)


def _lines_with_keys(path: Path) -> Iterator[int]:
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError):
        return
    for number, line in enumerate(lines, 1):
        if not line.lstrip().startswith("#") and _holds_key(line):
            yield number


def _holds_key(text: str) -> bool:
    return bool(_KEY_ID.search(text) or _ASSIGNED.search(text))
