"""Names in an engine that follow the content, for engines that never update what they have under a name."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any


def content_name(corpus: str, *content: Any) -> str:
    """Name a model and its features by what is in them: new content, new name.

    Args:
        corpus: Whose ranker it is.
        *content: All that makes a difference, JSON-able.

    Returns:
        `rankhammer_<corpus>_<12 hex digits>`: lower-case letters, digits and `_`, at most 64 characters.
    """
    digest = hashlib.sha256(json.dumps([corpus, *content], sort_keys=True).encode()).hexdigest()[:12]
    readable = re.sub(r"[^a-z0-9]+", "_", corpus.lower()).strip("_")[:40]
    return "_".join(filter(None, ["rankhammer", readable, digest]))
