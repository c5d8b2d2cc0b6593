"""Sessions from visitors and gaps, against a plain walk over each visitor's searches."""

from __future__ import annotations

import random
from collections import defaultdict
from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from rankhammer.click_logs import Bounds, VisitorOptions, validate_log
from rankhammer.click_logs.sessions import (
    LATE,
    MADE,
    MADE_PAGES,
    OTHER_DAYS,
    SPLIT,
    DayRange,
    SessionRules,
    add_sessions,
    session_starts,
    stretch_columns,
)
from rankhammer.click_logs.visitors import hash_visitors
from rankhammer.errors import SchemaError
from rankhammer.schemas import RAW_SERPS

SCHEMA = ", ".join(f"{name} {kind}" for name, kind in RAW_SERPS.columns.items())
WITH_USER = f"{SCHEMA}, user_id string"
RULES = SessionRules(gap_s=1800, max_length_s=14_400)
DAY_S = 86_400
START = 19_800 * DAY_S
"""A midnight in UTC."""


def at(second):
    return datetime.fromtimestamp(START + second, tz=UTC).replace(tzinfo=None)


def search(serp_id, second, user="u", *, session=None, corpus="main", more=()):
    return (corpus, serp_id, session, "q", None if second is None else at(second), ["d"], [True], None, user, *more)


def sessions(spark, rows, *, rules=RULES, schema=WITH_USER, salt="salt", n_partitions=2):
    """Return serp_id to session_id."""
    data = spark.createDataFrame(rows, schema).coalesce(2).repartition(n_partitions)
    made = add_sessions(hash_visitors(data, salt), rules).pages
    return {row.serp_id: row.session_id for row in made.select("serp_id", "session_id").collect()}


def validated(spark, rows, *, schema=WITH_USER):
    visitors = VisitorOptions(sessions=RULES, salt="salt")
    found = validate_log(spark.createDataFrame(rows, schema), bounds=Bounds(0.5, 10_000), visitors=visitors)
    return found.counts["main"], {row.serp_id: row.session_id for row in found.serps.collect()}


def together(found):
    """Return the groups of pages that share a session."""
    groups = defaultdict(set)
    for serp_id, session in found.items():
        groups[session].add(serp_id)
    return {frozenset(group) for group in groups.values()}


def walked(rows, rules):
    """Make the groups one search after the other, as a person would."""
    by_visitor, groups = defaultdict(list), defaultdict(set)
    for row in rows:
        by_visitor[row[0], row[8]].append((row[4], row[1]))
    for visitor, searches in by_visitor.items():
        before = chain = start = None
        for time, serp_id in sorted(searches):
            second = time.replace(tzinfo=UTC).timestamp()
            half = rules.max_length_s / 2
            if before is None or second - before >= rules.gap_s:
                chain = start = second
            elif second // half > before // half and chain <= (second // half - 1) * half:
                start = second
            groups[visitor, start].add(serp_id)
            before = second
    return {frozenset(group) for group in groups.values()}


def drawn(seed, n=400, *, days=4):
    """Draw searches of few visitors: bursts, pauses around the gap, one who never stops, one who returns rarely."""
    rng = random.Random(seed)
    rows, second = [], defaultdict(lambda: rng.randrange(DAY_S))
    for number in range(n):
        user = rng.choice(["a", "b", "c", "restless"])
        pause = rng.choice([1, 60, 900, 1799, 1800, 1801, 7000]) if user != "restless" else rng.randrange(1, 1800)
        second[user] = (second[user] + pause) % (days * DAY_S)
        rows.append(search(f"p{number}", second[user], user, corpus=rng.choice(["main", "main", "two"])))
    return rows


def test_a_gap_ends_a_session_and_anything_shorter_does_not(spark):
    found = sessions(spark, [search("a", 0), search("b", 1799), search("c", 1799 + 1800), search("other", 0, "v")])
    assert together(found) == {frozenset("ab"), frozenset("c"), frozenset({"other"})}


@pytest.mark.parametrize("seed", [1, 2])
def test_sessions_are_those_of_a_plain_walk_whatever_order_and_partitions(spark, seed):
    rows = drawn(seed)
    expected = sessions(spark, rows)
    assert together(expected) == walked(rows, RULES)
    random.Random(4).shuffle(rows)
    assert sessions(spark, rows, n_partitions=7) == expected


def test_days_one_by_one_make_the_sessions_of_all_days_at_once(spark):
    """Each day sees the pages that had come by then, as far back as sessions go, and rewrites the days that changed."""
    rng, rows = random.Random(5), drawn(6)
    received = {row[1]: (row[4] - at(0)).days + rng.choice([0, 0, 0, 1]) for row in rows}
    whole, written = sessions(spark, rows), {}
    n_days = -(-RULES.lookback_s // DAY_S)
    for today in range(max(received.values()) + 1):
        first = today - RULES.max_late_days
        seen = [row for row in rows if received[row[1]] <= today and (row[4] - at(0)).days >= first - n_days]
        rewritten = {row[1] for row in seen if (row[4] - at(0)).days >= first}
        written |= {name: session for name, session in sessions(spark, seen).items() if name in rewritten}
    assert written == whole


def test_a_range_of_days_keeps_their_pages_alone_with_the_sessions_of_all(spark):
    rows = [search("before", -600), search("first", 600), search("other", 3 * DAY_S), search("timeless", None)]
    days = DayRange(first="2024-03-18", last="2024-03-19")
    whole = sessions(spark, rows)
    visitors = VisitorOptions(sessions=RULES, salt="salt", days=days)
    found = validate_log(spark.createDataFrame(rows, WITH_USER), bounds=Bounds(0, 99), visitors=visitors)
    assert {row.serp_id: row.session_id for row in found.serps.collect()} == {"first": whole["before"]}
    counts = found.counts["main"]
    assert (counts.n_read, counts.n_serps, counts.sessions[OTHER_DAYS]) == (1, 1, 3)
    with pytest.raises(ValidationError, match="no later than last"):
        DayRange(first="2024-03-18", last="2024-03-17")


def test_no_session_is_as_long_as_its_bound_and_none_shorter_than_half_of_it_is_cut(spark):
    rows = [search(f"p{i}", i * 1700, "restless") for i in range(200)] + [search("x", 0, "v"), search("y", 1700, "v")]
    counts, found = validated(spark, rows)
    times = {row[1]: row[4] for row in rows}
    spans = [(min(map(times.get, group)), max(map(times.get, group))) for group in together(found)]
    assert all((last - first).total_seconds() < RULES.max_length_s for first, last in spans)
    n_cut = counts.sessions[SPLIT]
    assert n_cut >= 200 * 1700 / RULES.max_length_s
    assert (counts.sessions[MADE], counts.sessions[MADE_PAGES]) == (len(spans), 202)
    assert n_cut == len(spans) - 2


def test_who_returns_every_few_months_begins_a_session_each_time(spark):
    found = sessions(spark, [search(f"p{i}", i * 90 * DAY_S) for i in range(5)])
    assert len(together(found)) == 5


def test_only_pages_without_a_session_get_one_unless_all_are_asked_for(spark):
    rows = [search("a", 0, session="own"), search("b", 10), search("c", 20)]
    found = sessions(spark, rows)
    assert found["a"] == "own"
    assert found["b"] == found["c"] != "own"
    always = sessions(spark, rows, rules=SessionRules(make="always"))
    assert len(set(always.values())) == 1
    never = sessions(spark, rows, rules=SessionRules(make="never"))
    assert never == {"a": "own", "b": None, "c": None}


def test_who_has_no_name_has_no_session_and_who_has_no_time_has_one(spark):
    found = sessions(spark, [search("a", 0, None), search("b", None), search("c", None), search("d", 0)])
    assert found["a"] is None
    assert together({name: found[name] for name in "bcd"}) == {frozenset("bc"), frozenset("d")}


def test_an_address_stands_in_for_a_user_and_one_user_at_two_addresses_is_one(spark):
    rows = [search("a", 0, None, more=("1.2.3.4",)), search("b", 9, None, more=("1.2.3.4",))]
    rows += [search("c", 0, "u", more=("1.2.3.4",)), search("d", 9, "u", more=("5.6.7.8",))]
    found = sessions(spark, rows, schema=f"{WITH_USER}, address string")
    assert together(found) == {frozenset("ab"), frozenset("cd")}


def test_an_id_is_the_same_for_the_same_salt_alone_and_shows_no_user(spark):
    rows = [search("a", 0, "somebody@example.org")]
    one, again, other = (sessions(spark, rows, salt=salt)["a"] for salt in ("x", "x", "y"))
    assert one == again != other
    assert len(one) == 32
    assert "somebody" not in one


def test_late_pages_are_counted_and_those_that_are_too_late_set_aside(spark):
    schema = f"{WITH_USER}, received_at timestamp"
    rows = [search(f"p{i}", 100 * i, more=(at(i * DAY_S),)) for i in range(3)]
    counts, _ = validated(spark, rows, schema=schema)
    assert (counts.set_aside, counts.sessions[LATE], counts.n_serps) == ({"too_late": 1}, 2, 2)


def test_a_visitor_with_most_of_the_log_is_counted_down_before_any_window(spark):
    """What a window sorts are a visitor's half hours: no more than the log has, whatever one visitor asks for."""
    rows = [search(f"p{i}", i, "busy") for i in range(3000)]
    data = hash_visitors(spark.createDataFrame(rows, WITH_USER), "s")
    starts = session_starts(data.withColumns({"visitor": data["user_id"], **stretch_columns(RULES)}), RULES)
    assert sorted(row.n_serps for row in starts.collect()) == [1200, 1800]


def test_a_user_that_is_no_text_is_refused(spark):
    data = spark.createDataFrame([search("a", 0, 7)], f"{SCHEMA}, user_id int")
    with pytest.raises(SchemaError, match="'user_id' has type int"):
        validate_log(data, bounds=Bounds(0, 9))


def test_a_longest_session_below_two_gaps_is_refused():
    with pytest.raises(ValidationError, match="at least twice gap_s"):
        SessionRules(gap_s=1800, max_length_s=3599)
