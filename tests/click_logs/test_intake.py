from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from rankhammer.click_logs import CorpusCounts, take_in
from rankhammer.click_logs.checks import find_failures
from rankhammer.errors import DataError, SchemaError
from rankhammer.schemas import RAW_SERPS

SCHEMA = ", ".join(f"{name} {kind}" for name, kind in RAW_SERPS.columns.items())
LATE = datetime(2024, 5, 1, 23, 59)  # noqa: DTZ001 - in the session's time zone, UTC


def page(serp_id, *, corpus="main", session="s", at=LATE, clicked=(True,), fault=None):
    docs = [f"d{i}" for i in range(len(clicked))]
    return (corpus, serp_id, session, "q", at, docs, list(clicked), fault)


def intake(spark, rows, *, max_bad_share=0.5, max_serps_per_day=10, corpora=None):
    found = take_in(
        spark.createDataFrame(rows, SCHEMA),
        max_bad_share=max_bad_share,
        max_serps_per_day=max_serps_per_day,
        corpora=corpora,
    )
    return found, sorted(row.serp_id for row in found.serps.collect())


def test_every_page_read_is_kept_set_aside_or_a_robots(spark):
    robot = [page(f"r{i}", session="robot") for i in range(4)]
    rows = [page("a"), page("b", clicked=(False, True, True)), page("c", fault="bad_position"), *robot]
    found, kept = intake(spark, rows, max_serps_per_day=3)
    counts = found.counts["main"]
    assert kept == ["a", "b"]
    assert counts.set_aside == {"bad_position": 1}
    assert (counts.n_serps, counts.n_clicks) == (2, 1 + 2)
    assert (counts.n_robot_serps, counts.n_robot_sessions) == (4, 1)
    assert counts.n_read == counts.n_serps + counts.n_set_aside + counts.n_robot_serps == 7


def test_faults_are_counted_by_corpus_and_reason(spark):
    rows = [page("a"), page("b", fault="x"), page("a", corpus="two"), page("b", corpus="two", fault="y")]
    found, _ = intake(spark, rows)
    assert {corpus: counts.set_aside for corpus, counts in found.counts.items()} == {"main": {"x": 1}, "two": {"y": 1}}


def test_only_the_corpora_that_are_asked_for_are_taken_in_and_none_is_asked_for_in_vain(spark):
    rows = [page("a"), page("b", corpus="two"), page("c", corpus="three", fault="x")]
    found, kept = intake(spark, rows, corpora=["main"])
    assert (kept, list(found.counts)) == (["a"], ["main"])
    with pytest.raises(DataError, match=r"asks for 'four'; the corpora here are: main, three, two\."):
        intake(spark, rows, corpora=["four", "two"])


def test_threshold_itself_is_still_a_person(spark):
    rows = [page(str(i)) for i in range(3)]
    assert len(intake(spark, rows, max_serps_per_day=3)[1]) == 3
    with pytest.raises(DataError, match="3 are robots'"):
        intake(spark, rows, max_serps_per_day=2)


def test_pages_are_counted_by_utc_day_whatever_the_sessions_zone(spark):
    rows = [page("a"), page("b", at=LATE + timedelta(minutes=2))]
    data = spark.createDataFrame(rows, SCHEMA)
    spark.conf.set("spark.sql.session.timeZone", "Asia/Tokyo")
    try:
        found = take_in(data, max_bad_share=0, max_serps_per_day=1)
        assert found.counts["main"].n_serps == 2
    finally:
        spark.conf.set("spark.sql.session.timeZone", "UTC")


def test_all_pages_of_a_robot_go_even_of_its_quiet_days(spark):
    rows = [page("a"), page("b"), page("c", at=LATE - timedelta(days=2)), page("d", session="t")]
    assert intake(spark, rows, max_serps_per_day=1)[1] == ["d"]


def test_pages_without_session_or_time_are_never_a_robots(spark):
    rows = [page(f"s{i}", session=None) for i in range(3)] + [page(f"t{i}", at=None) for i in range(3)]
    assert len(intake(spark, rows, max_serps_per_day=1)[1]) == 6


def test_same_session_name_in_two_corpora_is_two_sessions(spark):
    rows = [page("a"), page("b", corpus="two")]
    assert intake(spark, rows, max_serps_per_day=1)[1] == ["a", "b"]


def test_share_of_faults_at_the_limit_passes_and_above_it_stops(spark):
    rows = [page("a"), page("b"), page("c"), page("d", fault="bad_position")]
    assert intake(spark, rows, max_bad_share=0.25)[1] == ["a", "b", "c"]
    with pytest.raises(DataError) as caught:
        intake(spark, rows, max_bad_share=0.24)
    assert "1 of 4 result pages (25.0%)" in str(caught.value)
    assert "1 bad_position (a position is missing" in str(caught.value)
    assert "first_position: 0" in caught.value.hint


def test_empty_log_is_a_data_error(spark):
    with pytest.raises(DataError, match="empty"):
        intake(spark, [])


def test_log_without_clicks_is_a_data_error(spark):
    with pytest.raises(DataError, match="none of its 1 result pages was clicked"):
        intake(spark, [page("a", clicked=(False, False))])


@pytest.mark.parametrize("bad", [{"clicked": (False,)}, {"fault": "x"}])
def test_a_corpus_that_cannot_be_used_does_not_stop_the_others(spark, bad):
    found, kept = intake(spark, [page("a"), page("b", corpus="two", **bad)], max_bad_share=0.5)
    assert kept == ["a"]
    assert [(failure.corpus, failure.stage) for failure in found.failures] == [("two", "ingestion")]
    assert found.failures[0].hint
    assert set(found.report()) == {"main", "two"}


def test_notes_count_kept_pages_only(spark):
    rows = [(*page("a"), "one\ntwo"), (*page("b"), "one"), (*page("c", fault="x"), "one")]
    found = take_in(spark.createDataFrame(rows, f"{SCHEMA}, note string"), max_bad_share=0.5, max_serps_per_day=9)
    assert found.counts["main"].notes == {"one": 2, "two": 1}


def test_a_reader_that_breaks_the_contract_is_named_by_its_column(spark):
    with pytest.raises(SchemaError, match="'fault'"):
        take_in(spark.createDataFrame([page("a")], SCHEMA).drop("fault"), max_bad_share=0, max_serps_per_day=9)


def test_robots_alone_are_told_from_faults():
    robots = CorpusCounts(n_read=3, n_robot_serps=3, n_robot_sessions=1)
    with pytest.raises(DataError, match="max_serps_per_day"):
        find_failures({"main": robots}, max_bad_share=0)
