from __future__ import annotations

import math

import numpy as np
import pytest

from rankhammer.feature_sources.embedded.bm25 import Bm25, byte_to_length, length_to_byte

# Lucene's SmallFloat.LENGTH_TABLE: exact to 40, then steps of 2, 4, 8 ...
STEPS = {40: 40, 41: 40, 42: 42, 43: 42, 55: 54, 56: 56, 57: 56, 60: 60, 63: 60, 88: 88, 95: 88, 96: 96, 100: 96}
STEPS |= {104: 104, 1000: 984, 1048: 1048, 1_000_000: 983_064, 2**31 - 1: 2_013_265_944}


def test_lengths_to_40_are_exact() -> None:
    lengths = np.arange(41)
    assert byte_to_length(length_to_byte(lengths)).tolist() == lengths.tolist()


@pytest.mark.parametrize(("length", "kept"), STEPS.items())
def test_longer_lengths_round_down_as_in_lucene(length: int, kept: int) -> None:
    assert byte_to_length(length_to_byte(np.array([length]))).tolist() == [kept]


def test_all_256_bytes_are_used_and_ascend() -> None:
    lengths = byte_to_length(np.arange(256, dtype=np.uint8))
    assert (np.diff(lengths) > 0).all()
    assert length_to_byte(lengths).tolist() == list(range(256))


def test_a_length_is_never_rounded_up() -> None:
    lengths = np.random.default_rng(0).integers(0, 2**31, 10_000)
    assert (byte_to_length(length_to_byte(lengths)) <= lengths).all()


def test_idf_is_lucenes_and_the_other_flavour_is_k1_plus_1_times_that() -> None:
    expected = math.log(1 + (10 - 3 + 0.5) / (3 + 0.5))
    assert Bm25().idf(np.array([3]), 10).tolist() == pytest.approx([expected])
    assert Bm25(flavour="k1_plus_1").idf(np.array([3]), 10).tolist() == pytest.approx([2.2 * expected])


def test_norms_grow_with_the_length_and_equal_k1_at_the_average() -> None:
    norms = Bm25(k1=1.5).norms(10.0)
    assert norms[10] == pytest.approx(1.5)
    assert (np.diff(norms) > 0).all()
