from __future__ import annotations

import json
from pathlib import Path

import pytest

from rankhammer.click_logs.faults import GAPS_CLOSED, NOT_A_PAGE, OUTSIDE_LIST
from rankhammer.click_logs.ubi import SEVERAL_LISTS, Ubi, UbiOptions
from rankhammer.errors import SchemaError

REAL = Path(__file__).parents[2].parent / "shared" / "data" / "chorus_ubi" / "ubi_queries_events.ndjson"
AT = "2025-01-24T07:31:30.699+0000"


def query(query_id, text="tv", hits=None, **more):
    record = {"application": "shop", "query_id": query_id, "user_query": text, "client_id": "c", "timestamp": AT}
    return record | ({} if hits is None else {"query_response_hit_ids": hits}) | more


def event(query_id, action, doc, ordinal, **more):
    attributes = {"object": {"object_id": doc}, "position": {"ordinal": ordinal}}
    head = {"application": "shop", "query_id": query_id, "action_name": action, "session_id": "s", "timestamp": AT}
    return head | {"event_attributes": attributes} | more


def read(spark, tmp_path, *records, **options):
    lines = [{"index": {"_index": "ubi_queries"}}, *records, event("elsewhere", "scroll", "z", 1)]
    (tmp_path / "log.ndjson").write_text("\n".join(map(json.dumps, lines)))
    return {row.serp_id: row for row in rows(spark, tmp_path, **options) if row.fault != NOT_A_PAGE}


def rows(spark, tmp_path, **options):
    return Ubi(UbiOptions(**options)).to_serps(spark.read.json(str(tmp_path))).collect()


def counted(row):
    return {entry.what: entry.n for entry in row.tally or ()}


def test_result_list_of_the_query_is_the_page_and_events_click_on_it(spark, tmp_path):
    found = read(
        spark, tmp_path, query("p", hits=["a", "b", "c"]), event("p", "click", "b", 2), event("p", "click", "b", 2)
    )
    page = found["p"]
    assert set(found) == {"p"}
    assert (page.doc_ids, page.clicked, page.fault) == (["a", "b", "c"], [False, True, False], None)
    assert (page.corpus, page.query, page.session_id) == ("main", "tv", "s")
    assert page.shown_at.isoformat() == "2025-01-24T07:31:30.699000"


def test_list_is_also_found_under_its_old_name(spark, tmp_path):
    found = read(spark, tmp_path, query("p", query_response_object_ids=["a", "b"]), event("p", "click", "a", 1))
    assert found["p"].doc_ids == ["a", "b"]


def test_without_a_list_impressions_and_clicks_make_the_page(spark, tmp_path):
    events = [event("p", "view", "b", 2), event("p", "impression", "a", 1), event("p", "click", "c", 3)]
    page = read(spark, tmp_path, query("p"), *events, *events)["p"]
    assert (page.doc_ids, page.clicked, page.fault) == (["a", "b", "c"], [False, False, True], None)


def test_actions_with_weights_are_clicks_that_are_worth_more(spark, tmp_path):
    hits = ["a", "b", "c", "a"]
    events = [event("p", "click", "b", 2), event("p", "purchase", "b", 2), event("p", "click", "c", 3)]
    weights = {"add_to_cart": 2, "purchase": 4}
    (page,) = read(spark, tmp_path, query("p", hits=hits), *events, event("p", "add_to_cart", "z", 9),
                   action_weights=weights).values()  # fmt: skip
    assert page.clicked == [False, True, True, False]
    assert page.click_weights == [0.0, 4 / 4, 1 / 4, 0.0]
    assert counted(page)[OUTSIDE_LIST] == 1
    assert "click_weights" not in next(iter(read(spark, tmp_path, query("p", hits=hits)).values()))


@pytest.mark.parametrize("base", [0, 1])
def test_start_of_ordinals_is_found_and_noted(spark, tmp_path, base):
    page = read(spark, tmp_path, query("p"), event("p", "view", "a", base), event("p", "click", "b", base + 1))["p"]
    assert (page.doc_ids, page.fault) == (["a", "b"], None)
    assert page.note == f"ordinals start at {base} in application 'shop'"


def test_a_few_zeros_in_a_log_that_starts_at_one_are_faults(spark, tmp_path):
    sound = [record for i in range(4) for record in (query(f"p{i}"), event(f"p{i}", "view", "a", 1))]
    found = read(spark, tmp_path, *sound, query("odd"), event("odd", "view", "a", 0))
    assert {row.fault for name, row in found.items() if name != "odd"} == {None}
    assert found["odd"].fault == "bad_position"


def test_each_application_has_a_start_of_its_own(spark, tmp_path):
    other = {"application": "blog"}
    records = [query("p"), event("p", "view", "a", 1), query("r", **other), event("r", "view", "a", 0, **other)]
    found = read(spark, tmp_path, *records)
    assert "start at 1" in found["p"].note
    assert "start at 0" in found["r"].note


def test_application_can_be_the_corpus(spark, tmp_path):
    found = read(spark, tmp_path, query("p"), event("p", "view", "a", 1), columns={"corpus": "application"})
    assert found["p"].corpus == "shop"


@pytest.mark.parametrize(
    ("records", "fault"),
    [
        ([query("p")], "empty_result_list"),
        ([query("p", text=" ", hits=["a"])], "missing_query"),
        ([event("p", "click", "a", 1)], "missing_query"),
        ([query("p", hits=["a"]), query("p", text="radio")], "conflicting_query"),
        ([query("p"), event("p", "view", "a", 1), event("p", "view", "b", 1)], "repeated_position"),
        ([query("p"), event("p", "view", "a", None)], "missing_position"),
        ([query("p"), event("p", "view", "a", 1 << 63)], "unreadable_position"),
        ([query("p", timestamp="12:00:00"), event("p", "view", "a", 1)], "unreadable_shown_at"),
        ([query(None, hits=["a"])], "missing_serp_id"),
    ],
)
def test_faulty_pages_are_kept_with_their_reason(spark, tmp_path, records, fault):
    sound = [query("sound", hits=["a"]), event("sound", "click", "a", 1)]
    found = read(spark, tmp_path, *sound, *records)
    assert found.pop("sound").fault is None
    assert [row.fault for row in found.values()] == [fault]


def test_what_was_left_out_is_noted(spark, tmp_path):
    lists = [query("p", hits=["a", "b"]), query("p", hits=["a"])]
    found = read(spark, tmp_path, *lists, event("p", "click", "z", 1), query("gap"), event("gap", "view", "a", 4))
    assert SEVERAL_LISTS in found["p"].note.splitlines()
    assert counted(found["p"]) == {OUTSIDE_LIST: 1}
    assert found["p"].doc_ids == ["a", "b"]
    assert GAPS_CLOSED in found["gap"].note.splitlines()


def test_every_record_is_counted_by_what_became_of_it(spark, tmp_path):
    events = [
        *[event("p", "click", "a", 1)] * 2,
        event("p", "view", "b", 2),
        event(" ", "click", "a", 1),
        event("p", "click", None, 1),
        *[event("p", "Click", "a", 1)] * 3,
        event("p", " ", "b", 2),
    ]
    (page,) = read(spark, tmp_path, query("p", hits=["a", "b"]), *events).values()
    assert counted(page) == {"clicks/repeated": 1}
    tallies = [counted(row) for row in rows(spark, tmp_path) if row.fault == NOT_A_PAGE]
    records = {what.removeprefix("records/"): n for found in tallies for what, n in found.items() if "records/" in what}
    assert records == {
        "queries": 1,
        "clicks": 2,
        "impressions": 1,
        "clicks of no result page": 1,
        "clicks without a document": 1,
        "unknown action 'Click'": 3,
        "unknown action 'scroll'": 1,
        "events without an action": 1,
        "neither a query nor an event": 1,
    }
    lost = {what: n for found in tallies for what, n in found.items() if "clicks/" in what}
    assert lost == {"clicks/of no result page": 1, "clicks/without a document": 1}


def test_a_blank_session_is_none_and_the_client_is_the_visitor(spark, tmp_path):
    nobody = (" ", None, "undefined", "NULL")
    clicks = [event("p", "click", "a", 1, session_id=session_id) for session_id in nobody]
    page = read(spark, tmp_path, query("p", hits=["a"]), *clicks)["p"]
    assert (page.session_id, page.user_id) == (None, "c")
    assert "address" not in page


def test_an_address_among_the_attributes_of_events_is_the_visitors(spark, tmp_path):
    click = event("p", "click", "a", 1)
    click["event_attributes"]["ip"] = "192.0.2.7"
    assert read(spark, tmp_path, query("p", hits=["a"]), click)["p"].address == "192.0.2.7"


def test_queries_without_events_say_what_is_missing(spark, tmp_path):
    (tmp_path / "log.ndjson").write_text(json.dumps(query("p", hits=["a"])))
    with pytest.raises(SchemaError, match="'action_name'"):
        Ubi(UbiOptions()).to_serps(spark.read.json(str(tmp_path)))


@pytest.mark.real
@pytest.mark.skipif(not REAL.exists(), reason="the real log is not beside the repository")
def test_chorus_sample_is_read_with_two_starts_of_ordinals(spark):
    reader = Ubi(UbiOptions(columns={"corpus": "application"}))
    pages = [row for row in reader.to_serps(spark.read.json(str(REAL))).collect() if row.fault != NOT_A_PAGE]
    sound = [page for page in pages if page.fault is None]
    # 284 query_ids, and 6 of clicks and impressions whose query was not recorded.
    assert (len(pages), len(sound)) == (284 + 6, 273)
    assert {note for page in sound for note in (page.note or "").splitlines() if "start" in note} == {
        "ordinals start at 0 in application 'esci_ubi_sample'",
        "ordinals start at 1 in application 'Chorus'",
    }
    assert sum(page.corpus == "esci_ubi_sample" for page in sound) == 200
