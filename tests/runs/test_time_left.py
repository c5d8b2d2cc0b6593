"""The time left is counted down from what stages took last time."""

from __future__ import annotations

import pytest
from kedro.pipeline import Pipeline

from rankhammer.pipeline_registry import register_pipelines, short_name
from rankhammer.runs.time_left import TimeLeft, in_words, time_left

RECORD = {
    "state": "done",
    "stage_seconds": {"folding": 10.0, "training": 60.0, "export": 5.0},
    "core_hours": 0.1,
    "corpora": {"main": {"n_feature_rows": 100}},
}


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def test_what_a_stage_has_taken_is_off_and_a_finished_one_has_nothing_left():
    clock = Clock()
    left = TimeLeft({"a": 10.0, "b": 20.0}, {"a": ["a1", "a2"], "b": ["b1"]}, clock)
    assert left.seconds() == 30
    left.begin("a1")
    clock.now = 4.0
    assert left.seconds() == 26
    left.finish("a1")
    left.begin("b1")
    clock.now = 9.0
    assert left.seconds() == 6 + 15
    left.finish("b1")
    assert left.seconds() == 6
    left.begin("a2")
    clock.now = 40.0
    assert left.seconds() == 0
    left.finish("a2")
    assert left.seconds() == 0


def test_a_run_is_estimated_by_the_last_one_that_had_its_stages():
    every = register_pipelines()
    failed = {**RECORD, "state": "failed", "stage_seconds": {"folding": 1.0}}
    assert time_left(every["train"], [failed, RECORD], None).seconds() == pytest.approx(75)
    one = Pipeline([node for node in every["training"].nodes if short_name(node) == "tune"])
    assert time_left(one, [RECORD], None).seconds() == pytest.approx(60 / len(every["training"].nodes))
    assert time_left(every["__default__"], [RECORD], None) is None
    assert time_left(every["train"], [], None) is None


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, ""),
        (4.9, ""),
        (5, "about 5 s left"),
        (88, "about 90 s left"),
        (100, "about 2 min left"),
        (600, "about 10 min left"),
    ],
)
def test_times_are_said_as_people_say_them(seconds, text):
    assert in_words(seconds) == text
