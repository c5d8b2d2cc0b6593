"""Keeps secrets out of what is printed: by the name of their key, and by how they look."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

REDACTED = "*** (redacted)"
_SECRET_NAME = (
    r"secret|passw(?:or)?d|passphrase|pwd|token|credential|access[._-]?key|account[._-]?key|encryption[._-]?key"
    r"|api[._-]?key|private[._-]?key|signature|sas"
)
_SECRET_KEY = re.compile(rf"(?i)(?:{_SECRET_NAME})")
_HARMLESS_KEY = re.compile(
    r"(?i)(?:file|path|dir|providers?|provider\.path|class|enabled?|interval|duration|lifetime|timeout|algorithm|length"
    r"|type|prefix|regex|renewal\w*|filesystemstoaccess|factor|bits)$"
)
"""Ends of keys that only say where a secret is, or how it is treated."""
_ASSIGNED = re.compile(
    rf"(?i)([\w.\-]*(?:{_SECRET_NAME})[\w.\-]*)(\"?\s*[=:]\s*\"?)(?!\s)((?:Bearer\s+)?[^\s\"',;&)}}\]]+)"
)
_PATTERNS = (
    re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"),
    re.compile(r"\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*"),
    re.compile(r"\bgh[pousr]_[A-Za-z0-9]{30,}\b"),
    re.compile(r"\bxox[abprs]-[A-Za-z0-9-]{10,}"),
    re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)", re.DOTALL),
    re.compile(r"(?i)\bbearer\s+[\w.~+/=-]{16,}"),
    re.compile(
        r"(?<![\w/+=])(?=[A-Za-z0-9/+]*[A-Z])(?=[A-Za-z0-9/+]*[a-z])(?=[A-Za-z0-9/+]*\d)[A-Za-z0-9/+]{40}(?![\w/+=])"
    ),
)
"""Access keys of AWS, JSON web tokens, tokens of GitHub and Slack, private keys, and AWS's secrets of 40 characters."""
_SHORTEST = 4
_LOGIN = re.compile(r"(://)[^/\s@:]*:[^/\s@]+@")


def is_secret_key(key: str) -> bool:
    """Say whether a key's name says that its value is a secret."""
    return bool(_SECRET_KEY.search(key)) and not _HARMLESS_KEY.search(key)


def redact_value(key: str, value: object) -> str:
    """Return a setting's value as it may be shown."""
    text = "" if value is None else str(value)
    if is_secret_key(key) and text.strip() and text.strip().lower() not in ("true", "false"):
        return REDACTED
    return redact_text(text)


def redact_text(text: str) -> str:
    """Return a text without what looks like a secret in it."""
    text = _LOGIN.sub(rf"\1{REDACTED}@", text)
    text = _ASSIGNED.sub(_hide_assigned, text)
    for pattern in _PATTERNS:
        text = pattern.sub(REDACTED, text)
    return text


def redact_settings(settings: Mapping[str, object]) -> dict[str, str]:
    """Return settings as they may be shown, in key order."""
    return {key: redact_value(key, settings[key]) for key in sorted(settings)}


def _hide_assigned(found: re.Match[str]) -> str:
    value = found[3]
    # Prose, such as "a secret: it stands in ...".
    is_prose = found[2].isspace() or (found[2].strip() == ":" and len(value) < _SHORTEST)
    is_plain = (
        is_prose
        or _HARMLESS_KEY.search(found[1])
        or value.lower() in ("true", "false", "null", "none")
        or "***" in value
    )
    return found[0] if is_plain else f"{found[1]}{found[2]}{REDACTED}"
