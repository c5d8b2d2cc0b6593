"""One seed for every case, so that each can be repeated alone: RANKHAMMER_FUZZ_SEED chooses another."""

from __future__ import annotations

import os
import random

import pytest

VARIABLE = "RANKHAMMER_FUZZ_SEED"
SEED = int(os.environ.get(VARIABLE) or 20_260_101)


def numbered(n: int) -> pytest.MarkDecorator:
    """Let a test run n cases; an id holds the seed and the number of the case."""
    return pytest.mark.parametrize("number", range(n), ids=[f"{SEED}-{number}" for number in range(n)])


def rng_of(suite: str, number: int) -> random.Random:
    """Return the source of chance of one case, which no other case shares.

    Args:
        suite: Name of the generator.
        number: Of the case.
    """
    return random.Random(f"{SEED}/{suite}/{number}")
