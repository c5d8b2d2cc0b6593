from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from rankhammer.click_logs import PositionRate, click_through_by_position, corpus_facts
from rankhammer.schemas import SERPS

SCHEMA = ", ".join(f"{name} {kind}" for name, kind in SERPS.columns.items())
AT = datetime(2024, 5, 1, 12)  # noqa: DTZ001 - in the session's time zone, UTC


@pytest.fixture
def serps(spark):
    rows = [
        ("x", "1", "s", "Files", "file", "f", AT, ["a", "b"], [True, False]),
        ("x", "2", "s", "file", "file", "f", AT + timedelta(hours=1), ["a", "b", "c"], [True, True, False]),
        ("x", "3", None, "sort", "sort", "o", None, ["c"], [False]),
        ("y", "1", "s", "sort", "sort", "o", None, ["c"], [True]),
    ]
    return spark.createDataFrame(rows, SCHEMA).repartition(3)


def test_facts_count_each_corpus_by_itself(serps):
    facts = corpus_facts(serps)
    assert list(facts) == ["x", "y"]
    assert facts["x"] == {
        "n_serps": 3,
        "n_sessions": 1,
        "n_queries": 3,
        "n_clusters": 2,
        "n_impressions": 2 + 3 + 1,
        "n_clicks": 1 + 2,
        "click_through": 3 / 6,
        "share_without_click": 1 / 3,
        "first_shown_at": "2024-05-01T12:00:00+00:00",
        "last_shown_at": "2024-05-01T13:00:00+00:00",
    }
    assert (facts["y"]["first_shown_at"], facts["y"]["last_shown_at"]) == (None, None)


def test_click_through_counts_from_position_one_and_stops_at_the_deepest(serps):
    rates = click_through_by_position(serps, max_position=2)
    assert rates == [PositionRate("x", 1, 3, 2), PositionRate("x", 2, 2, 1), PositionRate("y", 1, 1, 1)]
    assert rates[0].click_through == 2 / 3
