from __future__ import annotations

import numpy as np
import pytest

from rankhammer.click_models.counts import sequences
from rankhammer.click_models.counts.sequences import distinct, factorize, take_ragged

VALUES = np.array([1, 2, 2, 1, 1, 2, 1, 2])
LENGTH = np.array([2, 2, 0, 2, 1, 1, 0])
GROUP = np.array([0, 0, 0, 0, 0, 1, 1])


def kinds() -> list[int]:
    return distinct(VALUES, LENGTH, GROUP).inverse.tolist()


def test_equal_sequences_of_one_group_are_one_kind():
    first, second, empty, again, one, other_group, other_empty = kinds()
    assert first == again
    assert len({first, second, empty, one, other_group, other_empty}) == 6


def test_a_hash_collision_never_merges_two_sequences(monkeypatch):
    monkeypatch.setattr(sequences, "_hash", lambda values, length, place, start: np.zeros(len(length), np.uint64))
    first, second, empty, again, one, *_ = kinds()
    assert first == again
    assert len({first, second, empty, one}) == 4


def test_the_first_of_a_kind_belongs_to_it():
    found = distinct(VALUES, LENGTH, GROUP)
    assert found.inverse[found.first].tolist() == list(range(len(found.first)))


def test_a_kinds_hash_depends_on_its_content_alone():
    alone = distinct(np.array([1, 2]), np.array([2]), np.array([7]))
    among_others = distinct(VALUES, LENGTH, GROUP)
    assert alone.hash[0] == among_others.hash[0]


def test_no_sequences_have_no_kinds():
    nothing = np.zeros(0, np.int64)
    assert len(distinct(nothing, nothing, nothing).first) == 0


def test_codes_follow_first_appearance():
    codes, keys = factorize(np.array([30, 10, 30]))
    assert (codes.tolist(), keys.tolist()) == ([0, 1, 0], [30, 10])


@pytest.mark.parametrize(("order", "expected"), [([1, 0], [3, 1, 2]), ([2, 1], [3]), ([], [])])
def test_whole_sequences_are_taken_in_order(order, expected):
    taken = take_ragged(np.array([1, 2, 3]), np.array([2, 1, 0]), np.array(order, dtype=np.int64))
    assert taken.tolist() == expected
