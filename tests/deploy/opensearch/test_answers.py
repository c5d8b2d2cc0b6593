"""Answers of another shape than a node's: whichever they are of, deploying says so and shows no traceback."""

from __future__ import annotations

import json

import pytest
from ltr_node import LtrNode
from shop import export, fill

from rankhammer.deploy import deploy, read_exported_ranker, read_options, rollback
from rankhammer.errors import EngineError
from rankhammer.http_client.exchange import Reply

SHAPES = [b"", b"<html>", b"null", b"[]", b"{}", b'{"error": 3}', b"[{}]"]
KEYS = ["version", "stores", "hits", "_score", "fields", "_shards", "_source", "_seq_no", "deployments"]


class Wire:
    """Stands for connections to a node, and changes the answer of one request."""

    def __init__(self, node):
        self._node, self.asked = node, 0
        self.place, self.change = 0, lambda content: content

    def exchange(self, method, path, content, headers):
        status, body = self._node.call(method, path, (content or b"").decode())
        self.asked += 1
        reply = json.dumps(body).encode()
        return Reply(status, self.change(reply) if self.asked == self.place else reply)


@pytest.fixture(scope="module")
def packages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("packages")
    return [read_exported_ranker(export(folder, version="3.6", seed=seed)) for seed in range(2)]


def changes():
    """Each way in which an answer is changed: to another text, or so that a key has a value of another type."""
    yield from (lambda content, shape=shape: shape for shape in SHAPES)
    for key in KEYS:
        name = f'"{key}": '.encode()
        yield lambda content, name=name: content.replace(name, name + b'"no", "x": ')


def test_an_answer_of_another_shape_is_an_error_that_says_so(packages, monkeypatch):
    first, second = packages
    with LtrNode("3.6.0") as node:
        wire = Wire(fill(node))
        monkeypatch.setattr("rankhammer.search_engines.client.Connections", lambda *_, **__: wire)
        given = read_options({"clusters": [{"url": node.url, "patience_s": 0}], "queries": ["red shoe"]})
        deploy(first, given)
        errors = []
        for act in (lambda: deploy(second, given), lambda: rollback("shop", given, to=first.name)):
            wire.asked = wire.place = 0
            act()
            for place in range(1, wire.asked + 1):
                for change in changes():
                    errors += failures(act, wire, place, change)
    assert [error.message for error in errors if not error.hint] == []
    assert len(errors) > 50


def failures(act, wire, place, change):
    wire.asked, wire.place, wire.change = 0, place, change
    try:
        act()
    except EngineError as error:
        return [error]
    return []
