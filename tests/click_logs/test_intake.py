from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from rankhammer.click_logs import Bounds, CorpusCounts, PageLimits, validate_log
from rankhammer.click_logs.checks import find_failures
from rankhammer.click_logs.fault_hints import hint_for
from rankhammer.click_logs.faults import FIRST_PLACE_KEPT, NOT_A_PAGE, TALLY_TYPE
from rankhammer.errors import DataError, SchemaError
from rankhammer.schemas import RAW_SERPS

SCHEMA = ", ".join(f"{name} {kind}" for name, kind in RAW_SERPS.columns.items())
LATE = datetime(2024, 5, 1, 23, 59)  # noqa: DTZ001 - in the session's time zone, UTC


def page(serp_id, *, corpus="main", session="s", at=LATE, clicked=(True,), fault=None):
    docs = [f"d{i}" for i in range(len(clicked))]
    return (corpus, serp_id, session, "q", at, docs, list(clicked), fault)


def validated(
    spark, rows, *, max_bad_share=0.5, max_serps_per_day=10, corpora=None, schema=SCHEMA, limits=None, **more
):
    bounds = Bounds(max_bad_share, max_serps_per_day, **more)
    found = validate_log(spark.createDataFrame(rows, schema), bounds=bounds, limits=limits, corpora=corpora)
    return found, sorted(row.serp_id for row in found.serps.collect())


def test_every_page_read_is_kept_set_aside_or_a_robots(spark):
    robot = [page(f"r{i}", session="robot") for i in range(4)]
    rows = [page("a"), page("b", clicked=(False, True, True)), page("c", fault="bad_position"), *robot]
    found, kept = validated(spark, rows, max_serps_per_day=3)
    counts = found.counts["main"]
    assert kept == ["a", "b"]
    assert counts.set_aside == {"bad_position": 1}
    assert (counts.n_serps, counts.n_clicks) == (2, 1 + 2)
    assert (counts.n_robot_serps, counts.n_robot_sessions) == (4, 1)
    assert counts.n_read == counts.n_serps + counts.n_set_aside + counts.n_robot_serps == 7


def test_faults_are_counted_by_corpus_and_reason(spark):
    rows = [page("a"), page("b", fault="x"), page("a", corpus="two"), page("b", corpus="two", fault="y")]
    found, _ = validated(spark, rows)
    assert {corpus: counts.set_aside for corpus, counts in found.counts.items()} == {"main": {"x": 1}, "two": {"y": 1}}


def test_only_the_corpora_that_are_asked_for_are_taken_in_and_none_is_asked_for_in_vain(spark):
    rows = [page("a"), page("b", corpus="two"), page("c", corpus="three", fault="x")]
    found, kept = validated(spark, rows, corpora=["main"])
    assert (kept, list(found.counts)) == (["a"], ["main"])
    with pytest.raises(DataError, match=r"asks for 'four'; the corpora here are: main, three, two\."):
        validated(spark, rows, corpora=["four", "two"])


def test_threshold_itself_is_still_a_person(spark):
    rows = [page(str(i)) for i in range(3)]
    assert len(validated(spark, rows, max_serps_per_day=3)[1]) == 3
    with pytest.raises(DataError, match="3 are robots'"):
        validated(spark, rows, max_serps_per_day=2)


def test_pages_of_a_session_that_is_no_id_are_nobodys_robot(spark):
    words = ["", "\u00a0", "\u200b", "null", "NULL", "\\N", "None", "undefined", "NaN", " - ", "<NA>"]
    rows = [page(f"{word}{n}", session=word) for word in words for n in range(2)]
    found, kept = validated(spark, rows, max_serps_per_day=1)
    assert (len(kept), found.counts["main"].n_robot_serps) == (len(rows), 0)
    with pytest.raises(DataError, match="2 are robots'"):
        validated(spark, [page("a", session="nullable"), page("b", session="nullable")], max_serps_per_day=1)


def test_where_all_pages_are_faulty_the_hint_is_that_of_the_faults(spark):
    with pytest.raises(DataError, match="no result page is left of 2: all are faulty: 2 unreadable_id") as caught:
        validated(spark, [page("a", fault="unreadable_id"), page("b", fault="unreadable_id")], max_bad_share=1.0)
    assert caught.value.hint == "Write ids as text, exactly as the search index has them."


def test_pages_are_counted_by_utc_day_whatever_the_sessions_zone(spark):
    rows = [page("a"), page("b", at=LATE + timedelta(minutes=2))]
    data = spark.createDataFrame(rows, SCHEMA)
    spark.conf.set("spark.sql.session.timeZone", "Asia/Tokyo")
    try:
        found = validate_log(data, bounds=Bounds(0, 1))
        assert found.counts["main"].n_serps == 2
    finally:
        spark.conf.set("spark.sql.session.timeZone", "UTC")


def test_all_pages_of_a_robot_go_even_of_its_quiet_days(spark):
    rows = [page("a"), page("b"), page("c", at=LATE - timedelta(days=2)), page("d", session="t")]
    assert validated(spark, rows, max_serps_per_day=1)[1] == ["d"]


def test_pages_without_session_or_time_are_never_a_robots(spark):
    rows = [page(f"s{i}", session=None) for i in range(3)] + [page(f"t{i}", at=None) for i in range(3)]
    assert len(validated(spark, rows, max_serps_per_day=1)[1]) == 6


def test_same_session_name_in_two_corpora_is_two_sessions(spark):
    rows = [page("a"), page("b", corpus="two")]
    assert validated(spark, rows, max_serps_per_day=1)[1] == ["a", "b"]


def test_share_of_faults_at_the_limit_passes_and_above_it_stops(spark):
    rows = [page("a"), page("b"), page("c"), page("d", fault="bad_position")]
    assert validated(spark, rows, max_bad_share=0.25)[1] == ["a", "b", "c"]
    with pytest.raises(DataError) as caught:
        validated(spark, rows, max_bad_share=0.24)
    assert "1 of 4 result pages (25.0%)" in str(caught.value)
    assert "1 bad_position (a position is before the first one)" in str(caught.value)


def test_empty_log_is_a_data_error(spark):
    with pytest.raises(DataError, match="empty"):
        validated(spark, [])


def test_log_without_clicks_is_a_data_error(spark):
    with pytest.raises(DataError, match="none of its 1 result pages was clicked"):
        validated(spark, [page("a", clicked=(False, False))])


@pytest.mark.parametrize("bad", [{"clicked": (False,)}, {"fault": "x"}])
def test_a_corpus_that_cannot_be_used_does_not_stop_the_others(spark, bad):
    found, kept = validated(spark, [page("a"), page("b", corpus="two", **bad)], max_bad_share=0.5)
    assert kept == ["a"]
    assert [(failure.corpus, failure.stage) for failure in found.failures] == [("two", "ingestion")]
    assert found.failures[0].hint
    assert set(found.report()) == {"main", "two"}


def test_notes_count_kept_pages_only(spark):
    rows = [(*page("a"), "one\ntwo"), (*page("b"), "one"), (*page("c", fault="x"), "one")]
    found = validate_log(spark.createDataFrame(rows, f"{SCHEMA}, note string"), bounds=Bounds(0.5, 9))
    assert found.counts["main"].notes == {"one": 2, "two": 1}


def test_a_reader_that_breaks_the_contract_is_named_by_its_column(spark):
    with pytest.raises(SchemaError, match="'fault'"):
        validate_log(spark.createDataFrame([page("a")], SCHEMA).drop("fault"), bounds=Bounds(0, 9))


def test_robots_alone_are_told_from_faults():
    robots = CorpusCounts(n_read=3, n_robot_serps=3, n_robot_sessions=1)
    with pytest.raises(DataError, match="max_serps_per_day"):
        find_failures({"main": robots}, bounds=Bounds(0, 9), reader_options={})


def tallied(serp_id, *counts, **about):
    return (*page(serp_id, **about), None, list(counts))


TALLIED = f"{SCHEMA}, note string, tally {TALLY_TYPE}"


def test_clicks_add_up_whatever_became_of_their_pages(spark):
    rows = [
        *(tallied(f"k{i}", session=None, clicked=(True, True)) for i in range(3)),
        tallied("o", ("clicks/outside the list", 1)),
        tallied("f", fault="x"),
        *(tallied(f"r{i}", ("clicks/outside the list", 1), session="robot") for i in range(4)),
        tallied(None, ("records/unknown action 'scroll'", 7), clicked=(), fault=NOT_A_PAGE),
    ]
    found, kept = validated(spark, rows, max_serps_per_day=3, schema=TALLIED, max_clicks_outside=0.9)
    counts = found.counts["main"]
    assert counts.clicks == {"kept": 7, "outside the list": 5, "on faulty pages": 1, "on robots' pages": 4}
    assert counts.records == {"unknown action 'scroll'": 7}
    assert (counts.n_read, len(kept), counts.n_robot_serps, counts.n_robot_sessions) == (9, 4, 4, 1)


def test_clicks_outside_the_lists_give_a_corpus_up_above_their_bound(spark):
    rows = [tallied("a", ("clicks/outside the list", 1))]
    assert validated(spark, rows, schema=TALLIED, max_clicks_outside=0.5)[1] == ["a"]
    with pytest.raises(DataError, match=r"50\.0% of the clicks are on no document of their result page") as caught:
        validated(spark, rows, schema=TALLIED, max_clicks_outside=0.49)
    assert "Ids differ" in caught.value.hint


def test_a_blank_session_is_none(spark):
    rows = [page(f"{blank!r}{i}", session=blank) for i in range(3) for blank in ("", " ", "\u200b\u3000", None)]
    assert len(validated(spark, rows, max_serps_per_day=1)[1]) == 12


def test_clicks_that_robots_or_faults_took_are_not_blamed_on_the_clicks(spark):
    robots = [page(f"r{i}") for i in range(3)] + [page("silent", session="t", clicked=(False,))]
    with pytest.raises(DataError, match="3 clicks are on robots' pages") as caught:
        validated(spark, robots, max_serps_per_day=2)
    assert "session_id" in caught.value.hint
    faults = [page("f", fault="x"), page("silent", clicked=(False,))]
    with pytest.raises(DataError, match="1 clicks are on faulty pages"):
        validated(spark, faults)


def test_what_is_too_long_is_a_fault_and_stops_nothing(spark):
    def long(**change):
        row = dict(zip(RAW_SERPS.columns, page(f"long{len(change)}{next(iter(change))}"), strict=True))
        return tuple((row | change).values())

    many = {"doc_ids": [f"d{i}" for i in range(6)], "clicked": [True] * 6}
    rows = [
        long(query="q" * 31),
        long(serp_id="i" * 21),
        long(session_id="s" * 21),
        long(doc_ids=["d" * 21]),
        long(**many),
    ]
    limits = PageLimits(max_query_chars=30, max_id_chars=20, max_documents=5)
    found, kept = validated(spark, [page("a"), *rows], limits=limits, max_bad_share=0.9)
    assert kept == ["a"]
    assert found.counts["main"].set_aside == {"too_long": 5}


def test_a_document_that_stands_twice_keeps_its_first_place(spark):
    twice = (*page("p")[:5], ["a", "b", "a", "c"], [False, False, True, False], None)
    found, _ = validated(spark, [twice])
    (kept,) = found.serps.collect()
    assert (kept.doc_ids, kept.clicked) == (["a", "b", "c"], [True, False, False])
    assert found.counts["main"].notes == {FIRST_PLACE_KEPT: 1}
    found, kept = validated(spark, [page("a"), twice], limits=PageLimits(repeated_documents="set_aside"))
    assert (kept, found.counts["main"].set_aside) == (["a"], {"repeated_document": 1})


def test_a_document_that_stands_twice_keeps_what_its_best_click_is_worth(spark):
    page = ("main", "p", "s", "tv", None, ["a", "b", "a"], [True, True, True], None, [0.2, 0.2, 1.0])
    schema = (
        "corpus string, serp_id string, session_id string, query string, shown_at timestamp, "
        "doc_ids array<string>, clicked array<boolean>, fault string, click_weights array<double>"
    )
    (found,) = validate_log(spark.createDataFrame([page], schema), bounds=Bounds(1, 200)).serps.collect()
    assert (found.doc_ids, found.click_weights) == (["a", "b"], [1.0, 0.2])


def test_a_hint_names_only_what_the_reader_can_be_told():
    assert "first_position: 0" in hint_for("bad_position", {"first_position": 1})
    for options in ({"first_position": 0}, {"click_actions": ["click"]}, {}):
        assert "first_position" not in hint_for("bad_position", options)
    assert "duplicates: drop" in hint_for("duplicate_serp_id", {"duplicates": "fault", "columns": {}})
    assert "duplicates" not in hint_for("duplicate_serp_id", {"duplicates": "drop", "columns": {}})
    assert "max_bad_share" in hint_for("a plugin's own", {})
