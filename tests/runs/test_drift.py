"""What is much unlike the run before is said, and what is not much unlike is not."""

from __future__ import annotations

import pytest

from rankhammer.runs.drift import MOST_LINES, describe
from rankhammer.runs.held_out import describe_holdout

METRIC = "ndcg@10"


def figures(n_serps=1000, n_clicks=300, n_graded=500, mean=0.5, **change) -> dict:
    ranker = {"mean": mean, "lower": mean - 0.05, "upper": mean + 0.05}
    return {
        "ingestion": {"shop": {"n_serps": n_serps, "n_impressions": 10 * n_serps, "n_clicks": n_clicks}},
        "labeling": {"shop": {"n_judgments": 1000, "n_graded": n_graded}},
        "features": {"shop": {"n_rows": 1000}},
        "training": {"shop": {METRIC: {"ranker": ranker}}},
    } | change


def record(number: int, **change) -> dict:
    return {"number": number, "figures": figures(**change)}


def test_a_run_like_the_one_before_has_no_drift():
    assert describe(figures(n_serps=1400, n_clicks=500, mean=0.54), [record(3)], METRIC) == []


def test_a_first_run_has_none():
    assert describe(figures(), [], METRIC) == []
    assert describe(figures(), [{"number": 1, "figures": {"training": {"other": {}}}}, {"number": 0}], METRIC) == []


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"n_serps": 400, "n_clicks": 120}, "1,000 -> 400 result pages (-60%)"),
        ({"n_serps": 0, "n_clicks": 0}, "1,000 -> 0 result pages (-100%)"),
        ({"n_clicks": 2000}, "3.0% -> 20.0% clicked of all shown documents"),
        ({"n_graded": 100}, "50.0% -> 10.0% graded of all judgments"),
        ({"mean": 0.4}, "ndcg@10 of the ranker 0.500 -> 0.400, outside of each other's interval"),
        ({"features": {"shop": {"n_rows": 3000}}}, "1,000 -> 3,000 feature rows (+200%)"),
    ],
)
def test_a_large_change_is_said_with_both_values_and_the_run(change, expected):
    assert describe(figures(**change), [record(3)], METRIC) == [f"Corpus 'shop': {expected}, since run #3."]


CLUSTERS = "clusters, share 0.2, seed 42"
PARAMETERS = {"folding": {"test_share": 0.2, "test_pattern": None}, "holdout": "clusters", "random_state": 42}


def measured(mean: float, **change) -> dict:
    training = figures(mean=mean)["training"]["shop"] | {"truth": "clicks", "holdout": CLUSTERS} | change
    return {"training": {"shop": training}}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"holdout": "time, share 0.2"}, f"the hold-out differs ({CLUSTERS} -> time, share 0.2)"),
        (
            {"holdout": "clusters, share 0.3, seed 42"},
            f"the hold-out differs ({CLUSTERS} -> clusters, share 0.3, seed 42)",
        ),
        ({"truth": "reference"}, "the truth differs (clicks -> reference)"),
    ],
)
@pytest.mark.parametrize("mean", [0.5, 0.2])
def test_what_was_measured_in_another_way_is_no_drift_and_said_to_be_so(change, why, mean):
    before = {"number": 3, "figures": measured(0.5)}
    found = describe(measured(mean, **change), [before], METRIC)
    assert found == [f"Corpus 'shop': ndcg@10 of the ranker is not comparable with that of run #3: {why}."]


@pytest.mark.parametrize(
    ("before", "now", "n_lines"),
    [
        (CLUSTERS, "time, share 0.2", 0),
        ("time, share 0.2", "time, share 0.3", 0),
        ("time, share 0.2", "time, share 0.2", 1),
        (CLUSTERS, "clusters, share 0.3, seed 1", 1),
        (None, None, 1),
    ],
)
def test_judgments_of_other_days_are_not_compared(before, now, n_lines):
    labels = [{"shop": {"n_judgments": 1000, "n_graded": n, "holdout": of}} for n, of in ((900, before), (700, now))]
    old = {"number": 3, "figures": {"labeling": labels[0]}}
    assert len(describe({"labeling": labels[1]}, [old], METRIC)) == n_lines


def test_a_record_of_an_earlier_version_says_by_its_parameters_what_was_held_out():
    old = measured(0.5)
    del old["training"]["shop"]["holdout"]
    before = {"number": 3, "figures": old, "parameters": PARAMETERS | {"random_state": 7}}
    (line,) = describe(measured(0.2), [before], METRIC)
    assert f"the hold-out differs (clusters, share 0.2, seed 7 -> {CLUSTERS})" in line
    (line,) = describe(measured(0.2), [before | {"parameters": PARAMETERS}], METRIC)
    assert "outside of each other's interval" in line
    # Nothing says what was held out: the figures are compared, as they were.
    (line,) = describe(measured(0.2), [before | {"parameters": {}}], METRIC)
    assert "outside of each other's interval" in line


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, CLUSTERS),
        ({"holdout": {"time": 0.3}}, "time, share 0.3"),
        ({"folding": {"test_share": 0.2, "test_pattern": "^test "}}, "pattern '^test '"),
        ({"holdout": 3}, None),
        ({"folding": None}, None),
    ],
)
def test_two_runs_with_one_rule_have_one_text_for_what_they_hold_out(change, expected):
    assert describe_holdout(PARAMETERS | change) == expected


def test_each_figure_is_compared_with_the_newest_run_that_has_it():
    trained = {"number": 4, "figures": {"training": figures(mean=0.3)["training"]}}
    found = describe(figures(n_serps=5000, n_clicks=1500), [trained, record(3)], METRIC)
    assert [line.rpartition("#")[2] for line in found] == ["3.", "4."]


def test_no_more_records_are_read_than_it_takes():
    def records():
        yield record(3)
        raise AssertionError("read on")

    assert describe(figures(), records(), METRIC) == []


def test_very_many_lines_are_counted():
    many = {"ingestion": {f"c{n}": {"n_serps": 1} for n in range(50)}}
    before = {"number": 1, "figures": {"ingestion": {f"c{n}": {"n_serps": 9} for n in range(50)}}}
    found = describe(many, [before], METRIC)
    assert (len(found), found[-1]) == (MOST_LINES + 1, "... and 30 more: `rankhammer runs diff`.")
