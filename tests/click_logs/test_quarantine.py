"""Every kind of malformed row ends in quarantine, with its reason, and never anybody's id."""

from __future__ import annotations

import json

import pytest

from rankhammer import plugins
from rankhammer.click_logs.checks import Bounds, VisitorOptions, count_corpora, flag_pages
from rankhammer.click_logs.faults import PageLimits
from rankhammer.click_logs.quarantine import MAX_EXAMPLE_CHARS, faulty_examples, faulty_pages
from rankhammer.datasets import LogDataset, TableDataset
from rankhammer.plugins import PluginSpec
from rankhammer.schemas import QUARANTINE

SOUND = {
    "serp_id": "s",
    "query": "lamp",
    "doc_id": "d1",
    "position": "1",
    "clicked": "1",
    "shown_at": "2024-05-01T10:00:00Z",
    "received_at": "2024-05-01",
    "user_id": "alice@example.org",
    "address": "192.0.2.7",
}
ROWS = {
    "no page": ({"serp_id": None}, "missing_serp_id"),
    "a word for no page": ({"serp_id": "undefined"}, "missing_serp_id"),
    "no query": ({"query": None}, "missing_query"),
    "a blank query": ({"query": "  \t"}, "missing_query"),
    "a query that nobody can see": ({"query": "\u200b\u2060"}, "missing_query"),
    "no document": ({"doc_id": None}, "missing_doc_id"),
    "a blank document": ({"doc_id": " "}, "missing_doc_id"),
    "no position": ({"position": None}, "missing_position"),
    "a position in words": ({"position": "first"}, "unreadable_position"),
    "half a position": ({"position": "3.5"}, "unreadable_position"),
    "a position beyond all pages": ({"position": "99999999"}, "unreadable_position"),
    "an endless position": ({"position": "Infinity"}, "unreadable_position"),
    "a position before the first": ({"position": "0"}, "bad_position"),
    "a negative position": ({"position": "-2"}, "bad_position"),
    "no click flag": ({"clicked": None}, "unreadable_clicked"),
    "a click flag in other words": ({"clicked": "maybe"}, "unreadable_clicked"),
    "a negative number of clicks": ({"clicked": "-1"}, "unreadable_clicked"),
    "half a click": ({"clicked": "0.5"}, "unreadable_clicked"),
    "a click that is no number": ({"clicked": "NaN"}, "unreadable_clicked"),
    "a date that is two": ({"shown_at": "01/02/2024"}, "unreadable_shown_at"),
    "a time of day": ({"shown_at": "12:30"}, "unreadable_shown_at"),
    "a day that is not": ({"shown_at": "2024-02-30"}, "unreadable_shown_at"),
    "a time before all logs": ({"shown_at": "1889-01-01"}, "unreadable_shown_at"),
    "a time after all logs": ({"shown_at": "2150-01-01"}, "unreadable_shown_at"),
    "eight digits for a time": ({"shown_at": "20240501"}, "unreadable_shown_at"),
    "a zone by name": ({"shown_at": "2024-05-01T10:00:00 CEST"}, "unreadable_shown_at"),
    "an endless query": ({"query": "x" * 1001}, "too_long"),
    "an endless document id": ({"doc_id": "d" * 501}, "too_long"),
    "an endless page id": ({"serp_id": "p" * 501}, "too_long"),
    "a page that came too late": ({"received_at": "2024-05-04"}, "too_late"),
    "a line with other cells": (None, "missing_serp_id"),
}
PAIRS = {
    "two queries": ([{}, {"query": "chair", "doc_id": "d2", "position": "2"}], "conflicting_query"),
    "two documents at one place": ([{}, {"doc_id": "d2"}], "repeated_position"),
    "more documents than a page has": (
        [{"doc_id": f"d{n}", "position": str(n)} for n in range(1, 13)],
        "too_long",
    ),
}
SERPS = {
    "an empty list": ("e", "lamp", [], [], "empty_result_list"),
    "no list": ("n", "lamp", None, None, "empty_result_list"),
    "lists of two lengths": ("u", "lamp", ["a", "b"], [True], "unequal_arrays"),
    "a flag that is missing": ("f", "lamp", ["a"], [None], "unreadable_clicked"),
    "a document that is missing": ("d", "lamp", ["a", None], [True, False], "missing_doc_id"),
    "a document twice": ("r", "lamp", ["a", "a"], [True, False], "repeated_document"),
    "one id, two pages": ("t", "lamp", ["a"], [True], "duplicate_serp_id"),
    "the other of them": ("t", "chair", ["b"], [True], "duplicate_serp_id"),
}
NUMBERS = {"half an id": 1.5, "an id beyond exact numbers": 2.0**60 * 3, "an endless id": float("inf")}
RECORDS = ("lamp : 1", "lamp_1\ta,b", "x\ty\tz : y", "lamp_1\ta : b : c")


def test_forty_kinds_are_known():
    assert len({*ROWS, *PAIRS, *SERPS, *NUMBERS, *RECORDS}) >= 40


def faulty(raw, reader="impressions", n_examples=None, **options):
    spec = PluginSpec(name=reader, options=options)
    limits = PageLimits(max_documents=10, repeated_documents="set_aside")
    pages = plugins.create("click_logs", spec).to_serps(raw)
    flagged = flag_pages(pages, bounds=Bounds(1, 200), limits=limits, visitors=VisitorOptions())
    counts = count_corpora(flagged)
    return faulty_pages(flagged, n_examples=n_examples), counts


@pytest.fixture(scope="module")
def rows(spark, tmp_path_factory):
    """All kinds in one CSV: each a page of its own, where the kind leaves it an id."""
    file = tmp_path_factory.mktemp("log") / "log.csv"
    lines = [",".join(SOUND)]
    wanted = {name: [change] for name, (change, _) in ROWS.items() if change is not None}
    wanted |= {name: changes for name, (changes, _) in PAIRS.items()}
    for name, changes in {"sound": [{}], **wanted}.items():
        for change in changes:
            row = {**SOUND, "serp_id": name, **change}
            lines.append(",".join(f'"{value}"' if value is not None else "" for value in row.values()))
    lines.append("a,line,with,other,cells")
    file.write_text("\n".join(lines) + "\n")
    found, counts = faulty(LogDataset(filepath=str(file), file_format="csv", load_args={"header": True}).load())
    return found.collect(), counts["main"], str(file)


def of_kind(found, name):
    """The rows of a kind: by the page's id, where it has one, else by what the row holds."""
    change, _ = ROWS[name]
    if change is None:
        return [row for row in found if row.serp_id is None and row.row == "{}"]
    if "serp_id" not in change:
        return [row for row in found if row.serp_id == name]
    if change["serp_id"] and change["serp_id"].startswith("pp"):
        return [row for row in found if row.serp_id == change["serp_id"]]
    lone = [(row, json.loads(row.row or "{}")) for row in found if row.serp_id is None]
    return [row for row, held in lone if held and held.get("serp_id") == change["serp_id"]]


@pytest.mark.parametrize("name", ROWS)
def test_a_malformed_row_is_kept_with_its_reason(rows, name):
    assert [row.reason for row in of_kind(rows[0], name)] == [ROWS[name][1]]


@pytest.mark.parametrize("name", PAIRS)
def test_rows_that_do_not_go_together_are_kept_with_their_reason(rows, name):
    assert [row.reason for row in rows[0] if row.serp_id == name] == [PAIRS[name][1]]


def test_what_is_kept_is_what_is_counted_and_says_where_it_stood_and_not_who_searched(rows):
    found, counts, file = rows
    assert counts.n_read == 1 + len(found)
    assert counts.n_serps == 1
    assert {reason: sum(row.reason == reason for row in found) for reason in counts.set_aside} == counts.set_aside
    (bad,) = [row for row in found if row.serp_id == "a position in words"]
    assert json.loads(bad.row)["position"] == "first"
    assert bad.file.endswith(file)
    assert json.loads(bad.page)["query"] == "lamp"
    assert all(who not in str(found) for who in ("alice", "192.0.2", "user_id", "address"))


def test_faults_of_pages_numbers_and_texts_are_kept(spark):
    schema = "serp_id string, query string, doc_ids array<string>, clicked array<boolean>"
    pages = [row[:4] for row in SERPS.values()]
    found, _ = faulty(spark.createDataFrame([*pages, ("ok", "lamp", ["a"], [True])], schema), "serps")
    assert sorted((row.serp_id, row.reason) for row in found.collect()) == sorted((r[0], r[4]) for r in SERPS.values())
    rows = [("p", "lamp", number, 1, True) for number in NUMBERS.values()]
    schema = "serp_id string, query string, doc_id double, position int, clicked boolean"
    numbered = [(f"p{n}", *row[1:]) for n, row in enumerate(rows)]
    found, _ = faulty(spark.createDataFrame(numbered, schema))
    assert [row.reason for row in found.collect()] == ["unreadable_id"] * len(NUMBERS)
    found, _ = faulty(spark.createDataFrame([(text,) for text in RECORDS], "value string"), "yandex_wscd")
    read = found.collect()
    assert [row.reason for row in read] == ["unreadable_record"] * len(RECORDS)
    assert {json.loads(row.row)["record"] for row in read} == set(RECORDS)


def test_examples_are_so_many_of_a_reason_and_the_same_each_time(spark):
    schema = "serp_id string, query string, doc_id string, position int, clicked boolean"
    rows = [(f"p{n}", "lamp" if n % 2 else None, "d", 1 if n % 2 else 1 - n % 3, True) for n in range(60)]
    raw = spark.createDataFrame(rows, schema)
    found = [faulty(table, n_examples=3)[0] for table in (raw, raw.repartition(7))]
    assert sorted(found[0].collect()) == sorted(found[1].collect())
    assert [row.reason for row in found[0].collect()] == ["missing_query"] * 3
    assert set(faulty_examples(found[0])["main"]) == {"missing_query"}


def test_an_example_shows_what_cannot_be_read_and_is_cut(spark):
    schema = "serp_id string, query string, doc_id string, position int, clicked string, user_id string"
    long = ("p1", "lamp", "d" * 1000, 1, "x", "anna")
    found, _ = faulty(spark.createDataFrame([("p0", "lamp", "d", 1, "ja", "anna"), long], schema))
    (example,) = faulty_examples(found.where("serp_id = 'p0'"))["main"].values()
    assert example.startswith("'p0', with the row {")
    assert '"clicked":"ja"' in example
    assert "anna" not in example
    (example,) = faulty_examples(found.where("serp_id = 'p1'"))["main"].values()
    assert example.endswith("d ...")
    assert len(example) == len("'p1', with the row ") + MAX_EXAMPLE_CHARS + len(" ...")


def test_a_quarantine_that_is_known_to_be_empty_is_written_and_read_without_a_job(spark, tmp_path):
    def n_jobs() -> int:
        return len(spark.sparkContext.statusTracker().getJobIdsForGroup("quarantine"))

    dataset = TableDataset(filepath=str(tmp_path / "quarantine"))
    dataset.save(spark.createDataFrame([("c", *[None] * 6)], QUARANTINE.empty(spark).schema))
    spark.sparkContext.setJobGroup("quarantine", "")
    try:
        dataset.save(QUARANTINE.empty(spark))
        loaded = QUARANTINE.check(dataset.load())
        assert n_jobs() == 0
        # The question itself is a job, of no task.
        assert loaded.isEmpty()
    finally:
        spark.sparkContext.setLocalProperty("spark.jobGroup.id", None)


def test_a_faulty_record_of_ubi_is_kept_with_its_file_and_without_its_client(spark, tmp_path):
    sound = {"query_id": "q1", "user_query": "lamp", "query_response_hit_ids": ["a", "b"], "client_id": "alice"}
    times = {"q1": "2024-05-01T10:00:00Z", "q2": "soon"}
    queries = [{**sound, "query_id": page, "timestamp": time} for page, time in times.items()]
    click = {"query_id": "q1", "action_name": "click", "event_attributes": {"object": {"object_id": "a"}}}
    file = tmp_path / "ubi.json"
    file.write_text("\n".join(map(json.dumps, [*queries, {**click, "client_id": "alice"}])))
    found, counts = faulty(LogDataset(filepath=str(file), file_format="json").load(), "ubi")
    (row,) = found.collect()
    assert counts["main"].n_serps == 1
    assert (row.serp_id, row.reason, row.file.endswith("ubi.json")) == ("q2", "unreadable_shown_at", True)
    assert json.loads(row.row)["timestamp"] == "soon"
    assert "alice" not in str(row)
