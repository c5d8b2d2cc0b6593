"""Builders of small counted logs."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import numpy as np
import pytest

from rankhammer.click_models import CountedSerps

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def build(pages: Sequence[tuple[Sequence[int], str]], *, clusters: Sequence[int] | None = None) -> CountedSerps:
    """Pages as (pair numbers, "0100" clicks); `clusters` gives the cluster of each pair."""
    n_pairs = 1 + max(pair for pairs, _ in pages for pair in pairs)
    return CountedSerps(
        pair=np.array([pair for pairs, _ in pages for pair in pairs]),
        clicked=np.array([click == "1" for _, clicks in pages for click in clicks]),
        length=np.array([len(pairs) for pairs, _ in pages]),
        weight=np.ones(len(pages)),
        pair_cluster=np.array(clusters if clusters is not None else [0] * n_pairs),
    )


def shuffled(n_serps: int, n_clusters: int, n_docs: int, lengths: Sequence[int], seed: int) -> CountedSerps:
    """Random pages without clicks: each shows distinct documents of one cluster, in random order."""
    rng = np.random.default_rng(seed)
    cluster = rng.integers(n_clusters, size=n_serps)
    length = rng.choice(lengths, size=n_serps)
    order = np.argsort(rng.random((n_serps, n_docs)), axis=1)
    shown = np.arange(n_docs) < length[:, None]
    pair = (cluster[:, None] * n_docs + order)[shown]
    return CountedSerps(
        pair, np.zeros(len(pair), bool), length, np.ones(n_serps), np.repeat(np.arange(n_clusters), n_docs)
    )


def enumerate_dbn(
    a: Sequence[float], s: Sequence[float], g: float, clicks: str
) -> tuple[float, list[float], list[float]]:
    """P(C), P(E_r = 1 | C) and P(S_r = 1 | C) by going through every state of every hidden variable."""
    n = len(a)
    total, examined, satisfied = 0.0, np.zeros(n), np.zeros(n)
    for hidden in product((0, 1), repeat=3 * n):
        attracted, satisfying, going_on = hidden[:n], hidden[n : 2 * n], hidden[2 * n :]
        probability, e, states = 1.0, 1, []
        for r in range(n):
            click = e * attracted[r]
            probability *= (a[r] if attracted[r] else 1 - a[r]) * (s[r] if satisfying[r] else 1 - s[r])
            probability *= g if going_on[r] else 1 - g
            probability *= str(click) == clicks[r]
            states.append((e, click * satisfying[r]))
            e = e * going_on[r] * (1 - click * satisfying[r])
        total += probability
        examined += probability * np.array([state[0] for state in states])
        satisfied += probability * np.array([state[1] for state in states])
    return total, list(examined / total), list(satisfied / total)


@pytest.fixture
def pages() -> Callable[..., CountedSerps]:
    return build


@pytest.fixture
def random_pages() -> Callable[..., CountedSerps]:
    return shuffled


@pytest.fixture
def brute_force() -> Callable[..., tuple[float, list[float], list[float]]]:
    return enumerate_dbn
