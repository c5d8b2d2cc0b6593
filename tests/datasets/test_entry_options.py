from __future__ import annotations

import inspect
import math
from typing import Any

import pytest
from kedro.io import AbstractDataset, DataCatalog
from kedro.io.core import DatasetError

from rankhammer import datasets
from rankhammer.datasets.published_dataset import PublishedDataset

OURS = [kind for kind in vars(datasets).values() if isinstance(kind, type) and issubclass(kind, AbstractDataset)]


def _entry(option: str, value: Any) -> DataCatalog:
    config = {"type": "rankhammer.datasets.PublishedDataset", "filepath": "out", option: value}
    catalog = DataCatalog.from_config({"rankers": config})
    catalog.get("rankers")
    return catalog


@pytest.mark.parametrize("value", ["a\nb", "3", 1.5, True, math.nan, [], {}, None, 0, -1])
def test_a_count_that_is_none_is_refused_by_name(value):
    with pytest.raises(DatasetError, match=r"keep is (?s:.*)'rankers'"):
        _entry("keep", value)


@pytest.mark.parametrize(
    "value", ["1", True, math.nan, math.inf, 10**400, -0.5, None], ids=lambda value: str(value)[:9]
)
def test_hours_are_a_number_from_zero_on(value):
    with pytest.raises(DatasetError, match=r"grace_h is (?s:.*)'rankers'"):
        _entry("grace_h", value)


def test_what_is_meant_is_taken():
    options: dict[str, list[Any]] = {"keep": [1, 10**30], "grace_h": [0, 0.5, 24], "run": ["r", None]}
    for option, values in options.items():
        for value in values:
            assert isinstance(_entry(option, value)["rankers"], PublishedDataset)


@pytest.mark.parametrize("kind", OURS, ids=lambda kind: kind.__name__)
def test_each_dataset_refuses_what_no_option_can_be(kind):
    options = [name for name in inspect.signature(kind.__init__).parameters if name not in {"self", "version"}]
    assert "filepath" in options
    for option in options:
        with pytest.raises(DatasetError, match=rf"\b{option} is 1j; it has to be"):
            AbstractDataset.from_config("entry", {"type": kind, "filepath": "x", option: 1j})
