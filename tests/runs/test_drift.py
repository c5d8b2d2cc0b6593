"""What is much unlike the run before is said, and what is not much unlike is not."""

from __future__ import annotations

import pytest

from rankhammer.runs.drift import MOST_LINES, describe

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
