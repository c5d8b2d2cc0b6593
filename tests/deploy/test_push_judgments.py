"""Exported judgments into a server that takes and refuses what the Search Relevance Workbench does."""

from __future__ import annotations

import base64
import json

import pytest
from click.testing import CliRunner
from workbench import JUDGMENTS, Workbench

from rankhammer.cli.main import rankhammer
from rankhammer.deploy import EngineCluster, push_lists
from rankhammer.errors import EngineError
from rankhammer.exporters.judgments import JudgedQuery
from rankhammer.exporters.judgments.srw import Srw, SrwOptions

SECRET = "s3cr3t-word"
QUERIES = [JudgedQuery(f"query {n}", f"{n:016x}", {"d 1": 0, 'd"2': 3}) for n in range(5)]
SMALL = SrwOptions(max_nested_objects=6)


@pytest.fixture
def workbench():
    with Workbench() as running:
        yield running


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr("rankhammer.deploy.judgment_lists.PAUSE_S", 0.01)
    monkeypatch.setattr("rankhammer.search_engines.client.FIRST_PAUSE_S", 0.01)


@pytest.fixture
def folder(tmp_path):
    return export(tmp_path / "shop" / "srw")


def export(folder, queries=QUERIES, options=SMALL):
    """Write lists as the stage does."""
    folder.mkdir(parents=True, exist_ok=True)
    parsed = dict(Srw(options).write("shop", queries))
    for name, content in parsed.items():
        (folder / name).write_bytes(content)
    (folder / "manifest.json").write_text(json.dumps({"target": "srw", "files": list(parsed)}))
    return folder


def push(workbench, *words):
    return CliRunner().invoke(rankhammer, ["push-judgments", "--url", workbench.url, *map(str, words)])


def pushed(workbench, *words):
    ended = push(workbench, *words, "--json")
    assert ended.exit_code == 0, ended.output
    return json.loads(ended.output)


def test_every_judgment_is_in_a_list_of_the_workbench(workbench, folder):
    done = pushed(workbench, folder)
    assert [one["judgment_id"] for one in done] == list(workbench.lists)
    assert len(done) == 3
    kept = [rated for found in workbench.lists.values() for rated in found["judgmentRatings"]]
    read = {rated["query"]: {r["docId"]: float(r["rating"]) for r in rated["ratings"]} for rated in kept}
    assert read == {query.text: query.grades for query in QUERIES}
    assert {found["status"] for found in workbench.lists.values()} == {"COMPLETED"}


def test_pushing_twice_pushes_nothing_and_a_new_judgment_its_list_alone(workbench, folder):
    first = pushed(workbench, folder)
    again = pushed(workbench, folder)
    assert [one["judgment_id"] for one in again] == [one["judgment_id"] for one in first]
    assert {one["is_new"] for one in again} == {False}
    export(folder, [*QUERIES[:-1], JudgedQuery("query 4", "x", {"d 1": 1})])
    assert [one["is_new"] for one in pushed(workbench, folder)] == [False, False, True]


def test_an_answer_that_is_lost_is_no_reason_to_import_twice(workbench, folder):
    workbench.lose_answers, workbench.busy = 2, 1
    assert len(pushed(workbench, folder)) == len(workbench.lists) == 3


def test_a_list_whose_import_failed_is_pushed_again(workbench, folder):
    pushed(workbench, folder)
    first = next(iter(workbench.lists.values()))
    first["status"] = "ERROR"
    assert [one["is_new"] for one in pushed(workbench, folder)] == [True, False, False]


@pytest.mark.parametrize(
    ("ratings", "message"),
    [
        ([{"query": "q", "ratings": [{"docId": "", "rating": "1.0"}]}], "docId for queryText q must not be null"),
        ([{"query": "q", "ratings": [{"docId": "d", "rating": "good"}]}], "must be a valid float"),
        ([{"query": "q", "ratings": [{"docId": str(n), "rating": "1"} for n in range(10_000)]}], "nested documents"),
    ],
)
def test_a_failed_import_is_told_in_the_workbenchs_words(workbench, folder, ratings, message):
    (folder / "judgments-0001.json").write_text(
        json.dumps({"name": "mine", "type": "IMPORT_JUDGMENT", "judgmentRatings": ratings})
    )
    ended = push(workbench, folder)
    assert (ended.exit_code, message in ended.output) == (2, True), ended.output


@pytest.mark.parametrize(
    ("changes", "message", "hint"),
    [
        ({"plugin": False}, "no handler found", "OpenSearch 3.1"),
        ({"is_enabled": False}, "is disabled", "workbench_enabled"),
    ],
)
def test_a_cluster_without_a_workbench_is_told_so(folder, changes, message, hint):
    with Workbench(**changes) as found:
        ended = push(found, folder)
    assert ended.exit_code == 2
    assert message in ended.output
    assert hint in ended.output


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"name": "x" * 51}, "maximum length of 50"),
        ({"name": 'a "name"'}, "invalid characters"),
        ({"type": "MINE"}, "Invalid or missing judgment type"),
    ],
)
def test_a_list_that_is_refused_is_named(workbench, folder, body, message):
    good = {"name": "mine", "type": "IMPORT_JUDGMENT", "judgmentRatings": []}
    (folder / "judgments-0001.json").write_text(json.dumps(good | body))
    ended = push(workbench, folder)
    assert ended.exit_code == 2
    assert "judgments-0001.json: 400" in ended.output
    assert message in ended.output


def test_a_list_that_is_never_imported_ends_with_what_to_do(folder):
    with Workbench(n_looks=10_000) as slow, pytest.raises(EngineError, match="PROCESSING") as caught:
        list(push_lists([str(folder)], [EngineCluster(url=slow.url, patience_s=0.05)]))
    assert f"DELETE {JUDGMENTS}/" in caught.value.hint


def test_a_dry_run_prints_every_request_and_sends_none(workbench, folder):
    ended = push(workbench, folder, "--dry-run")
    assert ended.exit_code == 0, ended.output
    assert workbench.asked == []
    assert ended.output.count(f"PUT {JUDGMENTS}") == 3


@pytest.mark.parametrize(
    ("manifest", "message"),
    [
        (None, "has no manifest.json"),
        ({"target": "trec", "files": []}, "is an export for 'trec'"),
        ({"target": "srw", "files": ["judgments-0009.json"]}, "lacks judgments-0009.json"),
        ({"target": "srw", "files": ["manifest.json"]}, "is no import request"),
    ],
)
def test_a_folder_that_is_none_of_ours_is_refused_before_anything_is_sent(workbench, folder, manifest, message):
    (folder / "manifest.json").unlink()
    if manifest:
        (folder / "manifest.json").write_text(json.dumps(manifest))
    ended = push(workbench, folder)
    assert (ended.exit_code, message in ended.output, workbench.asked) == (2, True, []), ended.output


def test_secrets_go_to_the_cluster_and_nowhere_else(workbench, folder, monkeypatch, caplog):
    entry = {"username": "me", "password": SECRET}
    monkeypatch.setattr("rankhammer.hooks.credentials_hook._entries", lambda context: {"search": entry})
    coded = base64.b64encode(f"me:{SECRET}".encode()).decode()
    workbench.authorization = f"Basic {coded}"
    message = [push(workbench, folder, "--credentials", "search", *more) for more in (["--dry-run"], [])]
    workbench.authorization = "Basic other"
    message.append(push(workbench, folder, "--credentials", "search"))
    assert [ended.exit_code for ended in message] == [0, 0, 2]
    assert "401" in message[-1].output
    said = "".join([*(ended.output for ended in message), caplog.text, json.dumps(workbench.lists)])
    assert SECRET not in said
    assert coded not in said


def test_help_has_an_example():
    ended = CliRunner().invoke(rankhammer, ["push-judgments", "--help"])
    assert "Example:  rankhammer push-judgments" in ended.output
