"""Rules of scoring vectors on trees."""

from __future__ import annotations

import numpy as np
import pytest

from rankhammer.exporters.ir.tree_scoring import Absent, leaf_places, sum_leaves
from rankhammer.exporters.ir.trees import Forest, with_depths

NAN = np.float32(np.nan)


def one_split(threshold: float, *, default_left: bool) -> Forest:
    """Return one tree: value < threshold scores -1, else 1."""
    return with_depths(
        feature_names=("size",),
        base=0.0,
        objective="rank:ndcg",
        roots=np.array([0]),
        feature=np.array([0, -1, -1]),
        threshold=np.array([threshold, 0, 0], np.float32),
        left=np.array([1, 1, 2]),
        right=np.array([2, 1, 2]),
        default_left=np.array([default_left, False, False]),
        value=np.array([0, -1, 1], np.float32),
    )


def score(forest: Forest, value: float, absent: Absent = "default") -> float:
    return float(sum_leaves(forest, leaf_places(forest, np.array([[value]], np.float32), absent))[0])


def test_a_tie_with_the_threshold_goes_right() -> None:
    tree = one_split(0.1, default_left=True)

    assert score(tree, 0.1) == 1
    assert score(tree, np.nextafter(np.float32(0.1), np.float32(0))) == -1


@pytest.mark.parametrize(
    ("absent", "threshold", "default_left", "expected"),
    [
        ("default", 2.0, True, -1),
        ("default", 2.0, False, 1),
        ("right", 2.0, True, 1),
        ("zero", 2.0, False, -1),
        ("zero", 0.0, True, 1),
        ("zero", -2.0, True, 1),
    ],
)
def test_an_absent_value_follows_the_engines_rule(
    absent: Absent, threshold: float, default_left: bool, expected: float
) -> None:
    assert score(one_split(threshold, default_left=default_left), NAN, absent) == expected


def test_many_rows_are_walked_in_blocks_with_the_same_result(monkeypatch: pytest.MonkeyPatch) -> None:
    tree, rows = one_split(0.5, default_left=True), np.array([[0.2], [0.5], [0.9], [0.1], [0.4]], np.float32)
    at_once = leaf_places(tree, rows)
    monkeypatch.setattr("rankhammer.exporters.ir.tree_scoring._CELLS", 2)

    np.testing.assert_array_equal(leaf_places(tree, rows), at_once)


def test_no_rows_have_no_scores() -> None:
    tree = one_split(0.5, default_left=True)

    assert sum_leaves(tree, leaf_places(tree, np.zeros((0, 1), np.float32))).shape == (0,)
