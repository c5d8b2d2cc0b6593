"""Rules of leaving out features that no tree needs."""

from __future__ import annotations

import pytest

from rankhammer.feature_sets import FeatureSet
from rankhammer.feature_sets.needed_features import needed_features

SET = FeatureSet.model_validate(
    {
        "name": "chain",
        "features": [
            {"type": "match", "name": "title", "field": "title"},
            {"type": "match", "name": "body", "field": "body"},
            {"type": "expression", "name": "twice", "expression": "2 * body"},
            {"type": "expression", "name": "sum", "expression": "sqrt(twice) + min(body, 1)"},
            {"type": "match", "name": "last", "field": "title"},
        ],
    }
)


@pytest.mark.parametrize(
    ("used", "needed"),
    [
        ({"last"}, ("last",)),
        ({"sum"}, ("body", "twice", "sum")),
        ({"twice", "title"}, ("title", "body", "twice")),
        (set(), ("title",)),
    ],
)
def test_operands_come_with_their_expression_in_the_sets_order(used: set[str], needed: tuple[str, ...]) -> None:
    assert needed_features(SET, used).names == needed
