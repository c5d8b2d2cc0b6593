"""What a person should know about a log before it is learned from, each with what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Literal

from rankhammer.click_logs.counts import LOST_CLICKS
from rankhammer.click_logs.fault_hints import cure_for
from rankhammer.click_logs.faults import FIRST_PLACE_KEPT, REASONS
from rankhammer.click_logs.robots import RULES, SUGGESTED

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import date
    from typing import Any

    from rankhammer.click_logs.counts import CorpusCounts, PositionRate
    from rankhammer.click_logs.log_profile import CorpusProfile

Level = Literal["error", "warning", "note"]
MAX_UNKNOWN_SHARE = 0.05
"""Impressions of unknown documents from which on ids are likely written in two ways."""
_MOST, _FEW = 0.5, 0.01
_TOP_QUERY = 0.1
_ODD_DAY = 5
_LEAST_DAYS, _LEAST_PAGES, _LEAST_IMPRESSIONS = 7, 100, 200
_LISTED = 5
USED_RECORDS = ("queries", "clicks", "impressions")
"""Status of the records that make result pages."""


@dataclass(frozen=True)
class LogFinding:
    """One thing that was found.

    Args:
        level: error (a run would end, or give the corpus up), warning (likely wrong), or note.
        corpus: Of which one; empty for the whole input.
        topic: What it is about, in two or three words.
        message: With the numbers.
        hint: What to do; empty where there is nothing to do.
    """

    level: Level
    corpus: str
    topic: str
    message: str
    hint: str = ""


def find_in_counts(
    corpus: str, counts: CorpusCounts, options: Mapping[str, Any], examples: Mapping[str, str] | None = None
) -> Iterator[LogFinding]:
    """Yield what the counts of one corpus tell.

    Args:
        corpus: Its name.
        counts: Of the pages that were read.
        options: The reader's options with their values; hints name no others.
        examples: Reason to a faulty page, of `quarantine.faulty_examples`.
    """
    for reason, n in _largest(counts.set_aside):
        what = REASONS.get(reason, "see the reader")
        example = (examples or {}).get(reason)
        such = f" One is {example}." if example else ""
        message = f"{_share(n, counts.n_read)} result pages would be set aside as {reason}: {what}.{such}"
        yield LogFinding("warning", corpus, "faulty pages", message, cure_for(reason, options))
    if counts.n_serps and not counts.n_clicks:
        message = f"None of the {counts.n_serps} result pages that would be kept was clicked."
        hint = "A ranker learns from clicks alone: see which column or action they are read from."
        yield LogFinding("warning", corpus, "clicks", message, hint)
    for what, n in _largest({name: counts.clicks.get(name, 0) for name in LOST_CLICKS}):
        message = f"{_share(n, sum(counts.clicks.values()))} clicks are {what}: they count for nothing."
        hint = "Look whether ids are written alike in result lists and clicks."
        yield LogFinding("warning", corpus, "clicks without impression", message, hint)
    for rule, found in sorted(counts.robots.items()):
        example = found["example"]
        day = f" on {example['day']}" if example["day"] else ""
        message = (
            f"{_share(found['n_serps'], counts.n_read)} result pages are of {found['n_robots']} robots by the rule of "
            f"{rule}; one of them is {example['id']} (hashed), with {example['n_serps']} pages{day}."
        )
        yield LogFinding("note", corpus, "robots", message, f"The threshold is ingestion.{RULES[rule]}.")
    for name, n in _largest(counts.duplicates):
        yield LogFinding("note", corpus, "duplicates", f"{n} exact copies of {name} would be dropped.")
    for remark, n in _largest(counts.notes):
        topic = "repeated documents" if remark == FIRST_PLACE_KEPT else "reader"
        yield LogFinding("note", corpus, topic, f"{_share(n, counts.n_serps)} result pages: {remark}.")
    unused = {name: n for name, n in counts.records.items() if name not in USED_RECORDS}
    if unused:
        listed = _few([f"{n} {name}" for name, n in _largest(unused)])
        message = f"{_share(sum(unused.values()), sum(counts.records.values()))} records count for nothing: {listed}."
        hint = "Actions that are clicks or impressions are named in click_log.options."
        yield LogFinding("note", corpus, "records", message, hint)


def find_in_profile(corpus: str, profile: CorpusProfile) -> Iterator[LogFinding]:
    """Yield what the kept pages of one corpus tell.

    Args:
        corpus: Its name.
        profile: Of the pages that a run would keep.
    """
    yield from _in_times(corpus, profile)
    yield from _in_texts(corpus, profile)
    yield from _in_documents(corpus, profile)
    if profile.n_without_session > _MOST * profile.n_serps:
        message = f"{_share(profile.n_without_session, profile.n_serps)} result pages belong to no session."
        hint = "Where the log knows them, map session_id, or user_id and the time, so that robots are found."
        yield LogFinding("warning", corpus, "sessions", message, hint)
    for rule, (n_serps, n_robots) in sorted(profile.suggested_robots.items()):
        parameter = RULES[rule]
        least = SUGGESTED[parameter.rpartition(".")[2]]
        message = (
            f"{_share(n_serps, profile.n_serps)} result pages would be of {n_robots} robots by the rule of {rule}."
        )
        yield LogFinding(
            "note", corpus, "robots", message, f"It is off: ingestion.{parameter}: {least} switches it on."
        )
    if profile.n_top_query > _TOP_QUERY * profile.n_serps and profile.n_queries > 1:
        message = (
            f"{_share(profile.n_top_query, profile.n_serps)} result pages are of one query, {profile.top_query!r}."
        )
        yield LogFinding("note", corpus, "frequent query", message, "A robot, a default search, or a test?")
    if _is_flat(profile.positions):
        message = "Click-through does not fall from the top of the page down."
        hint = "Positions may be wrong, clicks joined to other pages, or the log not one of people."
        yield LogFinding("warning", corpus, "positions", message, hint)


def _in_times(corpus: str, profile: CorpusProfile) -> Iterator[LogFinding]:
    if profile.n_without_time:
        message = f"{_share(profile.n_without_time, profile.n_serps)} result pages have no time."
        yield LogFinding("note", corpus, "times", message, "Without times robots and sessions cannot be found.")
    if profile.n_at_midnight > _MOST * profile.n_serps:
        message = f"{_share(profile.n_at_midnight, profile.n_serps)} times are midnight: days, not moments."
        hint = "Sessions and intervals need moments; map a column that has them."
        yield LogFinding("warning", corpus, "times", message, hint)
    if profile.n_future:
        message = f"{_share(profile.n_future, profile.n_serps)} result pages were shown in the future."
        hint = "A clock is wrong, or click_log.options.time_zone."
        yield LogFinding("warning", corpus, "clock", message, hint)
    missing = profile.missing_days()
    if missing:
        listed = _few([day.isoformat() for day in missing])
        message = f"{len(missing)} days between the first and the last have no result page: {listed}."
        yield LogFinding("warning", corpus, "clock", message, "Were files left out, or is a clock wrong?")
    odd = _odd_days(profile)
    if odd:
        usual = median(profile.days.values())
        listed = _few([f"{day.isoformat()} has {profile.days[day]} result pages" for day in odd])
        message = f"{listed}; a day has {usual:.0f} as a rule."
        yield LogFinding("warning", corpus, "clock", message, "Was a day written twice or cut off, or is it a robot's?")


def _odd_days(profile: CorpusProfile) -> list[date]:
    """Return days with many times, or a small part of, what the median day has; the first and the last may be parts."""
    if len(profile.days) < _LEAST_DAYS:
        return []
    usual = median(profile.days.values())
    inner = {day: profile.days[day] for day in sorted(profile.days)[1:-1]}
    counting = {day: n for day, n in inner.items() if max(n, usual) >= _LEAST_PAGES}
    return [day for day, n in counting.items() if n > _ODD_DAY * usual or n * _ODD_DAY < usual]


def _few(names: Sequence[str]) -> str:
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more


def _in_texts(corpus: str, profile: CorpusProfile) -> Iterator[LogFinding]:
    hint = "Set click_log.load_args.encoding to that of the files, or write them again in UTF-8."
    if profile.n_misread > _FEW * profile.n_serps:
        message = (
            f"{_share(profile.n_misread, profile.n_serps)} queries look like UTF-8 that was read as something else."
        )
        yield LogFinding("warning", corpus, "encoding", message, hint)
    if profile.n_lost_signs:
        message = f"{_share(profile.n_lost_signs, profile.n_serps)} queries have signs that could not be read."
        yield LogFinding("warning", corpus, "encoding", message, hint)


def _in_documents(corpus: str, profile: CorpusProfile) -> Iterator[LogFinding]:
    found = profile.unknown
    if found is None or not found.n_unknown:
        return
    message = (
        f"{found.n_unknown} of {found.n_documents} documents that were shown are not among the documents "
        f"({found.share:.1%} of impressions), such as {', '.join(map(repr, found.examples))}."
    )
    level: Level = "error" if found.n_unknown == found.n_documents else "note"
    if level == "note" and found.share > MAX_UNKNOWN_SHARE:
        level = "warning"
    hint = "Write ids alike in both, and name the same corpora; documents that are gone are left out of training."
    yield LogFinding(level, corpus, "unknown documents", message, hint)


def _is_flat(positions: Sequence[PositionRate]) -> bool:
    """Say whether the top is clicked no more often than the places from 4 to 6."""
    top = [rate for rate in positions if rate.position == 1]
    below = [rate for rate in positions if 4 <= rate.position <= 6]
    n_below = sum(rate.n_impressions for rate in below)
    if not any(rate.n_clicks for rate in positions):
        return False
    if not top or top[0].n_impressions < _LEAST_IMPRESSIONS or n_below < _LEAST_IMPRESSIONS:
        return False
    return top[0].click_through <= sum(rate.n_clicks for rate in below) / n_below


def _largest(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(((name, n) for name, n in counts.items() if n), key=lambda item: (-item[1], item[0]))


def _share(n: int, n_all: int) -> str:
    return f"{n} of {n_all} ({n / max(1, n_all):.1%})"
