"""Whether the packages of the extra `dashboard` are here."""

from __future__ import annotations

from importlib.util import find_spec

from rankhammer.errors import ConfigError

_PACKAGES = ("duckdb", "jinja2", "starlette", "uvicorn")


def require_installed() -> None:
    """Refuse to start without them.

    Raises:
        ConfigError: Names those that are missing.
    """
    missing = [name for name in _PACKAGES if find_spec(name) is None]
    if missing:
        raise ConfigError(
            f"The dashboard needs {', '.join(missing)}.", hint="pip install 'rankhammer[dashboard]'", missing=missing
        )
