"""Rules of the check that an engine sends absent values where training did."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from rankhammer.errors import ExportError
from rankhammer.exporters.ir.trees import Forest, with_depths
from rankhammer.exporters.ir.with_missing_rule import refuse_other_directions

if TYPE_CHECKING:
    from rankhammer.exporters.ir.tree_scoring import Absent


def two_splits(*, default_left: bool, lower_default_left: bool) -> Forest:
    """Return one tree that asks for `size` at the root and again in the root's right child, both above zero."""
    return with_depths(
        feature_names=("size",),
        base=0.0,
        objective="rank:ndcg",
        roots=np.array([0]),
        feature=np.array([0, -1, 0, -1, -1]),
        threshold=np.array([2, 0, 3, 0, 0], np.float32),
        left=np.array([1, 1, 3, 3, 4]),
        right=np.array([2, 1, 4, 3, 4]),
        default_left=np.array([default_left, False, lower_default_left, False, False]),
        value=np.array([0, 1, 0, 2, 3], np.float32),
    )


def refuse(forest: Forest, rule: Absent) -> None:
    refuse_other_directions(forest, {"size"}, rule, "tested")


def test_a_node_that_an_absent_value_cannot_come_to_is_not_compared() -> None:
    refuse(two_splits(default_left=True, lower_default_left=False), "zero")


def test_a_node_that_an_absent_value_comes_to_is_compared() -> None:
    with pytest.raises(ExportError, match="node 2"):
        refuse(two_splits(default_left=False, lower_default_left=True), "right")


def test_a_root_that_sends_absent_values_elsewhere_is_named() -> None:
    with pytest.raises(ExportError, match="tree 0, node 0"):
        refuse(two_splits(default_left=False, lower_default_left=True), "zero")
