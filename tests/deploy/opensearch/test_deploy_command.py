"""`rankhammer deploy` and `rankhammer rollback` as they are typed."""

from __future__ import annotations

import base64
import json
import logging

import pytest
from click.testing import CliRunner
from shop import export

from rankhammer.cli.main import rankhammer

SECRET = "s3cr3t-word"


@pytest.fixture
def folder(tmp_path):
    return export(tmp_path, version="3.6")


def typed(*words):
    return CliRunner().invoke(rankhammer, list(map(str, words)))


def test_a_ranker_is_deployed_and_taken_back(stand_in_shop, folder, tmp_path):
    ended = typed("deploy", folder, "--url", stand_in_shop.url, "--query", "red shoe")
    assert ended.exit_code == 0, ended.output
    assert "is active (before: none)" in ended.output
    assert "tried on 4 documents for 'red shoe': scores differ by 0 at most" in ended.output
    second = export(tmp_path, version="3.6", seed=8)
    ended = typed("deploy", second, "--url", stand_in_shop.url, "--json")
    (done,) = json.loads(ended.output)
    assert done["before"] != done["active"]
    ended = typed("rollback", "shop", "--url", stand_in_shop.url, "--json")
    assert json.loads(ended.output)[0]["active"] == done["before"]


def test_a_dry_run_prints_every_request_and_sends_none(stand_in_shop, folder):
    stand_in_shop.asked.clear()
    ended = typed("deploy", folder, "--url", stand_in_shop.url, "--dry-run")
    assert ended.exit_code == 0, ended.output
    assert stand_in_shop.asked == []
    for words in (
        "PUT /_ltr ",
        "/_createmodel",
        '"validation"',
        '"rescore_query"',
        "PUT /rankhammer_deployments/_doc/shop",
    ):
        assert words in ended.output
    assert f"# {stand_in_shop.url}" in ended.output


@pytest.mark.parametrize("command", [["deploy", "/nowhere"], ["rollback", "shop"]])
def test_what_the_user_can_cure_is_no_traceback(stand_in_shop, command):
    ended = typed(*command, "--url", stand_in_shop.url)
    assert ended.exit_code == 2
    assert "Hint: " in ended.output
    assert "Traceback" not in ended.output


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--keep", "1"], "keep"),
        (["--url", "search:9200"], "not an address"),
        (["--credentials", "x"], "requires --url"),
        (["--url", "http://127.0.0.1:9", "--credentials", "nobody"], "no credentials 'nobody'"),
        (["--env", "nowhere"], "nowhere"),
    ],
)
def test_wrong_options_are_named(folder, words, message):
    ended = typed("deploy", folder, *words)
    assert (ended.exit_code, message in ended.output) == (2, True), ended.output


def test_secrets_go_to_the_cluster_and_nowhere_else(stand_in_shop, folder, monkeypatch, caplog):
    entry = {"username": "me", "password": SECRET}
    monkeypatch.setattr("rankhammer.hooks.credentials_hook._entries", lambda context: {"search": entry})
    coded = base64.b64encode(f"me:{SECRET}".encode()).decode()
    stand_in_shop.authorization = f"Basic {coded}"
    words = [folder, "--url", stand_in_shop.url, "--credentials", "search"]
    with caplog.at_level(logging.DEBUG):
        message = [typed("deploy", *words, "--dry-run"), typed("deploy", *words), typed("rollback", "shop", *words[1:])]
        stand_in_shop.authorization = "Basic other"
        message.append(typed("deploy", *words))
    assert [ended.exit_code for ended in message] == [0, 0, 2, 2]
    assert "401" in message[-1].output
    said = "".join([*(ended.output for ended in message), caplog.text, json.dumps(stand_in_shop.indices)])
    assert "is active" in said
    assert SECRET not in said
    assert coded not in said


@pytest.mark.parametrize("command", ["deploy", "rollback"])
def test_help_has_an_example(command):
    assert f"Example:  rankhammer {command}" in typed(command, "--help").output
