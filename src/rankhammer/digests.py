"""SHA-256 digests of texts, bytes and files, and names that follow the content."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any

from rankhammer.canonical_json import to_text


def hex_digest(content: str | bytes, length: int = 64) -> str:
    """Return the first `length` hex digits (1 to 64) of the SHA-256 of bytes, or of a text as UTF-8."""
    data = content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
    return hashlib.sha256(data).hexdigest()[:length]


def file_digest(path: str | Path, length: int = 64) -> str:
    """Return the first `length` hex digits of the SHA-256 of a local file, read in blocks.

    Raises:
        OSError: The file cannot be read.
    """
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:length]


def content_name(corpus: str, *content: Any) -> str:
    """Name a model and its features by what is in them: new content, new name.

    Args:
        corpus: Whose ranker it is.
        *content: All that makes a difference, JSON-able.

    Returns:
        `rankhammer_<corpus>_<12 hex digits>`: lower-case letters, digits and `_`, at most 64 characters.
    """
    readable = re.sub(r"[^a-z0-9]+", "_", corpus.lower()).strip("_")[:40]
    return "_".join(filter(None, ["rankhammer", readable, hex_digest(to_text([corpus, *content]), 12)]))
