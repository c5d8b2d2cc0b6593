"""The EM of the DBN, on counts: exact E-step, compact M-step, every cluster on its own.

Notation: a attractiveness, s satisfaction, g continuation, l the position of the last click, E_r "position r was
examined". Both parameters have Beta priors of one strength around a mean that the corpus shares.

References:
    O. Chapelle, Y. Zhang: A dynamic Bayesian network click model for web search ranking, WWW 2009.
    A. Dempster, N. Laird, D. Rubin: Maximum likelihood from incomplete data via the EM algorithm, JRSS B 1977.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from rankhammer.click_models.evidence import pooled_mean
from rankhammer.click_models.sequences import add_up
from rankhammer.click_models.tails import Tails, find_tails

if TYPE_CHECKING:
    from rankhammer.click_models.base import Bools, CountedSerps, Floats, Ints

_SHRINK_BELOW = 0.7
"""Rebuild the working arrays when less than this share of the tails still moves."""


@dataclass(frozen=True)
class Data:
    """A log as the EM needs it.

    Args:
        clicks: Times clicked, shape (n_pairs,).
        n_sure: Times shown at or above the last click, so certainly examined, shape (n_pairs,).
        n_last: Times clicked last, shape (n_pairs,).
        tails: What is below the last clicks.
        pair_cluster: Cluster number of each pair, ascending, shape (n_pairs,).
        n_steps: Steps from one position to the next above the last clicks: all of them were taken.
        n_cells: Documents shown.
    """

    clicks: Floats
    n_sure: Floats
    n_last: Floats
    tails: Tails
    pair_cluster: Ints
    n_steps: float
    n_cells: float

    def examined(self, expected: Expected) -> Floats:
        """Return the expected examinations of each pair."""
        return self.n_sure + self.sum_cells(expected.examined)

    def sum_cells(self, values: Floats) -> Floats:
        """Add up one value a tail cell by pair."""
        weights = self.tails.cell_weight * values
        return add_up(self.tails.pair, weights, len(self.clicks))

    def sum_last(self, values: Floats) -> Floats:
        """Add up one value a tail by the pair of its last click."""
        clicked = self.tails.has_click
        weights = (self.tails.weight * values)[clicked]
        return add_up(self.tails.last[clicked], weights, len(self.clicks))


@dataclass(frozen=True)
class State:
    """The parameters: a and s of every pair, and what the corpus shares."""

    attractiveness: Floats
    satisfaction: Floats
    continuation: float
    attractiveness_prior: float
    satisfaction_prior: float


@dataclass(frozen=True)
class Expected:
    """What the E-step says of the hidden states, given the clicks.

    Args:
        examined: P(E_r = 1 | C) of each tail cell, shape (n_cells,).
        satisfied: P(S_l = 1 | C) of each tail, 0 without a click, shape (n_tails,).
        evidence: Z, the probability of no click below the last one, or of none at all, shape (n_tails,).
    """

    examined: Floats
    satisfied: Floats
    evidence: Floats


def prepare(serps: CountedSerps) -> Data:
    """Reduce a log to the counts that the EM needs."""
    last = serps.last_click
    last_here = last[serps.cell_serp]
    return Data(
        clicks=serps.per_pair(serps.cell_weight * serps.clicked),
        n_sure=serps.per_pair(serps.cell_weight * (serps.position <= last_here)),
        n_last=serps.per_pair(serps.cell_weight * (serps.position == last_here)),
        tails=find_tails(serps),
        pair_cluster=serps.pair_cluster,
        n_steps=float((serps.weight * np.maximum(last - 1, 0)).sum()),
        n_cells=float(serps.cell_weight.sum()),
    )


def expect(tails: Tails, state: State) -> Expected:
    """Exact E-step: one walk up and one down the tails, depth by depth.

    B_r = P(no click from r on | E_r = 1) = (1 - a_r)(g B_{r+1} + 1 - g), 1 below the page;
    Z = 1 - g (1 - s_l)(1 - B_{l+1}) after a click, 1 where that was the last position, B_1 without a click;
    f_{l+1} = g (1 - s_l) B_{l+1} / Z, or f_1 = 1; f_{r+1} = f_r g B_{r+1} / (g B_{r+1} + 1 - g); E[S_l] = s_l / Z.

    Args:
        tails: The distinct tails.
        state: Current parameters.
    """
    no_click, onward = _walk_up(tails, state)
    s = np.where(tails.has_click, state.satisfaction[tails.last], 0.0)
    reached = np.where(tails.has_click, state.continuation * (1 - s), 1.0)
    z = np.where(tails.has_click, 1 - reached * (1 - no_click), no_click)
    examined = np.empty(len(tails.pair))
    at = reached * no_click / z
    for cells in tails.depths():
        examined[cells] = at[: cells.stop - cells.start]
        at = examined[cells] * onward[cells]
    return Expected(examined, s / z, z)


def _walk_up(tails: Tails, state: State) -> tuple[Floats, Floats]:
    """Return B below the last click of each tail, and P(E_{r+1} = 1 | E_r = 1, no click from r on) of each cell."""
    g = state.continuation
    skipped = 1 - state.attractiveness[tails.pair]
    onward = np.empty(len(tails.pair))
    below = np.ones(0)
    for cells in reversed(tails.depths()):
        go_on = np.full(cells.stop - cells.start, g)
        go_on[: len(below)] *= below
        go_on_or_stop = go_on + (1 - g)
        onward[cells] = go_on / go_on_or_stop
        below = skipped[cells] * go_on_or_stop
    no_click = np.ones(len(tails.last))
    no_click[: len(below)] = below
    return no_click, onward


def maximise(data: Data, state: State, expected: Expected, strength: float) -> State:
    """Compact M-step, over examined documents only: what nobody examined is no missing observation of a.

    a = (clicks + strength m_a) / (examinations + strength); s = (satisfied + strength m_s) / (clicks + strength).

    Args:
        data: The counts.
        state: Where the prior means m_a, m_s and the continuation are taken from.
        expected: Result of the E-step.
        strength: Pseudo-observations of the priors.
    """
    a = (data.clicks + strength * state.attractiveness_prior) / (data.examined(expected) + strength)
    satisfied = data.sum_last(expected.satisfied)
    s = (satisfied + strength * state.satisfaction_prior) / (data.clicks + strength)
    return replace(state, attractiveness=a, satisfaction=s)


def continuation(data: Data, expected: Expected) -> float:
    """Return the share of unsatisfied steps that were taken; what is below the page is never seen, so left out.

    g = taken / possible, where a step is possible after any examined position but the last that did not satisfy.
    """
    tails = data.tails
    examined = tails.cell_weight * expected.examined
    without_click = tails.weight[~tails.has_click].sum()
    after_click = (tails.weight * (1 - expected.satisfied))[tails.has_click & (tails.length > 0)].sum()
    taken = data.n_steps + examined.sum() - without_click
    possible = data.n_steps + after_click + examined[~tails.at_end].sum()
    return float(np.clip(taken / possible, 0.01, 0.999)) if possible > 0 else 0.5


def prior_means(data: Data, expected: Expected, strength: float) -> tuple[float, float]:
    """Return the means of attractiveness and satisfaction over all pairs of a corpus."""
    attractiveness = pooled_mean(data.clicks, data.examined(expected), strength)
    satisfaction = pooled_mean(data.sum_last(expected.satisfied), data.clicks, strength)
    return float(np.clip(attractiveness, 1e-4, 1 - 1e-4)), float(np.clip(satisfaction, 1e-4, 1 - 1e-4))


def iterate(data: Data, state: State, *, strength: float, max_iter: int, tol: float) -> tuple[State, Ints, Bools]:
    """Run the EM until every cluster stands still; one that does is left alone from then on.

    So its result is the same in whatever company it is fitted.

    Args:
        data: The counts.
        state: Where to begin; its continuation and prior means stay.
        strength: Pseudo-observations of the priors.
        max_iter: Iterations at most.
        tol: Largest change of a parameter that counts as none.

    Returns:
        (the parameters, iterations of each cluster, whether each cluster met `tol`).
    """
    n_clusters = int(data.pair_cluster[-1]) + 1 if len(data.pair_cluster) else 0
    a, s = state.attractiveness.copy(), state.satisfaction.copy()
    n_iter, moving = np.zeros(n_clusters, np.int64), np.ones(n_clusters, bool)
    pairs, work, at = np.arange(len(a)), data, state
    for _ in range(max_iter):
        updated = maximise(work, at, expect(work.tails, at), strength)
        a[pairs], s[pairs] = updated.attractiveness, updated.satisfaction
        n_iter[moving] += 1
        moving = moving & _clusters_that_moved(work, at, updated, tol, n_clusters)
        if not moving.any():
            break
        work, pairs = _restrict(work, pairs, moving)
        at = replace(state, attractiveness=a[pairs], satisfaction=s[pairs])
    return replace(state, attractiveness=a, satisfaction=s), n_iter, ~moving


def _clusters_that_moved(data: Data, before: State, after: State, tol: float, n_clusters: int) -> Bools:
    change = abs(after.attractiveness - before.attractiveness)
    np.maximum(change, abs(after.satisfaction - before.satisfaction), out=change)
    moved = np.zeros(n_clusters, bool)
    moved[data.pair_cluster[change >= tol]] = True
    return moved


def _restrict(data: Data, pairs: Ints, moving: Bools) -> tuple[Data, Ints]:
    """Keep the clusters that still move; `pairs` maps working pairs to the original ones."""
    keep = moving[data.pair_cluster]
    number = np.cumsum(keep) - 1
    smaller = replace(
        data,
        clicks=data.clicks[keep],
        n_sure=data.n_sure[keep],
        n_last=data.n_last[keep],
        tails=data.tails.select(moving[data.tails.cluster], number),
        pair_cluster=data.pair_cluster[keep],
    )
    return smaller, pairs[keep]


def log_likelihood(data: Data, state: State, expected: Expected) -> float:
    """Return ln P(clicks) of the whole log: known terms down to the last clicks, and Z below."""
    a, s = state.attractiveness, state.satisfaction
    above = data.clicks * np.log(a) + (data.n_sure - data.clicks) * np.log1p(-a)
    above += (data.clicks - data.n_last) * np.log1p(-s)
    tails = (data.tails.weight * np.log(expected.evidence)).sum()
    return float(above.sum() + data.n_steps * np.log(state.continuation) + tails)


def objective(data: Data, state: State, expected: Expected, strength: float) -> float:
    """Return log-likelihood plus log prior: an iteration never lowers it while the prior means stand still.

    The M-step's estimate is the mode under the density a^(strength m) (1 - a)^(strength (1 - m)).
    """
    total = log_likelihood(data, state, expected)
    for value, mean in (
        (state.attractiveness, state.attractiveness_prior),
        (state.satisfaction, state.satisfaction_prior),
    ):
        total += strength * float((mean * np.log(value) + (1 - mean) * np.log1p(-value)).sum())
    return total
