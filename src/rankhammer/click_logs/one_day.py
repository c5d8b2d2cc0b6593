"""One day of a log by itself: which folders it needs, and which of their pages are its own."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F

from rankhammer.click_logs.counts import CorpusCounts
from rankhammer.click_logs.faults import NOT_A_PAGE, TALLY_TYPE
from rankhammer.click_logs.sessions import SECONDS_A_DAY, SessionRules
from rankhammer.click_logs.visitors import ADDRESS, RECEIVED_AT, USER

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pyspark.sql import Column, DataFrame

_EPOCH = date(1970, 1, 1)


@dataclass(frozen=True)
class OneDay:
    """A day that is read with its neighbours.

    A page is of the day on which it was shown, where its folder is among those that this day reads; else, and without a
    time, of its folder's day. So each page is of one day, whichever days are read together.

    Args:
        day: UTC day.
        before: Days before it that are read for the sake of sessions.
        behind: Days behind it that may hold its late pages.
    """

    day: date
    before: int = 0
    behind: int = 0

    @property
    def folders(self) -> list[date]:
        """The days whose folders are read."""
        return [self.day + timedelta(days=n) for n in range(-self.before, self.behind + 1)]

    @property
    def number(self) -> int:
        """Days since 1970."""
        return (self.day - _EPOCH).days

    def set_others_aside(self, pages: DataFrame) -> DataFrame:
        """Let pages of other days be no pages, and count nothing: their own day counts them.

        Args:
            pages: Has shown_at, received_at (the day of its folder), fault and tally.
        """
        if RECEIVED_AT not in pages.columns:
            return pages
        is_other = F.coalesce(self._owner() != self.number, F.lit(False))
        return pages.withColumns(
            {
                "tally": F.when(~is_other, F.col("tally")).otherwise(F.lit(None).cast(TALLY_TYPE)),
                "fault": F.when(is_other, NOT_A_PAGE).otherwise(F.col("fault")),
            }
        )

    def _owner(self) -> Column:
        shown, received = (F.floor(F.unix_seconds(name) / SECONDS_A_DAY) for name in ("shown_at", RECEIVED_AT))
        is_near = (received - shown).between(-self.before, self.behind)
        return F.when(is_near | received.isNull(), shown).otherwise(received)


def day_window(day: date, columns: Sequence[str], rules: SessionRules) -> OneDay:
    """Say which neighbours a day needs.

    Args:
        day: Which one.
        columns: That the reader returns.
        rules: How sessions are made, and how late a page may be.
    """
    if RECEIVED_AT not in columns:
        return OneDay(day)
    makes_sessions = rules.make != "never" and (USER in columns or ADDRESS in columns)
    before = math.ceil(rules.lookback_s / SECONDS_A_DAY) if makes_sessions else 0
    return OneDay(day, before, rules.max_late_days)


def add_counts(days: Iterable[Mapping[str, CorpusCounts]]) -> dict[str, CorpusCounts]:
    """Add the counts of days up.

    Args:
        days: Of each day: corpus to its counts.

    Returns:
        Corpus to the counts of all days. Of each rule about robots the largest one stays the example.
    """
    total: dict[str, CorpusCounts] = {}
    for counts in days:
        for corpus, found in counts.items():
            _add(total.setdefault(corpus, CorpusCounts()), found)
    return total


def _add(total: CorpusCounts, more: CorpusCounts) -> None:
    for one in fields(CorpusCounts):
        value = getattr(more, one.name)
        if one.name == "robots":
            _add_robots(total.robots, value)
        elif isinstance(value, dict):
            held = getattr(total, one.name)
            held.update({name: held.get(name, 0) + n for name, n in value.items()})
        else:
            setattr(total, one.name, getattr(total, one.name) + value)


def _add_robots(total: dict[str, dict[str, Any]], more: Mapping[str, Mapping[str, Any]]) -> None:
    for rule, found in more.items():
        held = total.setdefault(rule, {"n_serps": 0, "n_robots": 0, "example": found["example"]})
        held["n_serps"] += found["n_serps"]
        held["n_robots"] += found["n_robots"]
        held["example"] = max(held["example"], found["example"], key=lambda one: one["n_serps"])
