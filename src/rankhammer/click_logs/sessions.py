"""Sessions for pages that have none: one visitor's searches without a long gap, cut where they never end.

A page's session depends on nothing but earlier pages of the same visitor, and on those of the last `lookback_s` seconds
only: days that are processed one by one get the sessions of all days at once. No window ever holds a page: searches are
first counted down to one row for each visitor and half hour, so that one visitor with a tenth of the log costs no more
than others.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Literal

from pydantic import ConfigDict, Field, model_validator
from pyspark.sql import Window
from pyspark.sql import functions as F

from rankhammer.click_logs.faults import NOT_A_PAGE, TALLY_TYPE, tally
from rankhammer.click_logs.visitors import RECEIVED_AT, visitor
from rankhammer.schemas import RAW_SERPS
from rankhammer.strict_model import StrictModel

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Self

    from pyspark.sql import Column, DataFrame

SECONDS_A_DAY = 86_400
MADE, SPLIT, MADE_PAGES, LATE = "made", "split", "pages of made sessions", "late pages"
OTHER_DAYS = "pages of other days"
"""Names of what `CorpusCounts.sessions` counts."""
TOO_LATE = "too_late"
_GROUP = "sessions"
_MICROS = 1_000_000
_ID_LENGTH = 32
_STRETCH = ("slot", "stretch")


class SessionRules(StrictModel):
    """How sessions are made of a visitor's searches."""

    model_config = ConfigDict(hide_input_in_errors=True)

    make: Literal["missing", "always", "never"] = Field(
        "missing", description="for pages without a session, for all whose visitor is known, or for none"
    )
    gap_s: int = Field(1800, ge=1, le=SECONDS_A_DAY, description="a gap as long as this ends a session, in seconds")
    max_length_s: int = Field(
        43_200, ge=2, le=30 * SECONDS_A_DAY, description="a session is shorter than this, in seconds"
    )
    max_late_days: int = Field(
        1, ge=0, le=366, description="UTC days that a page may be received after the one it was shown on"
    )

    @model_validator(mode="after")
    def _has_room(self) -> Self:
        if self.max_length_s < 2 * self.gap_s:
            raise ValueError("max_length_s has to be at least twice gap_s")
        return self

    @property
    def slot_s(self) -> float:
        """Seconds from one moment at which long sessions are cut to the next."""
        return self.max_length_s / 2

    @property
    def lookback_s(self) -> float:
        """Seconds before a page within which its session is settled."""
        return 1.5 * self.max_length_s + self.gap_s


class DayRange(StrictModel):
    """UTC days whose pages are written; those of other days are read for the sessions' sake alone."""

    model_config = ConfigDict(hide_input_in_errors=True)

    first: date | None = Field(None, description="first UTC day, as 2024-05-01; null: from the beginning")
    last: date | None = Field(None, description="last UTC day; null: to the end")
    keep: int | None = Field(
        None,
        ge=1,
        le=36_600,
        description="of a log in a folder a day: days kept, up to the last one; null: all",
    )

    @model_validator(mode="after")
    def _is_in_order(self) -> Self:
        if self.first and self.last and self.first > self.last:
            raise ValueError("first has to be no later than last")
        return self

    def chosen(self, days: Sequence[date]) -> list[date]:
        """Return those of some days that are in the range, and young enough; in order."""
        found = sorted(day for day in days if (self.first or day) <= day <= (self.last or day))
        if not found or self.keep is None:
            return found
        oldest = found[-1] - timedelta(days=self.keep - 1)
        return [day for day in found if day >= oldest]

    def outside(self) -> Column | None:
        """Tell which pages are of other days, those without a time among them; None where every day is in."""
        if self.first is None and self.last is None:
            return None
        first, last = ((day or limit) for day, limit in ((self.first, date.min), (self.last, date.max)))
        epoch = date(1970, 1, 1)
        day = _day(F.col("shown_at"))
        return ~F.coalesce(day.between((first - epoch).days, (last - epoch).days), F.lit(False))


def set_other_days_aside(pages: DataFrame, days: DayRange) -> DataFrame:
    """Let pages of other days be no pages, and count them.

    Args:
        pages: Has shown_at, fault and tally.
        days: Those that are written.
    """
    outside = days.outside()
    if outside is None:
        return pages
    is_page = outside & ~F.col("fault").eqNullSafe(NOT_A_PAGE)
    others = tally({f"{_GROUP}/{OTHER_DAYS}": F.lit(1)})
    return pages.withColumns(
        {
            "tally": F.when(is_page, others).otherwise(F.col("tally")),
            "fault": F.when(is_page, NOT_A_PAGE).otherwise(F.col("fault")),
        }
    )


@dataclass(frozen=True)
class SessionedPages:
    """Pages with their sessions.

    Args:
        pages: The rows that were given, `session_id` filled in.
        counts: Rows like a reader's that are no pages and count sessions; None where none were made.
    """

    pages: DataFrame
    counts: DataFrame | None = None


def set_late_aside(pages: DataFrame, rules: SessionRules, *, keeps_received: bool = False) -> DataFrame:
    """Give pages that were received too late their fault, and count those that are late; others stay as they are.

    Args:
        pages: `schemas.RAW_SERPS` and tally; `received_at` (timestamp, UTC day counts) where the log knows it.
        rules: Say how late a page may be.
        keeps_received: Whether `received_at` is still needed.
    """
    if RECEIVED_AT not in pages.columns:
        return pages
    n_days = _day(F.col(RECEIVED_AT)) - _day(F.col("shown_at"))
    is_late = F.coalesce(n_days > 0, F.lit(False))
    is_too_late = F.coalesce(n_days > rules.max_late_days, F.lit(False))
    late = tally({f"{_GROUP}/{LATE}": is_late.cast("int")})
    found = pages.withColumns(
        {
            "fault": F.coalesce("fault", F.when(is_too_late, TOO_LATE)),
            "tally": F.when(is_late, F.concat(F.coalesce("tally", F.array().cast(TALLY_TYPE)), late)).otherwise(
                F.col("tally")
            ),
        }
    )
    return found if keeps_received else found.drop(RECEIVED_AT)


def add_sessions(
    pages: DataFrame, rules: SessionRules, *, is_counted: Column | None = None, counted_day: int | None = None
) -> SessionedPages:
    """Make the sessions of pages that need one.

    A session ends where its visitor does not search for `gap_s`. One that does not end is cut at multiples of half
    `max_length_s` since 1970: at each by which it has gone on for the whole half before. So no session is as long as
    `max_length_s`, none shorter than half of it is ever cut, and whether one is cut needs no more than `lookback_s` of
    the past.

    Args:
        pages: `schemas.RAW_SERPS`; `user_id` or `address`, hashed, where the log has them.
        rules: Gap and length.
        is_counted: Pages that are part of sessions; None: the sound ones.
        counted_day: UTC day since 1970 whose sessions and pages are counted; None: all.

    Returns:
        The same pages. An id is made of the corpus, the visitor and the time of the session's first search; pages
        without a time are one session per visitor.
    """
    who = visitor(pages.columns)
    if who is None or rules.make == "never":
        return SessionedPages(pages)
    is_wanted = F.col("fault").isNull() if is_counted is None else is_counted
    if rules.make == "missing":
        is_wanted &= F.col("session_id").isNull()
    known = pages.withColumns({"visitor": F.when(is_wanted, who), **stretch_columns(rules)})
    starts = session_starts(known.where(F.col("visitor").isNotNull()), rules).persist()
    day = F.floor(F.col("stretch") * rules.gap_s / SECONDS_A_DAY)
    counted = starts if counted_day is None else starts.where(day == counted_day)
    return SessionedPages(_with_ids(known, starts), _counts(counted))


def session_starts(searches: DataFrame, rules: SessionRules) -> DataFrame:
    """Find where sessions start, one row per visitor and stretch of `gap_s` in which there are searches.

    Args:
        searches: corpus, visitor, shown_at, and slot and stretch of `shown_at`.
        rules: Gap and length.

    Returns:
        corpus, visitor, slot, stretch, n_serps, session_start (of the session's first search, microseconds since 1970),
        is_start (a session begins here), is_cut (it begins because one was too long).
    """
    gap, slot = rules.gap_s * _MICROS, int(rules.slot_s * _MICROS)
    timed = searches.where(F.col("slot").isNotNull())
    # Searches of one stretch are closer than a gap, so their first and last say all.
    spans = timed.groupBy("corpus", "visitor", *_STRETCH).agg(
        F.min(F.unix_micros("shown_at")).alias("first"),
        F.max(F.unix_micros("shown_at")).alias("last"),
        F.count("*").alias("n_serps"),
    )
    earlier = Window.partitionBy("corpus", "visitor").orderBy("first")
    so_far = earlier.rowsBetween(Window.unboundedPreceding, Window.currentRow)
    is_new = F.coalesce(F.col("first") - F.lag("last").over(earlier) >= gap, F.lit(True))
    chained = spans.withColumns({"is_new": is_new, "is_next_slot": F.col("slot") > F.lag("slot").over(earlier)})
    chain_start = F.last(F.when(F.col("is_new"), F.col("first")), ignorenulls=True).over(so_far)
    cut = chained.withColumn("chain_start", chain_start).withColumn(
        "is_cut",
        ~F.col("is_new")
        & F.coalesce("is_next_slot", F.lit(False))
        & (F.col("chain_start") <= (F.col("slot") - 1) * F.lit(slot)),
    )
    is_start = F.col("is_new") | F.col("is_cut")
    start = F.last(F.when(is_start, F.col("first")), ignorenulls=True).over(so_far)
    return cut.withColumns({"is_start": is_start, "session_start": start}).select(
        "corpus", "visitor", *_STRETCH, "n_serps", "session_start", "is_start", "is_cut"
    )


def _day(time: Column) -> Column:
    # Counting seconds, not calendar days, keeps the session's time zone out of it.
    return F.floor(F.unix_seconds(time) / SECONDS_A_DAY)


def stretch_columns(rules: SessionRules) -> dict[str, Column]:
    """Return the stretch of the clock that a page was shown in: `stretch` of gap_s, `slot` of half of max_length_s."""
    widths = {"slot": int(rules.slot_s * _MICROS), "stretch": rules.gap_s * _MICROS}
    return {name: F.expr(f"unix_micros(shown_at) div {width}") for name, width in widths.items()}


def _with_ids(known: DataFrame, starts: DataFrame) -> DataFrame:
    """Let pages that need a session find it; the others take no part in the shuffle."""
    found = known.where(F.col("visitor").isNotNull()).join(
        starts.select("corpus", "visitor", *_STRETCH, "session_start"), ["corpus", "visitor", *_STRETCH], "left"
    )
    start = F.coalesce(F.col("session_start").cast("string"), F.lit("no time"))
    made = F.substring(F.sha2(F.concat_ws("\n", "corpus", "visitor", start), 256), 1, _ID_LENGTH)
    with_session = found.withColumn("session_id", made).drop("session_start")
    return with_session.unionByName(known.where(F.col("visitor").isNull())).drop("visitor", *_STRETCH)


def _counts(starts: DataFrame) -> DataFrame:
    """Count sessions by corpus, as rows that stand for no page."""
    counted = starts.groupBy("corpus").agg(
        F.count_if("is_start").alias("n"), F.count_if("is_cut").alias("n_cut"), F.sum("n_serps").alias("n_serps")
    )
    known = {"corpus": F.col("corpus"), "fault": F.lit(NOT_A_PAGE)}
    columns = (known.get(name, F.lit(None).cast(kind)).alias(name) for name, kind in RAW_SERPS.columns.items())
    named = {MADE: F.col("n"), SPLIT: F.col("n_cut"), MADE_PAGES: F.col("n_serps")}
    counts = tally({f"{_GROUP}/{name}": n for name, n in named.items()})
    return counted.select(*columns, F.lit(None).cast("string").alias("note"), counts.alias("tally"))
