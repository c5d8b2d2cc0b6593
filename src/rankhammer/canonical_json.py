"""JSON whose bytes follow its value: keys are sorted."""

from __future__ import annotations

import json
from typing import Any


def to_json(value: Any, *, indent: int | None = 2) -> bytes:
    """Write a value as UTF-8 JSON with sorted keys and a closing line break.

    Args:
        value: Anything that `json` can write.
        indent: Spaces per level; None writes no space at all, for files that only machines read.
    """
    separators = (",", ":") if indent is None else None
    return (json.dumps(value, indent=indent, sort_keys=True, separators=separators) + "\n").encode()


def to_text(value: Any) -> str:
    """Write a value as one line of JSON with sorted keys, for digests and columns."""
    return json.dumps(value, sort_keys=True)
