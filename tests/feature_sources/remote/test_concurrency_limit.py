from __future__ import annotations

import threading
import time

from rankhammer.feature_sources.remote.concurrency_limit import RESTS, STEADY, Pace


def steady(pace, n=STEADY, each_s=0.00001):
    for _ in range(n):
        pace.answered(each_s * 100, 100)


def test_polite_begins_with_one_and_grows_while_answers_are_steady():
    pace = Pace(3, greedy=False)
    assert pace.limit == 1
    steady(pace)
    assert pace.limit == 2
    steady(pace, 10 * STEADY)
    assert pace.limit == 3


def test_polite_halves_when_answers_slow_down():
    pace = Pace(8, greedy=False)
    steady(pace, 10 * STEADY)
    pace.answered(0.003, 100)
    assert pace.limit == 4


def test_longer_lists_may_take_longer():
    pace = Pace(4, greedy=False)
    steady(pace, 4 * STEADY)
    pace.answered(0.01, 1000)
    assert pace.limit == 4


def test_greedy_begins_with_all_and_gives_way_to_refusals_alone():
    pace = Pace(4, greedy=True)
    pace.answered(0.1, 100)
    pace.answered(10.0, 100)
    assert pace.limit == 4
    pace.refused()
    assert pace.limit == 2


def test_polite_leaves_the_engine_to_others_for_as_long_as_it_worked_and_longer():
    pace, began = Pace(1, greedy=False), time.monotonic()
    with pace:
        pace.answered(0.2, 100)
    assert time.monotonic() - began >= RESTS * 0.2


def test_no_more_ask_at_once_than_the_limit():
    pace, at_once, most = Pace(2, greedy=True), [], []

    def ask():
        with pace:
            at_once.append(1)
            most.append(len(at_once))
            threading.Event().wait(0.01)
            at_once.pop()

    threads = [threading.Thread(target=ask) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(most) == 2
