from __future__ import annotations

import math
from typing import Any

import pytest
from pydantic import ValidationError

from rankhammer.strict_model import StrictModel


class _Options(StrictModel):
    n: int = 1
    share: float | None = None
    either: bool | int = False
    name: str = ""


@pytest.mark.parametrize(
    "wrong",
    [{"n": True}, {"share": False}, {"share": math.nan}, {"share": math.inf}, {"n": 1.5}, {"m": 1}, {"name": 1}],
)
def test_what_is_of_another_kind_is_refused_by_name(wrong: dict[str, Any]):
    with pytest.raises(ValidationError) as error:
        _Options(**wrong)
    assert [one["loc"] for one in error.value.errors()] == [(next(iter(wrong)),)]


def test_what_is_meant_is_taken():
    found = _Options(n=2, share=1, either=True, name="a")
    assert found.model_dump() == {"n": 2, "share": 1.0, "either": True, "name": "a"}
    assert _Options(share=None).share is None
