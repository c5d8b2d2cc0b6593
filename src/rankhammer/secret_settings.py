"""Secrets where they must not stand: in Spark's settings, in paths, and in files that others read.

Spark shows its settings in `ps`, on its pages and in event logs; paths stand in messages, reports and markers.
"""

from __future__ import annotations

import re
import stat
from typing import TYPE_CHECKING

from rankhammer.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

_NAMES = r"secret|passw(or)?d|passphrase|token|access[._-]?key|account[._-]?key|encryption[._-]key|api[._-]?key"
_SECRET = re.compile(_NAMES, re.IGNORECASE)
_HARMLESS = re.compile(
    r"(file|path|dir|providers?|class|enabled?|interval|duration|lifetime|timeout|algorithm|length|type|url|prefix)$",
    re.IGNORECASE,
)
"""Ends of keys that only say where a secret is, or how it is treated."""
_JAVA_OPTION = re.compile(r"-D([^\s=]+)=\S")
_LOGIN = re.compile(r"://[^/\s@:]*:[^/\s@]+@")
_OF_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_HINT = (
    "Export AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or let the key name a file: a credential provider of Hadoop "
    "(spark.hadoop.hadoop.security.credential.provider.path). docs/production.md has more."
)


def require_no_secrets(settings: Mapping[str, object], where: str) -> None:
    """Refuse Spark settings that hold a secret.

    Args:
        settings: Flat Spark keys to values.
        where: Who says so, for the message.

    Raises:
        ConfigError: One does; its key is named, and its value is not quoted.
    """
    for key, value in settings.items():
        text = "" if value is None else str(value).strip()
        if text and _holds_secret(key, text):
            raise ConfigError(f"{where}: {key} holds a secret, which Spark would show.", hint=_HINT, key=key)


def require_no_login(path: str, where: str) -> None:
    """Refuse a path or address with a password in it.

    Args:
        path: Path or URI.
        where: What it is for; the path is not quoted.

    Raises:
        ConfigError: It has one.
    """
    if _LOGIN.search(path):
        raise ConfigError(
            f"{where} holds a user and a password: paths stand in messages, reports and hand-offs.",
            hint="Leave them out of it; keys of S3 come from the environment or from a credential provider.",
        )


def open_to_others(files: Iterable[Path]) -> Iterator[tuple[Path, str]]:
    """Yield files that others than their owner may read or write, each with its mode, such as 644."""
    for file in files:
        mode = file.stat().st_mode
        if file.is_file() and mode & _OF_OTHERS:
            yield file, f"{stat.S_IMODE(mode):o}"


def _holds_secret(key: str, text: str) -> bool:
    named = [key, *_JAVA_OPTION.findall(text)]
    is_named = any(_SECRET.search(name) and not _HARMLESS.search(name) for name in named)
    return (is_named and text.lower() not in ("true", "false")) or bool(_LOGIN.search(text))
