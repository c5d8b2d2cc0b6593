from __future__ import annotations

from datetime import date

import pytest

from rankhammer.click_logs import CorpusCounts
from rankhammer.click_logs.one_day import add_counts, day_window
from rankhammer.click_logs.sessions import DayRange, SessionRules

DAY = date(2024, 5, 1)
DAYS = [date(2024, 4, 29), date(2024, 4, 30), DAY, date(2024, 5, 3)]


@pytest.mark.parametrize(
    ("columns", "rules", "folders"),
    [
        (["received_at", "user_id"], {}, [date(2024, 4, 30), DAY, date(2024, 5, 2)]),
        (["received_at", "address"], {"max_length_s": 86_400}, [*DAYS[:3], date(2024, 5, 2)]),
        (["received_at", "user_id"], {"make": "never", "max_late_days": 0}, [DAY]),
        (["received_at"], {}, [DAY, date(2024, 5, 2)]),
        (["user_id"], {}, [DAY]),
    ],
)
def test_a_day_reads_what_its_sessions_and_late_pages_need(columns, rules, folders):
    assert day_window(DAY, columns, SessionRules(**rules)).folders == folders


@pytest.mark.parametrize(
    ("chosen", "left"),
    [
        ({}, DAYS),
        ({"first": "2024-04-30", "last": "2024-05-01"}, DAYS[1:3]),
        ({"keep": 3}, DAYS[2:]),
        ({"keep": 1, "last": "2024-05-02"}, [DAY]),
        ({"first": "2025-01-01", "keep": 2}, []),
    ],
)
def test_days_are_those_of_the_range_that_are_young_enough(chosen, left):
    assert DayRange.model_validate(chosen).chosen(DAYS[::-1]) == left


def test_counts_of_days_add_up_and_the_largest_robot_is_the_example():
    def robots(n, day):
        return {"bursts": {"n_serps": n, "n_robots": 1, "example": {"id": "x", "n_serps": n, "day": day}}}

    one = CorpusCounts(n_read=5, n_serps=3, set_aside={"too_late": 1}, robots=robots(1, "a"), sessions={"made": 2})
    two = CorpusCounts(n_read=4, set_aside={"too_late": 1, "too_long": 2}, robots=robots(7, "b"))
    total = add_counts([{"shop": one}, {"shop": two, "blog": two}])
    assert (total["shop"].n_read, total["shop"].n_serps) == (5 + 4, 3)
    assert total["shop"].set_aside == {"too_late": 1 + 1, "too_long": 2}
    assert total["shop"].robots == {
        "bursts": {"n_serps": 1 + 7, "n_robots": 2, "example": robots(7, "b")["bursts"]["example"]}
    }
    assert total["blog"] == two
    assert one.n_read == 5
