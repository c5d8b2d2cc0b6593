from __future__ import annotations

import pytest
from pydantic import ValidationError

from rankhammer.feature_sets import FeatureSet


def make(*features: dict) -> FeatureSet:
    return FeatureSet.model_validate({"name": "shop", "features": list(features)})


TITLE = {"name": "title_bm25", "type": "match", "field": "title"}


def test_names_keep_the_order_of_the_declaration() -> None:
    assert make({"name": "n", "type": "query_length"}, TITLE).names == ("n", "title_bm25")


def test_same_content_has_the_same_version_and_absent_is_content() -> None:
    assert make(TITLE).version == make(dict(reversed(TITLE.items()))).version
    assert make(TITLE).version != make({**TITLE, "absent": "keep"}).version


@pytest.mark.parametrize(
    ("features", "message"),
    [
        ([TITLE, TITLE], "'title_bm25' is declared twice"),
        ([{**TITLE, "name": "f12"}], "f<digits>"),
        ([{**TITLE, "name": "max"}], "'max' is a function"),
        ([{**TITLE, "name": "titel bm25"}], "pattern"),
        ([{**TITLE, "analyser": "english"}], "analyser"),
        ([{**TITLE, "analyzer": "klingon"}], "english"),
        ([], "at least 1 item"),
        ([{"name": "e", "type": "expression", "expression": "title_bm25"}, TITLE], "stands later in the set"),
        ([TITLE, {"name": "e", "type": "expression", "expression": "1 + nope"}], "'nope' is not in the set"),
        ([TITLE, {"name": "e", "type": "expression", "expression": "title_bm25 ** 2"}], "not allowed"),
    ],
)
def test_a_faulty_set_is_refused_with_the_fault_named(features: list[dict], message: str) -> None:
    with pytest.raises(ValidationError, match=message.replace("*", r"\*")):
        make(*features)
