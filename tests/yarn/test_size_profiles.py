"""One submission a profile: the first rule that a corpus is small enough for decides."""

from __future__ import annotations

import pytest

from rankhammer.errors import ConfigError, DataError
from rankhammer.yarn.resources import ResourceSettings
from rankhammer.yarn.size_profiles import by_profile

SIZE = {"instances": 2, "cores": 1, "memory_mb": 640, "overhead_mb": 896}
PROFILES = {"small": SIZE, "medium": SIZE, "large": SIZE}
RULES = [{"max_rows": 100, "profile": "small"}, {"max_rows": 1000, "profile": "medium"}]


def settings(**change) -> ResourceSettings:
    return ResourceSettings.model_validate({"profiles": PROFILES, "rules": RULES, **change})


def test_a_corpus_goes_where_the_first_rule_that_it_is_small_enough_for_sends_it():
    rows = {"d": 1000, "c": 101, "b": 100, "a": 1}
    assert by_profile(rows, settings()) == {"small": ["a", "b"], "medium": ["c", "d"]}
    assert by_profile({"a": 1}, settings(rules=[{"profile": "large"}, *RULES])) == {"large": ["a"]}


def test_a_corpus_that_no_rule_is_for_takes_the_profile_of_the_run_and_auto_comes_last():
    assert by_profile({"huge": 1001, "a": 1}, settings(profile="large")) == {"small": ["a"], "large": ["huge"]}
    assert list(by_profile({"huge": 1001, "a": 1}, settings()).items()) == [("small", ["a"]), ("auto", ["huge"])]


def test_the_order_is_that_of_the_profiles_whatever_the_rules_say():
    rules = [{"max_rows": 10, "profile": "large"}, {"profile": "small"}]
    assert list(by_profile({"a": 1, "b": 11}, settings(rules=rules))) == ["small", "large"]


def test_without_rules_or_sizes_there_is_nothing_to_group():
    with pytest.raises(ConfigError, match="rules is empty"):
        by_profile({"a": 1}, settings(rules=[]))
    with pytest.raises(DataError, match="The size of no corpus is known"):
        by_profile({}, settings())
