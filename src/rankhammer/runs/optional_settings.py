"""Files of conf/ that a project may do without: those that an earlier version did not have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kedro.config import MissingConfigException

if TYPE_CHECKING:
    from collections.abc import Mapping


def optional(loader: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return a kind of configuration; an empty one where no file of it is there.

    Args:
        loader: Kedro's.
        name: Such as tables.
    """
    try:
        return dict(loader[name])
    except MissingConfigException:
        return {}
