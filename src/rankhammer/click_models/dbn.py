"""The dynamic Bayesian network click model, fitted by an exact EM on counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from rankhammer.click_models.base import ClusterFit, CorpusFit, Relevance
from rankhammer.click_models.cascade import conditional_clicks, draw_clicks, marginal_clicks
from rankhammer.click_models.evidence import pooled_mean, product_sd
from rankhammer.click_models.tails import Tails, find_tails

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rankhammer.click_models.base import Bools, CountedSerps, Floats, Ints

_SHRINK_BELOW = 0.7
"""Rebuild the working arrays when less than this share of the tails still moves."""


class DbnOptions(BaseModel):
    """Options of the DBN."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    continuation: float | None = Field(
        default=None, gt=0, lt=1, description="probability to look further when not satisfied; null: estimate it"
    )
    prior_strength: float = Field(
        default=5.0, gt=0, le=1000, description="pseudo-observations that pull an estimate towards the corpus mean"
    )
    satisfaction_floor: float = Field(
        default=0.05, gt=0, lt=1, description="least prior mean of satisfaction; logs with one click a page say little"
    )
    max_iter: int = Field(default=100, ge=1, le=10_000, description="EM iterations at most")
    tol: float = Field(default=1e-4, gt=0, lt=1, description="largest change of a parameter that counts as none")


@dataclass(frozen=True)
class _Data:
    """A log as the EM needs it; arrays without a note have shape (n_pairs,)."""

    clicks: Floats
    n_sure: Floats
    """Times shown at or above the last click: certainly examined."""
    n_last: Floats
    """Times clicked last."""
    tails: Tails
    pair_cluster: Ints
    n_steps: float
    """Steps from one position to the next above the last click: all of them continued."""
    n_cells: float

    @property
    def n_pairs(self) -> int:
        return len(self.clicks)


@dataclass(frozen=True)
class _State:
    attractiveness: Floats
    satisfaction: Floats
    continuation: float
    attractiveness_prior: float
    satisfaction_prior: float


@dataclass(frozen=True)
class _Expected:
    """What the E-step finds out about the hidden states."""

    examined: Floats
    """P(E_r = 1 | C) of each tail cell, shape (n_cells,)."""
    satisfied: Floats
    """P(S_l = 1 | C) of each tail, 0 without a click, shape (n_tails,)."""
    evidence: Floats
    """Z: probability of no click below the last one (or at all), shape (n_tails,)."""


class Dbn:
    """DBN (Chapelle & Zhang 2009): people read down, click what attracts, and stop when satisfied or tired.

    E_1 = 1; C_r = 1 iff E_r = 1 and A_r = 1; P(A_r = 1) = attractiveness; P(S_r = 1 | C_r = 1) = satisfaction;
    P(E_{r+1} = 1 | E_r = 1, S_r = 0) = continuation, and 0 after satisfaction.
    Relevance = attractiveness x satisfaction.

    Args:
        options: See DbnOptions.

    References:
        O. Chapelle, Y. Zhang: A dynamic Bayesian network click model for web search ranking, WWW 2009.
    """

    Options: ClassVar[type[BaseModel]] = DbnOptions
    parameter_names: ClassVar[tuple[str, ...]] = ("attractiveness", "satisfaction")

    def __init__(self, options: DbnOptions) -> None:
        self.options = options

    def fit_corpus(self, serps: CountedSerps) -> CorpusFit:
        """Estimate the continuation and the means of both priors; see `ClickModel.fit_corpus`."""
        data, options = _prepare(serps), self.options
        state, history, converged = self._first_guess(data), [], False
        while len(history) < options.max_iter and not converged:
            expected = _expect(data.tails, state)
            updated = _maximise(data, state, expected, options.prior_strength)
            updated = self._share(data, updated, expected)
            history.append(_objective(data, state, expected, options.prior_strength))
            converged = _moved(state, updated) < options.tol / 10
            state = updated
        return CorpusFit(
            parameters={
                "continuation": state.continuation,
                "attractiveness_prior": state.attractiveness_prior,
                "satisfaction_prior": state.satisfaction_prior,
            },
            n_iter=len(history),
            converged=converged,
            log_likelihood=_log_likelihood(data, state, _expect(data.tails, state)) / max(data.n_cells, 1),
            n_serps=int(serps.weight.sum()),
            history=tuple(history),
        )

    def fit(self, serps: CountedSerps, corpus: CorpusFit) -> ClusterFit:
        """Estimate attractiveness and satisfaction of every pair; see `ClickModel.fit`."""
        data = _prepare(serps)
        state, n_iter, converged = self._iterate(data, self._start(data, corpus))
        expected = _expect(data.tails, state)
        return ClusterFit(
            parameters={"attractiveness": state.attractiveness, "satisfaction": state.satisfaction},
            n_examined=data.n_sure + _sum_cells(data, expected.examined),
            evidence=_evidence(data, expected),
            n_iter=n_iter[data.pair_cluster],
            converged=converged[data.pair_cluster],
            log_likelihood=_log_likelihood(data, state, expected),
        )

    def unseen(self, corpus: CorpusFit) -> Mapping[str, float]:
        """Return the prior means; see `ClickModel.unseen`."""
        return {name: corpus.parameters[f"{name}_prior"] for name in self.parameter_names}

    def predict_clicks(self, serps: CountedSerps, parameters: Mapping[str, Floats], corpus: CorpusFit) -> Floats:
        """P(C_r = 1) = eps_r a_r with eps_{r+1} = eps_r g (1 - a_r s_r); see `ClickModel.predict_clicks`."""
        return marginal_clicks(serps, *self._unpack(parameters, corpus))

    def predict_conditional_clicks(
        self, serps: CountedSerps, parameters: Mapping[str, Floats], corpus: CorpusFit
    ) -> Floats:
        """P(C_r = 1 | C_<r) = a_r e_r; see `ClickModel.predict_conditional_clicks`."""
        return conditional_clicks(serps, *self._unpack(parameters, corpus))

    def sample(
        self, serps: CountedSerps, parameters: Mapping[str, Floats], corpus: CorpusFit, uniform: Floats
    ) -> Bools:
        """Draw each click from P(C_r = 1 | C_<r), top to bottom; see `ClickModel.sample`."""
        return draw_clicks(serps, *self._unpack(parameters, corpus), uniform)

    def predict_relevance(self, fit: ClusterFit, corpus: CorpusFit) -> Relevance:
        """Return the posterior of a x s.

        Each variance is 1 / (complete information - missing information) at the estimate, missing being the variance
        of the score over the hidden states: what examinations and satisfactions that are only guessed take away.
        `prior_share` is the mean of the shares of pseudo-observations in attractiveness and in satisfaction.

        References:
            T. A. Louis: Finding the observed information matrix when using the EM algorithm, JRSS B 1982.
        """
        strength = self.options.prior_strength
        a, s = fit.parameters["attractiveness"], fit.parameters["satisfaction"]
        clicks, skips = fit.evidence["clicks"], fit.evidence["skips"]
        a_success = clicks + strength * corpus.parameters["attractiveness_prior"]
        a_failure = skips + strength * (1 - corpus.parameters["attractiveness_prior"])
        a_variance = 1 / (a_success / a**2 + a_failure / (1 - a) ** 2 + 1 / (a * (1 - a)))
        s_known = np.maximum(clicks - fit.evidence["satisfaction_missing"] / (s * (1 - s)), 0.0)
        s_variance = s * (1 - s) / (s_known + strength + 1)
        share = strength / (clicks + skips + strength) + strength / (s_known + strength)
        return Relevance(mean=a * s, sd=product_sd(a, a_variance, s, s_variance), prior_share=share / 2)

    def _unpack(self, parameters: Mapping[str, Floats], corpus: CorpusFit) -> tuple[Floats, Floats, float]:
        return parameters["attractiveness"], parameters["satisfaction"], corpus.parameters["continuation"]

    def _first_guess(self, data: _Data) -> _State:
        """Begin as if every page was examined down to its last click."""
        attractive = float(np.clip(data.clicks.sum() / max(data.n_sure.sum(), 1), 0.01, 0.5))
        continuation = self.options.continuation or 0.9
        n = data.n_pairs
        return _State(np.full(n, attractive), np.full(n, 0.5), continuation, attractive, 0.5)

    def _start(self, data: _Data, corpus: CorpusFit) -> _State:
        shared = corpus.parameters
        a, s = shared["attractiveness_prior"], shared["satisfaction_prior"]
        return _State(np.full(data.n_pairs, a), np.full(data.n_pairs, s), shared["continuation"], a, s)

    def _share(self, data: _Data, state: _State, expected: _Expected) -> _State:
        """Update what the clusters share: both prior means and, unless it is fixed, the continuation."""
        options = self.options
        examined = data.n_sure + _sum_cells(data, expected.examined)
        satisfied = _sum_last(data, expected.satisfied)
        floor = max(pooled_mean(satisfied, data.clicks, options.prior_strength), options.satisfaction_floor)
        return _State(
            state.attractiveness,
            state.satisfaction,
            options.continuation or _continuation(data, expected),
            float(np.clip(pooled_mean(data.clicks, examined, options.prior_strength), 1e-4, 1 - 1e-4)),
            min(floor, 1 - 1e-4),
        )

    def _iterate(self, data: _Data, state: _State) -> tuple[_State, Ints, Bools]:
        """Run the EM until every cluster stands still; a cluster that does is left alone from then on.

        So its result is the same in whatever company it is fitted.
        """
        n_clusters = int(data.pair_cluster[-1]) + 1 if data.n_pairs else 0
        a, s = state.attractiveness.copy(), state.satisfaction.copy()
        n_iter, moving = np.zeros(n_clusters, np.int64), np.ones(n_clusters, bool)
        pairs, work = np.arange(data.n_pairs), data
        for _ in range(self.options.max_iter):
            at = _State(a[pairs], s[pairs], state.continuation, state.attractiveness_prior, state.satisfaction_prior)
            updated = _maximise(work, at, _expect(work.tails, at), self.options.prior_strength)
            active = moving[work.pair_cluster]
            a[pairs[active]], s[pairs[active]] = updated.attractiveness[active], updated.satisfaction[active]
            n_iter[moving] += 1
            change = np.maximum(
                abs(updated.attractiveness - at.attractiveness), abs(updated.satisfaction - at.satisfaction)
            )
            still = np.ones(n_clusters, bool)
            still[work.pair_cluster[active & (change >= self.options.tol)]] = False
            moving &= ~still
            if not moving.any():
                break
            if moving[work.tails.cluster].mean() < _SHRINK_BELOW:
                work, pairs = _restrict(work, pairs, moving)
        final = _State(a, s, state.continuation, state.attractiveness_prior, state.satisfaction_prior)
        return final, n_iter, ~moving


def _prepare(serps: CountedSerps) -> _Data:
    last = serps.last_click
    sure = serps.position <= last[serps.cell_serp]
    tails = find_tails(serps)
    return _Data(
        clicks=serps.per_pair(serps.cell_weight * serps.clicked),
        n_sure=serps.per_pair(serps.cell_weight * sure),
        n_last=serps.per_pair(serps.cell_weight * (serps.position == last[serps.cell_serp])),
        tails=tails,
        pair_cluster=serps.pair_cluster,
        n_steps=float((serps.weight * np.maximum(last - 1, 0)).sum()),
        n_cells=float(serps.cell_weight.sum()),
    )


def _restrict(data: _Data, pairs: Ints, moving: Bools) -> tuple[_Data, Ints]:
    """Keep the clusters that still move; `pairs` maps working pairs to the original ones."""
    keep = moving[data.pair_cluster]
    number = np.cumsum(keep) - 1
    tails = data.tails.select(moving[data.tails.cluster], number)
    smaller = _Data(
        data.clicks[keep],
        data.n_sure[keep],
        data.n_last[keep],
        tails,
        data.pair_cluster[keep],
        data.n_steps,
        data.n_cells,
    )
    return smaller, pairs[keep]


def _expect(tails: Tails, state: _State) -> _Expected:
    """Exact E-step: one backward and one forward walk over the tails, depth by depth.

    B_r = P(no click from r on | E_r = 1) = (1 - a_r)(g B_{r+1} + 1 - g), B = 1 below the page;
    Z = 1 - g (1 - s_l)(1 - B_{l+1}) after a click, B_1 without one; f_r = P(E_r = 1 | C).
    """
    g = state.continuation
    skipped = 1 - state.attractiveness[tails.pair]
    depths = tails.depths()
    onward = np.empty(len(tails.pair))
    below = np.ones(0)
    for cells in reversed(depths):
        size = cells.stop - cells.start
        below = np.concatenate([below, np.ones(size - len(below))])
        go_on = g * below
        stop_or_go = go_on + (1 - g)
        onward[cells] = go_on / stop_or_go
        below = skipped[cells] * stop_or_go
    no_click = np.concatenate([below, np.ones(len(tails.last) - len(below))])
    s = np.where(tails.has_click, state.satisfaction[tails.last], 0.0)
    reached = g * (1 - s)
    z = np.where(tails.has_click, np.where(tails.length > 0, 1 - reached * (1 - no_click), 1.0), no_click)
    examined = np.empty(len(tails.pair))
    at = np.where(tails.has_click, reached * no_click / z, 1.0)
    for cells in depths:
        size = cells.stop - cells.start
        examined[cells] = at[:size]
        at = at[:size] * onward[cells]
    return _Expected(examined, s / z, z)


def _maximise(data: _Data, state: _State, expected: _Expected, strength: float) -> _State:
    """Compact M-step: a = (clicks + alpha) / (examinations + strength); s = (satisfied + alpha_s) / (clicks + strength)."""
    examined = data.n_sure + _sum_cells(data, expected.examined)
    satisfied = _sum_last(data, expected.satisfied)
    return _State(
        (data.clicks + strength * state.attractiveness_prior) / (examined + strength),
        (satisfied + strength * state.satisfaction_prior) / (data.clicks + strength),
        state.continuation,
        state.attractiveness_prior,
        state.satisfaction_prior,
    )


def _continuation(data: _Data, expected: _Expected) -> float:
    """Share of unsatisfied steps that were taken; the step below the last position is never seen and left out."""
    tails = data.tails
    weighted = tails.cell_weight * expected.examined
    first = tails.weight[~tails.has_click].sum()
    after_click = (tails.weight * (1 - expected.satisfied))[tails.has_click & (tails.length > 0)].sum()
    taken = data.n_steps + weighted.sum() - first
    possible = data.n_steps + after_click + weighted[~tails.at_end].sum()
    return float(np.clip(taken / max(possible, 1e-12), 0.01, 0.999))


def _evidence(data: _Data, expected: _Expected) -> dict[str, Floats]:
    """Counts without what is only guessed: a skip counts by f^2, for f (1 - f) of its information is missing."""
    uncertain = expected.satisfied * (1 - expected.satisfied)
    return {
        "clicks": data.clicks,
        "skips": data.n_sure - data.clicks + _sum_cells(data, expected.examined**2),
        "satisfaction_missing": _sum_last(data, uncertain),
    }


def _sum_cells(data: _Data, values: Floats) -> Floats:
    return np.bincount(data.tails.pair, weights=data.tails.cell_weight * values, minlength=data.n_pairs)


def _sum_last(data: _Data, values: Floats) -> Floats:
    clicked = data.tails.has_click
    weights = (data.tails.weight * values)[clicked]
    return np.bincount(data.tails.last[clicked], weights=weights, minlength=data.n_pairs)


def _moved(before: _State, after: _State) -> float:
    return max(
        abs(before.continuation - after.continuation),
        abs(before.attractiveness_prior - after.attractiveness_prior),
        abs(before.satisfaction_prior - after.satisfaction_prior),
    )


def _log_likelihood(data: _Data, state: _State, expected: _Expected) -> float:
    a, s = state.attractiveness, state.satisfaction
    above = data.clicks * np.log(a) + (data.n_sure - data.clicks) * np.log1p(-a)
    above += (data.clicks - data.n_last) * np.log1p(-s)
    tails = (data.tails.weight * np.log(expected.evidence)).sum()
    return float(above.sum() + data.n_steps * np.log(state.continuation) + tails)


def _objective(data: _Data, state: _State, expected: _Expected, strength: float) -> float:
    """Log-likelihood plus log prior: what the EM never lowers while the priors stand still."""
    log_prior = 0.0
    for value, mean in (
        (state.attractiveness, state.attractiveness_prior),
        (state.satisfaction, state.satisfaction_prior),
    ):
        log_prior += strength * float((mean * np.log(value) + (1 - mean) * np.log1p(-value)).sum())
    return _log_likelihood(data, state, expected) + log_prior
