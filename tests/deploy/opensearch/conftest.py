"""A small index on a node with the plugin."""

from __future__ import annotations

from typing import Any

import pytest
from shop import fill


@pytest.fixture
def shop(ltr: Any) -> Any:
    """A node that holds DOCS in the index `shop`."""
    return fill(ltr)


@pytest.fixture
def stand_in_shop(stand_in: Any) -> Any:
    """The stand-in with DOCS in the index `shop`."""
    return fill(stand_in)
