"""Rules of `training.search_spaces`: the smallest size that fits decides, or the rule at fault is named."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from fuzzing.seeds import numbered, rng_of
from pydantic import ValidationError

from rankhammer.errors import ConfigError
from rankhammer.pipelines.training.params import TrainingParams

if TYPE_CHECKING:
    import random

    from rankhammer.training.choice import RankerChoice

YML = Path(__file__).parents[2] / "conf" / "base" / "parameters" / "training.yml"
VALUES = yaml.safe_load(YML.read_text())["training"] | {"ranker": {"name": "xgboost"}}
SIZES = [1, 2, 50, 50, 2000, 10**9]
WRONG_SIZES: list[Any] = [0, -1, None, "many", 1.5, [], 10**400]
SPACES: list[tuple[Any, str]] = [
    ({}, ""),
    ({"xgboost": {"max_depth": {"choice": [1, 2]}, "subsample": None}}, ""),
    ({"xgbost": {"max_depth": {"choice": [1]}}}, "xgbost"),
    ({"xgboost": {"max_dept": {"choice": [1]}}}, "max_dept"),
    ({"xgboost": {"max_depth": {"uniform": [3, 1]}}}, "max_depth"),
    ({"xgboost": {"max_depth": {"chioce": [1]}}}, "chioce"),
    ({"xgboost": 7}, "search_space"),
    (None, "search_space"),
]


@numbered(40)
def test_the_smallest_size_that_fits_decides_or_what_is_wrong_is_named(number):
    rng = rng_of("search sizes", number)
    rules, faults = _rules(rng)
    choice, error = _read(rules)
    if choice is None:
        assert any(fault in error for fault in faults), f"{error} names none of {faults}"
        return
    assert not faults, f"accepted: {rules}"
    for n_rows in (rng.randrange(1, 3000) for _ in range(10)):
        fitting = [rule["max_rows"] for rule in rules if rule["max_rows"] >= n_rows]
        size = choice.size_of(50, n_rows)
        assert (size.max_rows if size else None) == min(fitting, default=None)


def _read(rules: list[dict[str, Any]]) -> tuple[RankerChoice | None, str]:
    try:
        return TrainingParams.model_validate(VALUES | {"search_spaces": rules}).choice_of(), ""
    except (ConfigError, ValidationError) as exc:
        return None, str(exc)


def _rules(rng: random.Random) -> tuple[list[dict[str, Any]], set[str]]:
    """Return rules, and what an error about them has to name one of; mostly one thing or nothing is wrong."""
    sizes = rng.sample(SIZES, rng.randrange(1, 4))
    sizes = sizes if rng.random() < 0.2 else sorted(set(sizes))
    faults = set() if all(a < b for a, b in pairwise(sizes)) else {"no corpus would come to it"}
    rules: list[dict[str, Any]] = []
    for size in sizes:
        space, fault = rng.choice(SPACES if rng.random() < 0.3 else SPACES[:2])
        rules.append({"max_rows": size, "search_space": space})
        faults |= {fault} - {""}
    if rng.random() < 0.2:
        rng.choice(rules)["max_rows"] = rng.choice(WRONG_SIZES)
        faults.add("max_rows")
    if rng.random() < 0.1:
        rng.choice(rules)["max_row"] = 5
        faults.add("max_row")
    return rules, faults
