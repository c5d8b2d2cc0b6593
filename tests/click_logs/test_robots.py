"""Robots: each rule takes what it says, from its threshold on, and nothing of other days."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime
from zlib import crc32

import pytest
from pydantic import ValidationError

from rankhammer import credentials
from rankhammer.click_logs import Bounds, VisitorOptions, checks, validate_log
from rankhammer.click_logs.robots import (
    AT_ADDRESS,
    BURST,
    BY_AGENT,
    EAGER,
    OF_USER,
    REGULAR,
    RULES,
    SESSION,
    RobotRules,
    count_suggested,
    flag_robots,
)
from rankhammer.click_logs.visitors import salt_named
from rankhammer.corpus_limits import PerCorpus
from rankhammer.errors import ConfigError
from rankhammer.schemas import RAW_SERPS

SCHEMA = ", ".join(f"{name} {kind}" for name, kind in RAW_SERPS.columns.items()) + ", user_id string, address string"
DAY_S = 86_400
MIDNIGHT = 19_800 * DAY_S
OFF = dict.fromkeys(
    (
        "user_searches_per_day",
        "address_searches_per_day",
        "burst_searches",
        "regular_searches_per_day",
        "eager_searches_per_day",
    )
)


def page(user, second, *, address=None, clicked=(True, False), session=None):
    at = datetime.fromtimestamp(MIDNIGHT + second, tz=UTC).replace(tzinfo=None)
    docs = [f"d{i}" for i in range(len(clicked))]
    serp_id = f"p{crc32(f'{user} {address} {second}'.encode())}"
    return ("main", serp_id, session, "q", at, docs, list(clicked), None, user, address)


def flagged(spark, rows, **rules):
    """Return (user, day) to the rule that took its pages."""
    data = spark.createDataFrame(rows, SCHEMA)
    found = flag_robots(data, RobotRules(**OFF | rules)).collect()
    assert len(found) == len(rows)
    rules_of = defaultdict(set)
    for row in found:
        day = int(row.shown_at.replace(tzinfo=UTC).timestamp() - MIDNIGHT) // DAY_S
        rules_of[row.user_id, day].add(row.robot and row.robot.rule)
    assert all(len(rules) == 1 for rules in rules_of.values())
    return {key: next(iter(rules)) for key, rules in rules_of.items() if rules != {None}}


def test_a_user_is_a_robot_on_the_days_from_the_threshold_on(spark):
    rows = [page("busy", i * 997) for i in range(5)] + [page("busy", DAY_S + i * 997) for i in range(4)]
    assert flagged(spark, rows, user_searches_per_day=5) == {("busy", 0): OF_USER}


def test_an_address_takes_the_pages_of_all_that_share_it(spark):
    rows = [page(f"u{i}", i, address="1.2.3.4") for i in range(3)] + [page("u0", 9, address="5.6.7.8")]
    data = spark.createDataFrame(rows, SCHEMA)
    found = flag_robots(data, RobotRules(**OFF | {"address_searches_per_day": 3})).collect()
    assert {row.address for row in found if row.robot} == {"1.2.3.4"}
    assert {(row.robot.rule, row.robot.n, row.robot.day.isoformat()) for row in found if row.robot} == {
        (AT_ADDRESS, 3, "2024-03-18")
    }


def test_a_burst_is_many_pages_within_one_stretch_of_the_clock(spark):
    burst = [page("burst", 120 + i) for i in range(6)]
    spread = [page("spread", i * 600) for i in range(6)]
    assert flagged(spark, burst + spread, burst_searches=6, burst_s=60) == {("burst", 0): BURST}


def test_regular_intervals_are_those_of_a_clock(spark):
    clock = [page("clock", i * 300 + i % 2) for i in range(20)]
    person = [page("person", i * i * 40) for i in range(20)]
    few = [page("few", i * 300) for i in range(19)]
    found = flagged(spark, clock + person + few, regular_searches_per_day=20, regular_spread=0.05)
    assert found == {("clock", 0): REGULAR}


def test_who_clicks_on_everything_reads_nothing(spark):
    eager = [page("eager", i * 77, clicked=(True, True)) for i in range(5)]
    person = [page("person", i * 77, clicked=(True, False)) for i in range(5)]
    found = flagged(spark, eager + person, eager_searches_per_day=5, eager_click_share=0.9)
    assert found == {("eager", 0): EAGER}


def test_the_plainest_rule_names_the_robot_and_all_are_counted_with_an_example(spark):
    both = [page("both", i, clicked=(True,), session="s") for i in range(6)]
    eager = [page("eager", i, clicked=(True,)) for i in range(3)]
    heavy = [page(None, i, session="heavy") for i in range(9)]
    person = [page("person", i) for i in range(2)]
    rules = RobotRules(user_searches_per_day=5, eager_searches_per_day=3, address_searches_per_day=None)
    visitors = VisitorOptions(robots=rules, salt="salt")
    data = spark.createDataFrame([*both, *eager, *heavy, *person], SCHEMA)
    counts = validate_log(data, bounds=Bounds(0, 8), visitors=visitors).counts["main"]
    robots = {rule: (found["n_serps"], found["n_robots"]) for rule, found in counts.robots.items()}
    assert robots == {OF_USER: (6, 1), EAGER: (3, 1), SESSION: (9, 1)}
    assert (counts.n_robot_serps, counts.n_serps, counts.n_robot_sessions) == (18, 2, 1)
    example = counts.robots[OF_USER]["example"]
    assert (len(example["id"]), example["n_serps"], example["day"]) == (12, 6, "2024-03-18")


def test_robots_that_say_so_go_whatever_else_they_do(spark):
    agents = {"a": "Mozilla/5.0 (compatible; Examplebot/2.1)", "b": "Mozilla/5.0 Firefox/140.0", "c": None}
    rows = [(*page(user, second), agents[user]) for user in agents for second in range(2)]
    data = spark.createDataFrame(rows, f"{SCHEMA}, user_agent string")
    found = validate_log(data, bounds=Bounds(0, 99), visitors=VisitorOptions(salt="s"))
    robots = found.counts["main"].robots
    assert robots[BY_AGENT]["n_serps"] == robots[BY_AGENT]["example"]["n_serps"] == 2
    assert "Examplebot" not in f"{found.report()}{found.serps.collect()}"
    kept = validate_log(data, bounds=Bounds(0, 99), visitors=VisitorOptions(robots=RobotRules(user_agents=())))
    assert kept.counts["main"].n_serps == 6
    with pytest.raises(ValidationError, match="no regular expression"):
        RobotRules(user_agents=["("])


def test_each_corpus_may_have_thresholds_of_its_own(spark):
    rows = [(corpus, f"{corpus}{row[1]}", *row[2:]) for corpus in ("main", "busy", "off") for row in
            (page("u", second) for second in range(4))]  # fmt: skip
    limit = PerCorpus(4, {"busy": 5, "off": None})
    found = flag_robots(spark.createDataFrame(rows, SCHEMA), RobotRules(**OFF | {"user_searches_per_day": limit}))
    assert {row.corpus for row in found.where("robot IS NOT NULL").collect()} == {"main"}
    data = spark.createDataFrame([(*row[:2], "s", *row[3:8]) for row in rows], SCHEMA.partition(", user_id")[0])
    bounds = Bounds(0, PerCorpus(3, {"busy": 4, "off": None}))
    with pytest.raises(ValueError, match="at least 1"):
        PerCorpus(0)
    assert {row.corpus for row in validate_log(data, bounds=bounds).serps.collect()} == {"busy", "off"}


def test_abandoned_searches_are_dropped_where_that_is_asked_for(spark):
    rows = [page("a", 0), page("a", 9, clicked=(False, False)), page("b", 5, clicked=(False,))]
    data = spark.createDataFrame(rows, SCHEMA)
    assert not VisitorOptions().drops_abandoned
    found = validate_log(data, bounds=Bounds(0, 9), visitors=VisitorOptions(salt="s", drops_abandoned=True))
    assert (found.counts["main"].n_serps, found.counts["main"].n_abandoned, found.serps.count()) == (1, 2, 1)


def test_nothing_that_validation_returns_or_plans_holds_a_user_an_address_or_the_salt(spark):
    rows = [page(f"user{i % 3}@example.org", i * 40, address=f"192.0.2.{i % 4}") for i in range(40)]
    data = spark.createDataFrame(rows, SCHEMA)
    rules = RobotRules(user_searches_per_day=14, address_searches_per_day=None)
    found = validate_log(data, bounds=Bounds(0, 99), visitors=VisitorOptions(robots=rules, salt="secret-salt"))
    said = f"{found.report()} {found.serps.collect()} {found.serps._jdf.queryExecution().toString()}"
    assert "2024-03-18" in said
    assert "example.org" not in said
    assert "192.0.2" not in said
    assert "secret-salt" not in said


def test_what_a_rule_that_is_off_would_take_is_counted_and_what_one_that_is_on_takes_is_not(spark):
    burst = [page("x", i, session="burst", clicked=(False,)) for i in range(30)]
    eager = [page("x", i * i * 61, session="eager", clicked=(True,)) for i in range(20)]
    data = spark.createDataFrame([*burst, *eager], SCHEMA).drop("user_id", "address")
    found = {row.rule: (row.n_serps, row.n_robots) for row in count_suggested(data, RobotRules()).collect()}
    assert found == {BURST: (30, 1), EAGER: (20, 1)}
    on = RobotRules(burst_searches=31)
    assert [row.rule for row in count_suggested(data, on).collect()] == [EAGER]


def test_every_rule_names_the_parameter_that_holds_its_threshold():
    named = {parameter.removeprefix("robots.") for parameter in RULES.values()}
    assert named == {*OFF, "max_serps_per_day", "user_agents"}


def test_a_salt_is_that_of_credentials_or_another_one_each_time():
    entries = {"visitors": {"api_key": "k" * 32}, "empty": {"username": "somebody"}}
    credentials.configure(lambda: entries)
    try:
        assert salt_named("visitors") == "k" * 32
        assert len({salt_named(None), salt_named(None)}) == 2
        with pytest.raises(ConfigError, match="hold no secret"):
            salt_named("empty")
        with pytest.raises(ConfigError, match="no credentials 'visitor'"):
            salt_named("visitor")
    finally:
        credentials.configure(dict)


def test_rules_that_need_more_searches_than_there_are_are_not_looked_at_and_one_that_may_be_broken_is():
    rules = RobotRules(
        user_searches_per_day=9, address_searches_per_day=10, burst_searches=11, eager_searches_per_day=2
    )
    assert rules.within(None) == rules
    assert rules.within(10) == rules.model_copy(update={"burst_searches": None})
    assert rules.within(1).model_dump(include=set(OFF)) == OFF


def test_few_pages_have_the_robots_and_sessions_of_many(spark, monkeypatch):
    crowd = [page("a", 60 * i, address="x") for i in range(5)] + [page("b", 4000 * i, address="y") for i in range(4)]
    rules = RobotRules(user_searches_per_day=5, address_searches_per_day=6)
    options = VisitorOptions(robots=rules, salt="s")
    data = spark.createDataFrame(crowd, SCHEMA).repartition(3)
    found = []
    for few in (9, 8):
        monkeypatch.setattr(checks, "FEW_PAGES", few)
        made = validate_log(data, bounds=Bounds(1, 4), visitors=options)
        rows = sorted((row.serp_id, row.session_id) for row in made.serps.collect())
        found.append((made.report(), rows, made.serps.rdd.getNumPartitions()))
    assert found[0][:2] == found[1][:2]
    assert set(found[0][0]["main"]["robots"]) == {OF_USER}
    # Pages on one partition, and one more of the counts of sessions, which are no pages.
    assert found[0][2] <= 2 < found[1][2]
