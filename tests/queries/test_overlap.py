"""Clusters of result lists, beside a plain comparison of every pair."""

from __future__ import annotations

import random
import time

import numpy as np
import pytest

from rankhammer.queries.overlap import overlap_clusters


def clusters(lists: list[str], min_overlap: float = 0.5) -> list[int]:
    """Cluster lists of one-letter documents; clusters are numbered as they come."""
    query = [number for number, docs in enumerate(lists) for _ in docs]
    doc = [ord(name) for docs in lists for name in docs]
    found = overlap_clusters(
        np.array(query, dtype=np.int64), np.array(doc, dtype=np.int64), n_queries=len(lists), min_overlap=min_overlap
    )
    return renumbered(found.tolist())


def renumbered(numbers: list[int]) -> list[int]:
    seen: dict[int, int] = {}
    return [seen.setdefault(number, len(seen)) for number in numbers]


def pair_by_pair(lists: list[str], min_overlap: float) -> list[int]:
    of = list(range(len(lists)))
    for one, docs in enumerate(map(set, lists)):
        for other, others in enumerate(map(set, lists[:one])):
            if docs and others and len(docs & others) / len(docs | others) > min_overlap:
                of = [of[one] if number == of[other] else number for number in of]
    return renumbered(of)


def test_four_of_five_shared_results_join_and_three_do_not() -> None:
    # 4 / 6 > 0.5; 3 / 7 < 0.5.
    assert clusters(["abcde", "abcdf"]) == [0, 0]
    assert clusters(["abcde", "abcfg"]) == [0, 1]


def test_half_is_not_more_than_half() -> None:
    # 2 / 4.
    assert clusters(["abc", "abd"]) == [0, 1]
    assert clusters(["abc", "abd"], min_overlap=0.49) == [0, 0]


def test_joins_are_transitive() -> None:
    # The first and the last share three of five.
    assert clusters(["abcde", "abcdf", "abcfg"]) == [0, 0, 0]


def test_queries_without_results_stay_alone() -> None:
    assert clusters(["", "ab", "", "ab"]) == [0, 1, 2, 1]
    assert clusters([]) == []


def test_a_document_that_stands_twice_counts_once() -> None:
    assert clusters(["aab", "ab"]) == [0, 0]


@pytest.mark.parametrize("min_overlap", [0.5, 0.0, 1 / 3, 0.7])
def test_clusters_are_those_of_every_pair(min_overlap: float) -> None:
    rng = random.Random(f"{min_overlap}")
    for _ in range(60):
        letters = "abcdefghijklmn"[: rng.randint(1, 14)]
        lists = ["".join(rng.choices(letters, k=rng.randint(0, 5))) for _ in range(rng.randint(0, 30))]
        assert clusters(lists, min_overlap) == pair_by_pair(lists, min_overlap)


def test_a_form_of_3500_queries_and_1100_documents_takes_no_time() -> None:
    rng = np.random.default_rng(1)
    doc = rng.integers(0, 1100, 5 * 3500)
    # All share one document: a comparison of pairs would make six million of them.
    doc[::5] = 0
    started = time.perf_counter()
    found = overlap_clusters(np.repeat(np.arange(3500), 5), doc, n_queries=3500)
    assert time.perf_counter() - started < 5
    assert len(found) == 3500
