"""The keys of globals.yml: which there are, what they hold, and the folders that follow from `paths.root`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from rankhammer.errors import ConfigError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

FOLDERS = {
    "raw": "01_raw",
    "intermediate": "02_intermediate",
    "primary": "03_primary",
    "feature": "04_feature",
    "model_input": "05_model_input",
    "models": "06_models",
    "model_output": "07_model_output",
    "reporting": "08_reporting",
}
"""Key of `paths` to the name of its folder below `paths.root`, where nothing else is said."""
_TEXT, _FOLDER, _MAP, _ANY = "text", "folder", "map", "any"
_INPUT = {"path": _TEXT, "format": _TEXT, "load_args": _MAP, "columns": _MAP}
_KEYS: dict[str, Any] = {
    "paths": {"root": _FOLDER, **dict.fromkeys(FOLDERS, _FOLDER), "published": _TEXT, "history": _TEXT, "days": _TEXT},
    "click_log": {"path": _TEXT, "format": _TEXT, "load_args": _MAP, "reader": _TEXT, "options": _MAP},
    "documents": _INPUT,
    "reference_judgments": _INPUT,
    "result_lists": _INPUT,
    "previous_click_model": {"path": _TEXT},
    "text_field": _TEXT,
    "language": _ANY,
    "random_state": _ANY,
    "run": _ANY,
}
"""Each key to the keys in it, or to what it holds."""
_REFERENCE = re.compile(r"\$\{\s*(globals:)?\s*([A-Za-z_][\w.]*)")


def references(text: str, *, is_globals: bool) -> set[str]:
    """Find the keys of globals.yml that a file of conf uses, in `${globals:key}`; in globals.yml itself `${key}`.

    Args:
        text: The file's.
        is_globals: Whether it is globals.yml.

    Returns:
        Keys with dots between them.
    """
    return {key for prefix, key in _REFERENCE.findall(text) if prefix or is_globals}


def check_globals(values: Mapping[str, Any], used: Iterable[str]) -> None:
    """Refuse keys that nothing reads, and values of another kind.

    Args:
        values: globals.yml of the environment, over that of base.
        used: Keys of the user's own, which some file of conf uses; see `references`.

    Raises:
        ConfigError: Names the key and the one that is closest to it.
    """
    own = set(used)
    for key, value in values.items():
        _check(key, value, _KEYS, own, "")


def with_folders(values: Mapping[str, Any]) -> dict[str, Any]:
    """Add the folders that `paths` does not name, below its root.

    Args:
        values: As for `check_globals`.
    """
    paths = dict(values.get("paths") or {})
    if "root" not in paths:
        return dict(values)
    root = str(paths["root"]).rstrip("/")
    return {**values, "paths": {key: f"{root}/{name}" for key, name in FOLDERS.items()} | paths}


def require_same_kinds(base: Mapping[str, Any], env: Mapping[str, Any], place: str) -> None:
    """Refuse a list where conf/base has keys with values, and the reverse: the two cannot be put together.

    Args:
        base: What conf/base says.
        env: What the environment says over it.
        place: The file, for the message.

    Raises:
        ConfigError: Names the key.
    """
    for key, value in env.items():
        below = base.get(key)
        if isinstance(below, dict) and isinstance(value, dict):
            require_same_kinds(below, value, f"{place}: {key}" if ": " not in place else f"{place}.{key}")
        elif {type(below), type(value)} == {dict, list}:
            expected = "keys with values, as in {key: value}" if isinstance(below, dict) else "a list, as in [a, b]"
            joint = "." if ": " in place else ": "
            raise ConfigError(
                f"{place}{joint}{key} is {value!r}, expected {expected}.",
                hint="conf/base shows each key with its meaning.",
                key=key,
            )


def _check(key: str, value: Any, known: Mapping[str, Any], used: set[str], within: str) -> None:
    place = f"{within}.{key}" if within else key
    if key not in known:
        if not any(one == place or one.startswith(f"{place}.") or place.startswith(f"{one}.") for one in used):
            raise ConfigError(
                f"globals.yml has no key {place!r}.",
                hint=f"{did_you_mean(key, known)} A key of your own has to be used, as ${{globals:{place}}}.",
                key=place,
            )
        return
    expected = known[key]
    if isinstance(expected, dict) and isinstance(value, dict):
        for inner, content in value.items():
            _check(str(inner), content, expected, used, place)
    elif not _fits(value, expected):
        kind = {_TEXT: "one text", _FOLDER: "a folder"}.get(str(expected), "keys with values, as in {key: value}")
        raise ConfigError(
            f"globals.yml: {place} is {value!r}, expected {kind}.",
            hint="conf/base/globals.yml shows each key with its meaning.",
            key=place,
        )


def _fits(value: Any, expected: object) -> bool:
    if expected == _ANY or (value is None and expected in (_TEXT, _MAP)):
        return True
    if expected == _FOLDER:
        return isinstance(value, str) and bool(value.strip())
    return isinstance(value, dict) if isinstance(expected, dict) or expected == _MAP else isinstance(value, str)
