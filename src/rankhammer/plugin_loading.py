"""Loads the class of one plugin, whatever its package does when it is imported."""

from __future__ import annotations

import sys
from contextlib import contextmanager, redirect_stdout
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from rankhammer.errors import RankhammerError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from importlib.metadata import EntryPoint

_SUMMARY_CHARS = 200
_TOLD_CHARS = 300


class BrokenPluginError(Exception):
    """A plugin cannot be used; the text says why."""


@contextmanager
def contained() -> Iterator[None]:
    """Run code of a plugin: what it prints goes to the standard error, and whatever it raises is a fault of its own.

    The standard output may be somebody's JSON, and a plugin that ends the process would end it with its own exit code.

    Raises:
        BrokenPluginError: It raised something, SystemExit included; errors of ours and Ctrl-C pass.
    """
    try:
        with redirect_stdout(sys.stderr):
            yield
    except (RankhammerError, KeyboardInterrupt, GeneratorExit):
        raise
    except BaseException as exc:
        raise BrokenPluginError(f"{type(exc).__name__}: {_text(exc)}") from exc


def import_class(point: EntryPoint) -> Any:
    """Import a plugin's class.

    Raises:
        BrokenPluginError: The import fails, or what is imported is no plugin.
    """
    with contained():
        plugin = point.load()
        _require_plugin(plugin)
    return plugin


def summary_of(plugin: Any) -> str:
    """Return the first line of a class's docstring, as one line of a list; empty where there is none.

    Raises:
        BrokenPluginError: It cannot be read, or is no text.
    """
    with contained():
        text = plugin.__doc__ or ""
        if not isinstance(text, str):
            raise TypeError(f"its docstring is of type {type(text).__name__}, not a text")
        first = next(iter(text.strip().splitlines()), "")
    return "".join(filter(str.isprintable, first))[:_SUMMARY_CHARS]


def _require_plugin(plugin: Any) -> None:
    if not isinstance(plugin, type):
        raise TypeError(f"it names an object of type {type(plugin).__name__}, not a class")
    options = getattr(plugin, "Options", None)
    if not (isinstance(options, type) and issubclass(options, BaseModel)):
        raise TypeError("its class has no `Options`, a pydantic model (docs/plugins.md)")


def _text(error: BaseException) -> str:
    try:
        return str(error)[:_TOLD_CHARS]
    except Exception:  # noqa: BLE001 - another user's code
        return "an error without a text"
