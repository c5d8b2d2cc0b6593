from __future__ import annotations

import numpy as np
import pytest

from rankhammer.demo.simulate import CLICK_LOG, DemoSessions, Pages, impressions, people, robots

DAY = 86_400


def test_people_search_one_to_five_times_a_session_within_a_day_or_two():
    visits = people(2000, np.random.default_rng(2))
    _, counts = np.unique(visits.session, return_counts=True)
    assert set(counts) == {1, 2, 3, 4, 5}
    spans = [np.ptp(visits.second[visits.session == session]) for session in np.unique(visits.session)]
    assert max(spans) < 5 * 300


def test_searches_of_people_fall_within_two_weeks():
    visits = people(2000, np.random.default_rng(2))
    assert len(np.unique(visits.second // DAY)) == 14


def test_a_robots_searches_fall_on_one_day():
    visits = robots(3, 250, np.random.default_rng(2))
    for session in range(3):
        days = visits.second[visits.session == session] // DAY
        assert (len(days), len(set(days))) == (250, 1)


def test_pages_become_rows_in_the_order_of_time_and_of_position():
    late = (
        Pages(np.array([0]), np.array([[1, 0]]), np.array([[False, True]])),
        DemoSessions(np.array([0]), np.array([50])),
    )
    early = (
        Pages(np.array([0]), np.array([[0, -1]]), np.array([[True, False]])),
        DemoSessions(np.array([0]), np.array([9])),
    )
    table = impressions("main", ["a", "b"], [(*late, ["x"]), (*early, ["y"])])
    assert table.schema == CLICK_LOG
    rows = [
        (r["serp_id"], r["session_id"], r["query"], r["doc_id"], r["position"], r["clicked"]) for r in table.to_pylist()
    ]
    assert rows == [
        ("main-0000000", "main-s000001", "y", "a", 1, True),
        ("main-0000001", "main-s000000", "x", "b", 1, False),
        ("main-0000001", "main-s000000", "x", "a", 2, True),
    ]
    assert [second.timestamp() for second in table["shown_at"].to_pylist()] == pytest.approx([9, 50, 50])
