"""A small index on a node with the plugin."""

from __future__ import annotations

import json
from typing import Any

import pytest

DOCS = {
    "1": {"title": "red shoe", "body": "a red running shoe", "popularity": 3.0},
    "2": {"title": "blue hat", "body": "no such thing"},
    "3": {"title": "red hat", "body": "a hat is no shoe", "popularity": 9.0},
    "4": {"title": "shoe rack", "body": "for red and blue shoes", "popularity": 0.5},
}


def fill(node: Any, index: str = "shop") -> Any:
    """Make an index of DOCS on a node."""
    types = {"title": "text", "body": "text", "popularity": "double"}
    settings = {"number_of_shards": 1, "number_of_replicas": 0}
    mappings = {"properties": {name: {"type": kind} for name, kind in types.items()}}
    node.call("PUT", f"/{index}", {"settings": settings, "mappings": mappings})
    lines = [line for i, doc in DOCS.items() for line in ({"index": {"_id": i}}, doc)]
    node.call("POST", f"/{index}/_bulk", "".join(json.dumps(line) + "\n" for line in lines))
    node.call("POST", f"/{index}/_refresh")
    return node


@pytest.fixture
def shop(ltr: Any) -> Any:
    """A node that holds DOCS in the index `shop`."""
    return fill(ltr)


@pytest.fixture
def stand_in_shop(stand_in: Any) -> Any:
    """The stand-in with DOCS in the index `shop`."""
    return fill(stand_in)
