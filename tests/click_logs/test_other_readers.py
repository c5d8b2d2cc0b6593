"""Logs of other shapes: MjoLniR's table, and logs of clicks alone."""

from __future__ import annotations

import pytest

from rankhammer.click_logs import Bounds, VisitorOptions, validate_log
from rankhammer.click_logs.clicks_only import MADE_OF_CLICKS, ClickOptions, ClicksOnly
from rankhammer.click_logs.faults import OUTSIDE_LIST, REPEATED_CLICKS
from rankhammer.click_logs.mjolnir import Mjolnir, MjolnirOptions
from rankhammer.click_logs.robots import AT_ADDRESS, RobotRules
from rankhammer.errors import SchemaError

HIT = "struct<pageid: int, title: string, score: float>"
MJOLNIR = (
    "wikiid string, query string, session_id string, timestamp bigint, q_by_ip_day int, "
    f"hits array<{HIT}>, clicks array<struct<pageid: int, timestamp: bigint>>"
)


def search(query, hits, clicks, *, session="s", searches=1, wiki="enwiki"):
    shown = [(hit, "t", 1.0) for hit in hits]
    return (wiki, query, session, 1_700_000_000, searches, shown, [(doc, 1) for doc in clicks])


def counted(row):
    return {entry.what: entry.n for entry in row.tally or ()}


def test_hits_and_clicks_of_mjolnirs_table_are_matched_by_page(spark):
    rows = [search("tv", [7, 8, 9], [9, 9, 5]), search("radio", [], [], wiki="dewiki")]
    found = {
        row.query: row for row in Mjolnir(MjolnirOptions()).to_serps(spark.createDataFrame(rows, MJOLNIR)).collect()
    }
    page = found["tv"]
    assert (page.corpus, page.doc_ids, page.clicked) == ("enwiki", ["7", "8", "9"], [False, False, True])
    assert counted(page) == {OUTSIDE_LIST: 1, REPEATED_CLICKS: 1}
    assert page.shown_at.isoformat() == "2023-11-14T22:13:20"
    assert (found["radio"].corpus, found["radio"].fault) == ("dewiki", "empty_result_list")


def test_searches_of_busy_addresses_are_robots_by_the_count_that_the_table_brings(spark):
    rows = [search("tv", [7], [7], searches=n, session=f"s{n}") for n in (49, 50, 900)]
    data = Mjolnir(MjolnirOptions()).to_serps(spark.createDataFrame(rows, MJOLNIR))
    found = validate_log(data, bounds=Bounds(0, 99), visitors=VisitorOptions(robots=RobotRules(), salt="s"))
    counts = found.counts["enwiki"]
    assert (counts.n_serps, counts.robots[AT_ADDRESS]["n_serps"]) == (1, 2)
    assert counts.robots[AT_ADDRESS]["example"]["n_serps"] == 900


def test_hits_that_are_no_structs_are_refused_with_the_key_to_set(spark):
    data = spark.createDataFrame(
        [("enwiki", "tv", [7], [7])], "wikiid string, query string, hits array<int>, clicks array<int>"
    )
    with pytest.raises(SchemaError, match=r"hits\.pageid") as caught:
        Mjolnir(MjolnirOptions()).to_serps(data)
    assert "click_log.options.columns.hits" in caught.value.hint
    plain = Mjolnir(MjolnirOptions(columns={"hits": "hits", "clicks": "clicks"})).to_serps(data)
    assert plain.first().clicked == [True]


CLICKS = "query string, doc_id string, session_id string, clicked_at string"
AT = "2024-05-01T12:00:00"


def clicks_only(spark, rows, schema=CLICKS, **options):
    return ClicksOnly(ClickOptions(**options)).to_serps(spark.createDataFrame(rows, schema)).collect()


def test_a_search_is_set_among_the_most_clicked_documents_of_its_query(spark):
    rows = [("tv", "a", f"s{i}", AT) for i in range(3)] + [("tv", "b", f"s{i}", AT) for i in (2, 3)]
    rows += [("tv", "c", "s4", AT), ("tv", "a", "s0", AT), ("radio", "x", "s0", AT)]
    found = {(row.query, row.session_id): row for row in clicks_only(spark, rows, n_candidates=2)}
    assert len(found) == 6
    assert (found["tv", "s0"].doc_ids, found["tv", "s0"].clicked) == (["a", "b"], [True, False])
    assert (found["tv", "s2"].doc_ids, found["tv", "s2"].clicked) == (["a", "b"], [True, True])
    assert (found["tv", "s4"].doc_ids, found["tv", "s4"].clicked) == (["a", "b", "c"], [False, False, True])
    assert counted(found["tv", "s0"]) == {REPEATED_CLICKS: 1}
    assert {row.note for row in found.values()} == {MADE_OF_CLICKS}


def test_one_query_of_a_session_on_two_days_is_two_searches_and_clicks_of_nobody_one_each(spark):
    days = [("tv", "a", "s", AT), ("tv", "a", "s", "2024-05-02T12:00:00")]
    nobody = [("tv", "a", None, AT)] * 2
    found = clicks_only(spark, days + nobody)
    assert len({row.serp_id for row in found}) == 4
    assert {row.fault for row in found} == {None}


def test_a_click_without_a_document_makes_a_faulty_search(spark):
    found = clicks_only(spark, [("tv", "a", "s", AT), ("tv", None, "t", AT), (None, "a", "u", AT)])
    assert sorted((row.session_id, row.fault) for row in found if row.fault) == [
        ("t", "missing_doc_id"),
        ("u", "missing_query"),
    ]
