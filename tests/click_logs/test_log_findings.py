"""What validation says of a log: each thing that is odd is said with its numbers, and of a sound log nothing is."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from rankhammer.click_logs import CorpusCounts, PositionRate
from rankhammer.click_logs.log_findings import find_in_counts, find_in_profile
from rankhammer.click_logs.log_profile import CorpusProfile, UnknownDocuments, profile_pages

FIRST = date(2024, 5, 1)
RATES = [PositionRate("main", place, 1000, 400 // place) for place in range(1, 11)]


def profile(**changes):
    days = {FIRST + timedelta(days=n): 100 for n in range(10)}
    sound = {"n_serps": 1000, "days": days, "n_queries": 300, "top_query": "tv", "n_top_query": 20, "positions": RATES}
    return CorpusProfile(**sound | changes)


def found(one):
    return [(finding.level, finding.topic) for finding in find_in_profile("main", one)]


def test_of_a_sound_log_nothing_is_said():
    assert found(profile(unknown=UnknownDocuments(50, 0, 9000, 0))) == []
    assert list(find_in_counts("main", CorpusCounts(n_read=9, n_serps=9, n_clicks=3, clicks={"kept": 3}), {})) == []


DAYS = profile().days


@pytest.mark.parametrize(
    ("changes", "finding", "words"),
    [
        ({"n_without_time": 1000, "days": {}}, ("note", "times"), "1000 of 1000"),
        ({"n_at_midnight": 900}, ("warning", "times"), "midnight"),
        ({"n_future": 3}, ("warning", "clock"), "in the future"),
        ({"days": {day: n for day, n in DAYS.items() if day.day != 4}}, ("warning", "clock"), "2024-05-04"),
        ({"days": DAYS | {date(2024, 5, 6): 900}}, ("warning", "clock"), "2024-05-06 has 900"),
        ({"days": DAYS | {date(2024, 5, 6): 9}}, ("warning", "clock"), "2024-05-06 has 9"),
        ({"n_misread": 30}, ("warning", "encoding"), "read as something else"),
        ({"n_lost_signs": 1}, ("warning", "encoding"), "could not be read"),
        ({"n_without_session": 900}, ("warning", "sessions"), "no session"),
        ({"suggested_robots": {"bursts": (40, 2)}}, ("note", "robots"), "40 of 1000 (4.0%) result pages"),
        ({"n_top_query": 300}, ("note", "frequent query"), "'tv'"),
        (
            {"positions": [PositionRate("main", place, 1000, 100) for place in range(1, 9)]},
            ("warning", "positions"),
            "",
        ),
        ({"unknown": UnknownDocuments(50, 1, 9000, 9, ("x",))}, ("note", "unknown documents"), "'x'"),
        ({"unknown": UnknownDocuments(50, 9, 9000, 900, ("x",))}, ("warning", "unknown documents"), "10.0%"),
        ({"unknown": UnknownDocuments(50, 50, 9000, 9000, ("x",))}, ("error", "unknown documents"), "100.0%"),
    ],
)
def test_what_is_odd_is_said_once_with_its_numbers(changes, finding, words):
    one = profile(**changes)
    assert found(one) == [finding]
    (said,) = find_in_profile("main", one)
    assert words in said.message
    assert said.hint


def test_counts_are_told_with_shares_and_remedies():
    robots = {"searches of a user": {"n_serps": 4, "n_robots": 1, "example": {"id": "abc", "n_serps": 4, "day": None}}}
    counts = CorpusCounts(
        n_read=20,
        n_serps=14,
        set_aside={"bad_position": 2},
        clicks={"kept": 8, "outside the list": 2},
        duplicates={"rows": 3},
        notes={"a document stood in the list twice; its first place was kept": 7},
        records={"clicks": 9, "unknown action 'scroll'": 1},
        robots=robots,
    )
    examples = {"bad_position": "'p7'"}
    said = {one.topic: one for one in find_in_counts("main", counts, {"first_position": 1}, examples)}
    assert said["faulty pages"].message.endswith("One is 'p7'.")
    assert "2 of 20 (10.0%)" in said["faulty pages"].message
    assert "first_position: 0" in said["faulty pages"].hint
    assert "2 of 10 (20.0%) clicks are outside the list" in said["clicks without impression"].message
    assert "abc (hashed)" in said["robots"].message
    assert "robots.user_searches_per_day" in said["robots"].hint
    assert "7 of 14" in said["repeated documents"].message
    assert {"duplicates", "records"} <= said.keys()


def test_a_log_without_clicks_is_said_to_have_none_and_nothing_of_its_positions():
    counts = CorpusCounts(n_read=9, n_serps=9)
    assert [one.topic for one in find_in_counts("main", counts, {})] == ["clicks"]
    assert found(profile(positions=[PositionRate("main", place, 1000, 0) for place in range(1, 9)])) == []


def test_pages_are_counted_by_day_text_and_document(spark):
    def page(serp_id, query, at, docs, session="s"):
        clicked = [True, *[False] * (len(docs) - 1)]
        return ("main", serp_id, session, query, at, docs, clicked)

    schema = "corpus string, serp_id string, session_id string, query string, shown_at timestamp, "
    rows = [
        page("a", "tv", datetime(2024, 5, 1), ["x", "y"]),  # noqa: DTZ001 - in the session's time zone, UTC
        page("b", "tv", datetime(2024, 5, 3, 9), ["x", "gone"], session=None),  # noqa: DTZ001
        page("c", "caf\u00c3\u00a9", datetime(2031, 1, 1, 9), ["y"]),  # noqa: DTZ001
        page("d", "\ufffd", None, ["z"]),
    ]
    pages = spark.createDataFrame(rows, schema + "doc_ids array<string>, clicked array<boolean>")
    documents = spark.createDataFrame([("main", name) for name in "xyz"], "corpus string, doc_id string")
    one = profile_pages(pages, now=datetime(2030, 1, 1, tzinfo=UTC), documents=documents)["main"]
    assert one.days == {FIRST: 1, date(2024, 5, 3): 1, date(2031, 1, 1): 1}
    assert (one.n_serps, one.n_without_time, one.n_at_midnight, one.n_future, one.n_without_session) == (4, 1, 1, 1, 1)
    assert (one.n_misread, one.n_lost_signs, one.n_queries, one.top_query, one.n_top_query) == (1, 1, 3, "tv", 2)
    assert one.unknown == UnknownDocuments(4, 1, 6, 1, ("gone",))
    assert one.missing_days()[0] == date(2024, 5, 2)
    assert [(rate.n_impressions, rate.n_clicks) for rate in one.positions] == [(4, 4), (2, 0)]
